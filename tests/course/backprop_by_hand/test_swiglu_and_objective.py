"""The backward of SwiGLU and of the objective, as students write them: each mistake is called by its name."""

import numpy as np
import pytest

from .conftest import wrong


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


NAMED = [
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
]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("exercise, answer, words", NAMED)
def test_a_mistake_is_called_by_its_name(exercise, answer, words, seed):
    wrong(exercise, answer, words, seed)


UNNAMED = [
    ("swiglu", swi(da=lambda a, b, s, dh: dh * b * np.tanh(a)), "by the complex step"),
    ("swiglu", swi(dx=lambda gate, up: (gate + up) / 2), "0.5 times"),
    ("objective", obj(lambda pi, onehot, w, dJ: dJ * w * (onehot - pi) * (1 - pi)), "where"),
    ("objective", obj(lambda pi, onehot, w, dJ: 0 * pi), "dx is zero everywhere"),
    ("objective", lambda cache, dJ: dJ, "dx has the shape ()"),
]


@pytest.mark.parametrize("exercise, answer, words", UNNAMED)
def test_a_mistake_without_a_name_is_described_and_never_passes(exercise, answer, words):
    wrong(exercise, answer, words)
