"""Each check of notebook 04 praises the solution and knows its mistakes by name, as students write them."""

import numpy as np
import pytest

from minisft import gradcheck
from minisft.course import backprop_by_hand as check
from minisft.course.backprop_by_hand import layernorm

from .solutions import sections, solution

NOTEBOOK = "04_backprop_by_hand"
EXERCISES = ("linear", "embedding", "rmsnorm", "swiglu", "objective", "layer_norm")


def inner(a, b):
    return np.vecdot(a, b, keepdims=True)


@pytest.mark.parametrize("seed", [0, 1, 2, None])
@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_solution_is_right(exercise, seed):
    answer = solution(NOTEBOOK, exercise)[f"{exercise}_backward"]
    verdict = getattr(check, exercise)(answer, seed)
    assert verdict.right is True, verdict


def test_every_exercise_has_one_solution():
    assert tuple(sections(NOTEBOOK)) == EXERCISES


@pytest.mark.parametrize("exercise", EXERCISES)
def test_a_stub_is_not_written_yet(exercise):
    def stub(*arguments):
        raise NotImplementedError

    assert getattr(check, exercise)(stub).right is None


def linear_overwritten(p, g, x, dy):
    g.weight[...] = dy.T @ x
    return dy @ p.weight


def linear_rebound(p, g, x, dy):
    g.weight = g.weight + dy.T @ x
    return dy @ p.weight


def linear_transposed(p, g, x, dy):
    g.weight += x.T @ dy
    return dy @ p.weight


def linear_forward_again(p, g, x, dy):
    g.weight += dy.T @ x
    return dy @ p.weight.T


def linear_mean(p, g, x, dy):
    g.weight += dy.T @ x / x.shape[0]
    return dy @ p.weight


def linear_from_x(p, g, x, dy):
    g.weight += dy.T @ x
    return x @ p.weight


def linear_nothing_added(p, g, x, dy):
    return dy @ p.weight


def linear_subtracted(p, g, x, dy):
    g.weight -= dy.T @ x
    return dy @ p.weight


def linear_half(p, g, x, dy):
    g.weight += dy.T @ x
    return 0.5 * dy @ p.weight


def linear_no_return(p, g, x, dy):
    g.weight += dy.T @ x


def linear_transposed_and_overwritten(p, g, x, dy):
    g.weight[...] = x.T @ dy
    return dy @ p.weight


def linear_changes_dy(p, g, x, dy):
    g.weight += dy.T @ x
    dy *= 2
    return dy @ p.weight / 2


def linear_moves_the_weight(p, g, x, dy):
    g.weight += dy.T @ x
    p.weight += 1
    return dy @ (p.weight - 1)


def linear_short(p, g, x, dy):
    g.weight += dy.T @ x
    return (dy @ p.weight).sum(0)


def linear_single(p, g, x, dy):
    g.weight += dy.T @ x
    return (dy @ p.weight).astype(np.float32)


def embedding_fancy(p, g, ids, dx):
    g.weight[ids] += dx


def embedding_set(p, g, ids, dx):
    for i, row in zip(ids, dx):
        g.weight[i] = row


def embedding_by_place(p, g, ids, dx):
    g.weight[: len(ids)] += dx


def embedding_mean(p, g, ids, dx):
    for v in set(ids.tolist()):
        g.weight[v] += dx[ids == v].mean(0)


def embedding_first(p, g, ids, dx):
    tokens, first = np.unique(ids, return_index=True)
    g.weight[tokens] += dx[first]


def embedding_not_added(p, g, ids, dx):
    g.weight + np.eye(len(p.weight))[ids].T @ dx


def embedding_all_overwritten(p, g, ids, dx):
    g.weight[...] = np.eye(len(p.weight))[ids].T @ dx


def embedding_counted(p, g, ids, dx):
    np.add.at(g.weight, ids, 1.0)


def rms(formula, gain=lambda r, n, dy: (dy * n).sum(0)):
    def backward(p, g, cache, dy):
        r, n = cache
        g.weight += gain(r, n, dy)
        return formula(r, n, p.weight, dy)

    return backward


def rms_right(r, n, w, dy):
    return r * (w * dy - n * inner(w * dy, n) / 6)


def swi(da=None, db=None, dx=None, h=None):
    def backward(p, g, cache, dy):
        x, a, b, s = cache
        g.down_proj.weight += dy.T @ (h or (lambda x, a, b, s: a * b * s))(*cache)
        dh = dy @ p.down_proj.weight
        one = (da or (lambda a, b, s, dh: dh * b * (s + a * s * (1 - s))))(a, b, s, dh)
        two = (db or (lambda a, b, s, dh: dh * a * s))(a, b, s, dh)
        g.gate_proj.weight += one.T @ x
        g.up_proj.weight += two.T @ x
        return (dx or np.add)(one @ p.gate_proj.weight, two @ p.up_proj.weight)

    return backward


def swi_never_down(p, g, cache, dy):
    x, a, b, s = cache
    g.down_proj.weight += dy.T @ (a * b * s)
    da, db = dy * b * (s + a * s * (1 - s)), dy * a * s
    g.gate_proj.weight += da.T @ x
    g.up_proj.weight += db.T @ x
    return da @ p.gate_proj.weight + db @ p.up_proj.weight


def swi_no_weights(p, g, cache, dy):
    _, a, b, s = cache
    dh = dy @ p.down_proj.weight
    return (dh * b * (s + a * s * (1 - s))) @ p.gate_proj.weight + (dh * a * s) @ p.up_proj.weight


def obj(formula):
    def backward(cache, dJ):
        pi = np.exp(cache.log_pi)
        onehot = np.eye(pi.shape[1])[cache.targets]
        return formula(pi, onehot, cache.weights[:, None], dJ)

    return backward


def layer(formula, gain=lambda p, n, dy: (dy * n).sum(0), bias=lambda p, n, dy: dy.sum(0)):
    def backward(p, g, cache, dy):
        r, n = cache
        g.weight += gain(p, n, dy)
        g.bias += bias(p, n, dy)
        return formula(r, n, p.weight, dy)

    return backward


def mean(a):
    return a.mean(-1, keepdims=True)


def layer_right(r, n, w, dy):
    return r * (w * dy - mean(w * dy) - n * mean(w * dy * n))


NAMED = [
    ("linear", linear_overwritten, "is overwritten: add with `+=`"),
    ("linear", linear_rebound, "would replace the array"),
    ("linear", linear_transposed, "is the transpose of the gradient"),
    ("linear", linear_forward_again, "W is transposed"),
    ("linear", linear_mean, "a mean over the rows"),
    ("linear", linear_from_x, "made of x where it should be made of dy"),
    ("linear", linear_nothing_added, "nothing is added to g.weight"),
    ("linear", linear_subtracted, "the sign of g.weight is turned"),
    ("linear", linear_half, "dx is 0.5 times the derivative"),
    ("linear", linear_no_return, "it returns nothing: dx"),
    (
        "linear",
        linear_transposed_and_overwritten,
        "which is (out, in) like W: dyᵀ x; besides",
    ),
    ("linear", linear_changes_dy, "it changes dy"),
    ("linear", linear_moves_the_weight, "it changes p"),
    ("linear", linear_short, "dx has the shape (4,)"),
    ("linear", linear_single, "a few digits only"),
    ("embedding", embedding_fancy, "repeated ids are lost: `g.weight[ids] += dx`"),
    ("embedding", embedding_by_place, "in the order of the batch"),
    ("embedding", embedding_mean, "the rows of a token are averaged"),
    ("embedding", embedding_first, "only the first row of each token"),
    ("embedding", embedding_not_added, "nothing is added"),
    ("embedding", embedding_all_overwritten, "g.weight is overwritten"),
    ("embedding", embedding_counted, "the counts of the tokens"),
    ("rmsnorm", rms(lambda r, n, w, dy: r * w * (dy - n * inner(dy, n) / 6)), "pulled out of the sum"),
    ("rmsnorm", rms(lambda r, n, w, dy: r * w * dy), "⟨dn, n⟩ / C is missing"),
    ("rmsnorm", rms(lambda r, n, w, dy: r * (w * dy - n * inner(w * dy, n) / inner(n, n))), "because of ε"),
    ("rmsnorm", rms(lambda r, n, w, dy: r * (w * dy - n * inner(w * dy, n))), "not divided by C"),
    ("rmsnorm", rms(lambda r, n, w, dy: r * (w * dy + n * inner(w * dy, n) / 6)), "is negative"),
    ("rmsnorm", rms(lambda r, n, w, dy: w * dy - n * inner(w * dy, n) / 6), "factor r in front"),
    ("rmsnorm", rms(lambda r, n, w, dy: r * (dy - n * inner(dy, n) / 6)), "the gain is forgotten"),
    ("rmsnorm", rms(lambda r, n, w, dy: r * (w * dy - n * (w * dy * n).sum() / 6)), "the whole batch"),
    ("rmsnorm", rms(rms_right, lambda r, n, dy: (dy * n / r).sum(0)), "x stands where n should"),
    ("rmsnorm", rms(rms_right, lambda r, n, dy: (dy * n).mean(0)), "a mean over the rows"),
    ("rmsnorm", rms(rms_right, lambda r, n, dy: dy.sum(0)), "n is missing"),
    ("swiglu", swi(da=lambda a, b, s, dh: dh * b * (s + a * s)), "σ′ is σ (1 − σ), not σ"),
    ("swiglu", swi(da=lambda a, b, s, dh: dh * b * s), "a ⊙ σ′(a) is missing"),
    ("swiglu", swi(da=lambda a, b, s, dh: dh * b * a * s * (1 - s)), "with a differentiated, is missing"),
    ("swiglu", swi(da=lambda a, b, s, dh: dh * (s + a * s * (1 - s))), "da: the factor b is missing"),
    ("swiglu", swi(db=lambda a, b, s, dh: dh * a), "db: the factor σ(a) is missing"),
    ("swiglu", swi(dx=lambda gate, up: gate), "the contribution through up is missing"),
    ("swiglu", swi(dx=lambda gate, up: up), "the contribution through gate is missing"),
    ("swiglu", swi_never_down, "not been taken back through down"),
    ("swiglu", swi_no_weights, "nothing is added to g.gate_proj.weight; nothing is added to g.up_proj.weight"),
    ("swiglu", swi(h=lambda x, a, b, s: a * s), "h = a ⊙ s ⊙ b, the factor b is missing"),
    ("swiglu", swi(da=lambda a, b, s, dh: dh * b * s, db=lambda a, b, s, dh: dh * a), "σ′(a) is missing, σ is"),
    ("objective", obj(lambda pi, onehot, w, dJ: dJ * w * (pi - onehot)), "the sign is turned"),
    ("objective", obj(lambda pi, onehot, w, dJ: dJ * (onehot - pi)), "the weights w are missing"),
    ("objective", obj(lambda pi, onehot, w, dJ: w * (onehot - pi)), "dJ is ignored"),
    ("objective", obj(lambda pi, onehot, w, dJ: dJ * w * (onehot - pi) / len(pi)), "J is a sum, not a mean"),
    ("objective", obj(lambda pi, onehot, w, dJ: dJ * w * (onehot - pi) / w.sum()), "the sum of the weights"),
    ("objective", obj(lambda pi, onehot, w, dJ: -dJ * w * pi), "the onehot is missing"),
    ("objective", obj(lambda pi, onehot, w, dJ: dJ * w * (onehot - np.log(pi))), "take exp"),
    ("objective", obj(lambda pi, onehot, w, dJ: dJ * w * (onehot - onehot * pi)), "the target"),
    ("objective", obj(lambda pi, onehot, w, dJ: dJ * w * (1 - pi)), "1 is added in the whole row"),
    ("layer_norm", layer(lambda r, n, w, dy: r * (w * dy - n * mean(w * dy * n))), "the mean is treated as a constant"),
    ("layer_norm", layer(lambda r, n, w, dy: r * (w * dy - mean(w * dy))), "r is treated as a constant"),
    ("layer_norm", layer(lambda r, n, w, dy: r * w * dy), "both treated as constants"),
    ("layer_norm", layer(lambda r, n, w, dy: r * w * (dy - mean(dy) - n * mean(dy * n))), "pulled out of the sums"),
    ("layer_norm", layer(lambda r, n, w, dy: r * (dy - mean(dy) - n * mean(dy * n))), "the gain is forgotten"),
    ("layer_norm", layer(layer_right, bias=lambda p, n, dy: dy.mean(0)), "a mean over the rows"),
    ("layer_norm", layer(layer_right, bias=lambda p, n, dy: (p.weight * dy).sum(0)), "b is added after w"),
    ("layer_norm", layer(layer_right, gain=lambda p, n, dy: dy.sum(0)), "n is missing"),
]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("exercise, answer, words", NAMED)
def test_a_mistake_is_called_by_its_name(exercise, answer, words, seed):
    verdict = getattr(check, exercise)(answer, seed)
    assert verdict.right is False and words in verdict.text, verdict


def linear_square_only(p, g, x, dy):
    """Right by luck for square matrices only."""
    g.weight += dy.T @ x
    return (dy @ p.weight)[:, : len(p.weight)]


def linear_returns_the_gradient(p, g, x, dy):
    return dy.T @ x


def embedding_returns_it(p, g, ids, dx):
    return np.eye(len(p.weight))[ids].T @ dx


def rms_in_place(p, g, cache, dy):
    r, n = cache
    g.weight += (dy * n).sum(0)
    n *= -inner(p.weight * dy, n) / 6
    return r * (p.weight * dy + n)


UNNAMED = [
    ("linear", linear_square_only, "dx has the shape (5, 3)"),
    ("linear", linear_returns_the_gradient, "dx has the shape (4, 4)"),
    ("linear", lambda p, g, x, dy: "dx", "where dx, an array"),
    ("linear", lambda p, g, x, dy: dy @ p.wieght, "AttributeError"),
    ("linear", lambda p, x, dy: dy, "TypeError"),
    ("embedding", embedding_set, "g.weight is off by"),
    ("embedding", embedding_returns_it, "nothing is added"),
    ("embedding", lambda p, g, ids, dx: np.add.at(g.weight, ids, -dx), "the sign of g.weight is turned"),
    ("rmsnorm", rms_in_place, "it changes the cache"),
    ("rmsnorm", rms(lambda r, n, w, dy: r * (w * dy - inner(w * dy, n) / 6)), "dx is off by"),
    ("rmsnorm", rms(lambda r, n, w, dy: r * np.nan), "dx has the shape"),
    ("rmsnorm", rms(lambda r, n, w, dy: np.nan * dy), "not finite"),
    ("rmsnorm", rms(lambda r, n, w, dy: np.inf * dy), "not finite"),
    ("swiglu", swi(da=lambda a, b, s, dh: dh * b * np.tanh(a)), "by the complex step"),
    ("swiglu", swi(dx=lambda gate, up: (gate + up) / 2), "0.5 times"),
    ("objective", obj(lambda pi, onehot, w, dJ: dJ * w * (onehot - pi) * (1 - pi)), "where"),
    ("objective", obj(lambda pi, onehot, w, dJ: 0 * pi), "dx is zero everywhere"),
    ("objective", lambda cache, dJ: dJ, "dx has the shape ()"),
    ("layer_norm", layer(layer_right, gain=lambda p, n, dy: 2 * (dy * n).sum(0)), "2 times the derivative"),
    ("layer_norm", layer(lambda r, n, w, dy: n), "dx is off by"),
]


@pytest.mark.parametrize("exercise, answer, words", UNNAMED)
def test_a_mistake_without_a_name_is_described_and_never_passes(exercise, answer, words):
    verdict = getattr(check, exercise)(answer)
    assert verdict.right is False and words in verdict.text, verdict


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_of_layer_norm_is_right(seed):
    assert max(gradcheck.layer_errors(layernorm, np.random.default_rng(seed), exact=True).values()) < 1e-12


def test_the_best_step_is_the_one_with_the_smallest_error():
    errors = {1e-1: 1e-4, 1e-5: 1e-11, 1e-12: 1e-4}
    assert check.best_step(1e-5, errors, 3e-5).right is True
    assert "it is 1e-05" in check.best_step(1e-12, errors, 3e-5).text
    assert check.best_step(None, errors, 3e-5).right is None


def test_the_picture_of_error_against_step_shows_every_number_even_zero():
    h = 10.0 ** -np.arange(1, 6)
    figure = check.error_against_step({"a": (h, h**2), "b": (h, 0 * h)}, {"curve": (h, h**2)}, (1e-3, 1e-6), "V")
    figure.draw_without_rendering()
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    assert np.array_equal(lines["a"], h**2) and np.array_equal(lines["b"], np.full(5, 1e-17))
