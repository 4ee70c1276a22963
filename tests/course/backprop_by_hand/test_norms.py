"""The backward of RMSNorm and of LayerNorm, as students write them: each mistake is called by its name."""

import numpy as np
import pytest

from .conftest import wrong


def inner(a, b):
    return np.vecdot(a, b, keepdims=True)


def rms(formula, gain=lambda r, n, dy: (dy * n).sum(0)):
    def backward(p, g, cache, dy):
        r, n = cache
        g.weight += gain(r, n, dy)
        return formula(r, n, p.weight, dy)

    return backward


def rms_right(r, n, w, dy):
    return r * (w * dy - n * inner(w * dy, n) / 6)


def rms_in_place(p, g, cache, dy):
    r, n = cache
    g.weight += (dy * n).sum(0)
    n *= -inner(p.weight * dy, n) / 6
    return r * (p.weight * dy + n)


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
    wrong(exercise, answer, words, seed)


UNNAMED = [
    ("rmsnorm", rms_in_place, "it changes the cache"),
    ("rmsnorm", rms(lambda r, n, w, dy: r * (w * dy - inner(w * dy, n) / 6)), "dx is off by"),
    ("rmsnorm", rms(lambda r, n, w, dy: r * np.nan), "dx has the shape"),
    ("rmsnorm", rms(lambda r, n, w, dy: np.nan * dy), "not finite"),
    ("rmsnorm", rms(lambda r, n, w, dy: np.inf * dy), "not finite"),
    ("layer_norm", layer(layer_right, gain=lambda p, n, dy: 2 * (dy * n).sum(0)), "2 times the derivative"),
    ("layer_norm", layer(lambda r, n, w, dy: n), "dx is off by"),
]


@pytest.mark.parametrize("exercise, answer, words", UNNAMED)
def test_a_mistake_without_a_name_is_described_and_never_passes(exercise, answer, words):
    wrong(exercise, answer, words)
