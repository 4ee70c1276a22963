"""The student's backward of each layer, judged by the complex step."""

from collections import namedtuple
from types import SimpleNamespace

import numpy as np

from minisft import objective as objective_layer
from minisft.course.backprop_by_hand import layernorm, mistakes
from minisft.course.grading.exercise import exercise
from minisft.course.grading.gradients import case, judge_backward
from minisft.layers import embedding as embedding_layer
from minisft.layers import linear as linear_layer
from minisft.layers import rmsnorm as rmsnorm_layer
from minisft.layers import swiglu as swiglu_layer
from minisft.params import Params


@exercise
def linear(answer, seed=None):
    """Square first, so that a missing transpose fits and can be named; then with all sizes different."""
    rng = np.random.default_rng(seed)
    sizes = ((5, 4, 4), (5, 4, 3))
    cases = [
        case(linear_layer, rng, Params.random(rng, {"weight": (out, into)}), rng.standard_normal((n, into)))
        for n, into, out in sizes
    ]
    praise = "dW and dx are the derivatives, and dW was added to what g held"
    return judge_backward(answer, cases, mistakes.LINEAR, praise, rng)


@exercise
def embedding(answer, seed=None):
    rng = np.random.default_rng(seed)
    ids = [rng.permutation(np.r_[rng.permutation(7)[:3], [chosen] * 3]) for chosen in rng.integers(0, 7, 2)]
    cases = [case(embedding_layer, rng, Params.random(rng, {"weight": (7, 4)}), i) for i in ids]
    return judge_backward(answer, cases, mistakes.EMBEDDING, "dW is the derivative, and repeated ids add up", rng)


@exercise
def rmsnorm(answer, seed=None):
    """A large ε, so that forgetting it cannot hide behind rounding."""
    rng = np.random.default_rng(seed)
    cases = [
        case(rmsnorm_layer, rng, Params.random(rng, {"weight": (6,)}), rng.standard_normal((5, 6)), eps)
        for eps in (0.3, 1e-5)
    ]
    return judge_backward(
        answer,
        cases,
        mistakes.RMSNORM,
        "dw and dx are the derivatives, for ε = 0.3 and ε = 1e-5",
        rng,
        lambda c: {"dn": c.p.weight * c.dy},
    )


Gate = namedtuple("Gate", "x a b s")


def gated(p, x):
    """SwiGLU by the library, with a cache that keeps the names of the derivation."""
    a, b = x @ p.gate_proj.weight.T, x @ p.up_proj.weight.T
    return swiglu_layer.forward(p, x)[0], Gate(x, a, b, 1 / (1 + np.exp(-a)))


def gated_backward(p, g, cache, dy):
    return swiglu_layer.backward(p, g, swiglu_layer.forward(p, cache.x)[1], dy)


@exercise
def swiglu(answer, seed=None):
    """F = C first, so that a dy that was not taken back through `down` fits and can be named."""
    rng = np.random.default_rng(seed)
    layer, cases = SimpleNamespace(forward=gated, backward=gated_backward), []
    for inner_size in (4, 7):
        shapes = {"gate_proj.weight": (inner_size, 4), "up_proj.weight": (inner_size, 4)}
        shapes["down_proj.weight"] = (4, inner_size)
        cases.append(case(layer, rng, Params.random(rng, shapes), rng.standard_normal((5, 4))))
    return judge_backward(answer, cases, mistakes.SWIGLU, "the three dW and dx are the derivatives", rng, gated_steps)


def gated_steps(c):
    _, a, b, s = c.cache
    dh = c.dy @ c.p.down_proj.weight
    return {"h": a * s * b, "dh": dh, "db": dh * a * s, "da": dh * b * (s + a * s * (1 - s))}


@exercise
def objective(answer, seed=None):
    rng = np.random.default_rng(seed)
    cases = [
        case(objective_layer, rng, None, rng.standard_normal((m, 7)), rng.integers(0, 7, m), rng.uniform(0.1, 2, m))
        for m in (5, 3)
    ]
    return judge_backward(
        answer,
        cases,
        mistakes.OBJECTIVE,
        "dz = w (onehot − π) dJ is the derivative",
        rng,
        lambda c: {"pi": np.exp(c.cache.log_pi), "onehot": np.eye(c.x.shape[-1])[c.cache.targets]},
    )


@exercise
def layer_norm(answer, seed=None):
    rng = np.random.default_rng(seed)
    cases = []
    for eps in (0.3, 1e-5):
        p, (x, _) = layernorm.example(rng)
        cases.append(case(layernorm, rng, p, x, eps))
    return judge_backward(answer, cases, mistakes.LAYERNORM, "dw, db and dx are the derivatives", rng, centred_steps)


def centred_steps(c):
    r, n = c.cache
    dn = c.p.weight * c.dy
    return {"dn": dn, "dz": r * (dn - n * (dn * n).mean(-1, keepdims=True))}
