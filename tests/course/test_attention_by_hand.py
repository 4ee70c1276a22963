"""Each check of notebook 05 praises the solution and knows its mistakes by name, as students write them."""

import numpy as np
import pytest

from course.solutions import sections, solution
from minisft.course import attention_by_hand as check
from minisft.course.attention_by_hand.head import one_head
from minisft.layers import attention as attention_layer
from minisft.layers import rotary as rotary_layer
from minisft.params import Params

NOTEBOOK = "05_attention_by_hand"
FUNCTIONS = {
    "attention": "attention_forward",
    "delta": "delta",
    "attention_backward": "attention_backward",
    "rotary": "rotary_backward",
    "shared": "shared",
    "blind": "blind",
}


@pytest.mark.parametrize("seed", [0, 1, 2, None])
@pytest.mark.parametrize("exercise", FUNCTIONS)
def test_the_solution_is_right(exercise, seed):
    verdict = getattr(check, exercise)(solution(NOTEBOOK, exercise)[FUNCTIONS[exercise]], seed)
    assert verdict.right is True, verdict


def test_every_exercise_has_one_solution():
    assert list(sections(NOTEBOOK)) == list(FUNCTIONS)


@pytest.mark.parametrize("exercise", FUNCTIONS)
def test_a_stub_is_not_written_yet(exercise):
    def stub(*arguments):
        raise NotImplementedError

    assert getattr(check, exercise)(stub).right is None


def test_the_head_of_the_check_is_the_layer_of_the_library():
    """With W = 1 and positions that turn nothing, the layer is one head."""
    shape = dict.fromkeys(("q_proj.weight", "k_proj.weight", "v_proj.weight", "o_proj.weight"), (4, 4))
    p, x = Params(shape, np.float64), np.random.default_rng(0).standard_normal((5, 4))
    for view in p.named.values():
        view[...] = np.eye(4)
    cos, sin = rotary_layer.tables(np.zeros(5, int), 4, 100.0, np.float64)
    count = np.array([5])
    y, _ = attention_layer.forward(p, x, attention_layer.parts(np.arange(5), count, count, 1), cos, sin, slice(None))
    np.testing.assert_allclose(one_head(x, x, x), y, rtol=1e-12)


def soft(S, axis=-1):
    e = np.exp(S - S.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def head(scale=np.sqrt, mask=None, before=True, axis=-1, hidden=-np.inf):
    """A student's head; mask(T) is True where a key may be seen."""

    def forward(q, k, v):
        T, D = q.shape
        seen = np.tril(np.ones((T, T), bool)) if mask is None else mask(T)
        S = q @ k.T / scale(D)
        return (soft(np.where(seen, S, hidden), axis) if before else soft(S) * seen) @ v

    return forward


def naive(q, k, v):
    e = np.exp(q @ k.T / q.shape[1] ** 0.5) * np.tri(len(q))
    return e / e.sum(-1, keepdims=True) @ v


def backward(dS=None, scale=np.sqrt, dq=None, dk=None, dv=None):
    """A student's backward with one line changed."""

    def gradients(q, k, v, P, do):
        dP = do @ v.T
        inner = (dS or (lambda P, dP: P * (dP - (P * dP).sum(1)[:, None])))(P, dP) / scale(q.shape[1])
        return (
            (dq or (lambda inner, q, k: inner @ k))(inner, q, k),
            (dk or (lambda inner, q, k: inner.T @ q))(inner, q, k),
            P.T @ do if dv is None else dv(P, do),
        )

    return gradients


def in_pairs(cache, dy):
    cos, sin = cache
    swapped = np.empty_like(dy)
    swapped[..., 0::2], swapped[..., 1::2] = dy[..., 1::2], dy[..., 0::2]
    return dy * cos - swapped * sin


def rolled(sign_cos, sign_sin, shift=None, **axis):
    def turn(cache, dy):
        return sign_cos * dy * cache[0] + sign_sin * np.roll(dy, shift or dy.shape[-1] // 2, **axis) * cache[1]

    return turn


def by_loop(step):
    """Sums over heads g, g + step, … in a loop."""

    def sums(dk, G):
        R = dk.shape[1] // G
        heads = (lambda g: range(g, dk.shape[1], G)) if step else (lambda g: range(g * R, (g + 1) * R))
        return np.stack([sum(dk[:, h] for h in heads(g)) for g in range(G)], axis=1)

    return sums


DP, S = np.tile(np.arange(1.0, 5.0)[:, None], (1, 6)), np.tile(np.array([[0.0], [2], [-1], [5]]), (1, 6))
W = np.full(6, -2.0)
RANDOM = np.random.default_rng(5).standard_normal((4, 6))

NAMED = [
    ("attention", head(scale=lambda D: 1), "1/√D is missing"),
    ("attention", head(scale=lambda D: D), "divided by D, not by √D"),
    ("attention", head(before=False), "the mask comes after the softmax"),
    ("attention", head(mask=lambda T: np.tri(T, k=1, dtype=bool)), "a query sees the next position"),
    ("attention", head(mask=lambda T: np.tri(T, k=-1, dtype=bool)), "the first query has no key left"),
    ("attention", head(mask=lambda T: np.tri(T, k=-1, dtype=bool), hidden=-1e9), "does not see its own position"),
    ("attention", head(mask=lambda T: np.ones((T, T), bool)), "the mask is missing"),
    ("attention", head(mask=lambda T: np.triu(np.ones((T, T), bool))), "the wrong way round"),
    ("attention", head(hidden=0), "hidden logits are set to 0"),
    ("attention", head(axis=0), "the softmax runs over the queries"),
    ("attention", naive, "exp overflows"),
    ("delta", lambda do, o: (do * o).sum(axis=(1, 2)), "every head has a softmax of its own"),
    ("delta", lambda do, o: (do * o).mean(-1), "an inner product is a sum"),
    ("delta", lambda do, o: do * o, "it is not summed"),
    ("delta", lambda do, o: (do * o).sum(-1) / o.shape[-1] ** 0.5, "1/√D"),
    ("delta", lambda do, o: (do * o).sum(-1)[..., None], "but of shape (T, H, 1)"),
    ("delta", lambda do, o: np.vecdot(do, do), "o is missing"),
    ("attention_backward", backward(lambda P, dP: dP - (P * dP).sum(1)[:, None]), "the factor P is missing"),
    ("attention_backward", backward(lambda P, dP: P * dP), "δ is missing"),
    ("attention_backward", backward(lambda P, dP: P * (dP - dP.mean(1)[:, None])), "the mean of dP is subtracted"),
    ("attention_backward", backward(lambda P, dP: P * (dP - dP.sum(1)[:, None])), "the sum of dP is subtracted"),
    ("attention_backward", backward(lambda P, dP: P * (dP - (P * dP).sum(0))), "δ is summed over the queries"),
    ("attention_backward", backward(lambda P, dP: P * (1 - P) * dP), "the diagonal of the Jacobian"),
    ("attention_backward", backward(scale=lambda D: 1), "1/√D is missing"),
    ("attention_backward", backward(scale=lambda D: D), "1/√D is there twice"),
    ("attention_backward", backward(dk=lambda dS, q, k: dS @ q), "dk: dS is not transposed"),
    ("attention_backward", backward(dk=lambda dS, q, k: dS.T @ k), "made of k where q should stand"),
    ("attention_backward", backward(dq=lambda dS, q, k: dS.T @ k), "dq: dS is transposed"),
    ("attention_backward", backward(dv=lambda P, do: P @ do), "dv: P is not transposed"),
    ("attention_backward", backward(dv=lambda P, do: do), "handed on without P"),
    ("rotary", rolled(1, 1, axis=-1), "it turns forward again"),
    ("rotary", rolled(1, 0, axis=-1), "the sine is missing"),
    ("rotary", rolled(-1, -1, axis=-1), "the cosine is negated"),
    ("rotary", rolled(-1, 1, axis=-1), "both are negated"),
    ("rotary", in_pairs, "neighbouring channels are paired"),
    ("rotary", rolled(1, -1, 1, axis=-1), "shifted by 1, not by D/2"),
    ("rotary", rolled(1, -1), "np.roll without axis=-1"),
    ("rotary", lambda cache, dy: dy * cache[0] - dy * cache[1], "not exchanged"),
    ("shared", by_loop(True), "the order of np.tile"),
    ("shared", lambda dk, G: dk, "they are not added"),
    ("shared", lambda dk, G: dk[:, :: dk.shape[1] // G], "only the first head"),
    ("shared", lambda dk, G: dk.reshape(len(dk), G, -1, dk.shape[2])[:, :, -1], "as if each overwrote"),
    ("shared", lambda dk, G: dk.reshape(len(dk), G, -1, dk.shape[2]).mean(2), "the mean of the group"),
    ("shared", lambda dk, G: dk[:, :G], "the first G heads"),
    ("shared", lambda dk, G: dk.reshape(len(dk), G, -1, dk.shape[2]).sum(1), "over the groups, not within"),
    ("blind", lambda: (np.ones((4, 6)), S, W), "dP is the same number everywhere"),
    ("blind", lambda: (np.zeros((4, 6)), S, W), "dP is zero everywhere"),
    ("blind", lambda: (DP * 1e-9, S, W), "so small that rounding hides"),
    ("blind", lambda: (DP, S, np.ones(6)), "a gain of 1 was shown above"),
    ("blind", lambda: (np.tile(np.arange(6.0), (4, 1)), S, W), "the columns of your dP are constant"),
    ("blind", lambda: (RANDOM, S, W), "with your dP the wrong gradient is found"),
    ("blind", lambda: (DP, RANDOM, W), "with your S the wrong gradient is found"),
    ("blind", lambda: (DP, S, np.arange(2.0, 8.0)), "only if it does not vary"),
    ("blind", lambda: (DP, S, np.full(5, 2.0)), "w has the shape (5,)"),
    ("blind", lambda: (DP, S * np.nan, W), "not finite"),
]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("exercise, answer, words", NAMED)
def test_a_mistake_is_called_by_its_name(exercise, answer, words, seed):
    verdict = getattr(check, exercise)(answer, seed)
    assert verdict.right is False and words in verdict.text, verdict


UNNAMED = [
    ("attention", head(scale=lambda D: D**0.25), "is right"),
    ("attention", lambda q, k, v: np.cumsum(v, axis=0) / np.arange(1, len(v) + 1)[:, None], "is right"),
    ("attention", lambda q, k, v: v[0], "the shape is"),
    ("attention", lambda q, k, v: "o", "a text is not a number"),
    ("attention", lambda q, k, v: np.full_like(v, np.nan), "nan where"),
    ("attention", lambda q, k, v: [["o"] * 4] * 5, "a text is not a number"),
    ("attention_backward", lambda q, k, v, P, do: (q * np.inf, -k * np.inf, v), "dq is wrong"),
    ("attention", lambda q, k, v: np.tril(q @ k), "ValueError"),
    ("delta", lambda do, o: (do * o).sum(1), "the shape is"),
    ("delta", lambda do, o: 2 * np.vecdot(do, o), "is right"),
    ("attention_backward", lambda q, k, v, P, do: q, "three arrays"),
    ("attention_backward", lambda q, k, v, P, do: (q, k), "three arrays"),
    ("attention_backward", lambda q, k, v, P, do: (q.T, k, v), "dq has the shape"),
    ("attention_backward", backward(dv=lambda P, do: 2 * P.T @ do), "dv is 2 times the derivative"),
    ("attention_backward", backward(dv=lambda P, do: P.T @ do**2), "dv is wrong"),
    ("attention_backward", backward(dq=lambda dS, q, k: np.nan * q), "dq is wrong"),
    ("rotary", lambda cache, dy: dy / (cache[0] + 2), "dx is off by"),
    ("rotary", lambda cache, dy: 2 * rolled(1, -1, axis=-1)(cache, dy), "dx is 2 times"),
    ("rotary", lambda cache, dy: dy[0], "dx has the shape"),
    ("shared", lambda dk, G: -by_loop(False)(dk, G), "is right"),
    ("shared", lambda dk, G: dk.sum(1), "the shape is"),
    ("blind", lambda: 1, "three arrays"),
    ("blind", lambda: ("a", S, W), "not an array of numbers"),
    ("blind", lambda: (DP, 1e4 * np.eye(4, 6), W), "with your S the wrong gradient is found"),
]


@pytest.mark.parametrize("exercise, answer, words", UNNAMED)
def test_a_mistake_without_a_name_is_described_and_never_passes(exercise, answer, words):
    verdict = getattr(check, exercise)(answer)
    assert verdict.right is False and words in verdict.text, verdict


def test_other_right_ways_are_right():
    assert check.shared(by_loop(False)).right is True
    assert check.attention(head(hidden=-1e9)).right is True
    transposed = lambda cache, dy: dy * cache[0] + np.roll(dy * cache[1], -(dy.shape[-1] // 2), axis=-1)  # noqa: E731
    assert check.rotary(transposed).right is True
    assert check.blind(lambda: [DP, S, W]).right is True


def test_the_gap_is_0_for_a_right_gradient_and_of_the_size_of_the_mistake_for_a_wrong_one():
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, 4, 5))
    assert check.gap(lambda x: x**2, x, 2 * x * dy, dy, rng) < 1e-14
    assert check.gap(lambda x: x**2, x, 2.1 * x * dy, dy, rng) > 1e-3


@pytest.mark.parametrize("off, outcome", [(1e-16, "only by rounding"), (0.3, "a lot")])
def test_the_quiz_on_positions_is_decided_by_the_difference(off, outcome):
    assert check.restart(outcome, off).right is True
    assert check.restart(None, off).right is None


@pytest.mark.parametrize(
    "changes, outcome",
    [
        ([0, 0, 0, 0, 1, 0, 0, 0, 0], "its own only"),
        ([0, 0, 0, 0, 1, 2, 1, 1, 1], "its own and the later ones"),
        ([1, 1, 1, 1, 1, 1, 1, 1, 1], "all"),
    ],
)
def test_the_quiz_on_rows_is_decided_by_which_rows_changed(changes, outcome):
    assert check.changed_rows(outcome, np.array(changes)).right is True
    assert check.changed_rows("others", np.array(changes)).right is None


@pytest.mark.parametrize(
    "figure",
    [
        lambda: check.rotations(np.outer(np.arange(6), [1.0, 0.1]), "turns"),
        lambda: check.attention_map(np.tri(3) / [[1], [2], [3]], ["a", " $b", "c\n"], "P"),
    ],
)
def test_the_pictures_are_drawn(figure):
    figure().draw_without_rendering()
