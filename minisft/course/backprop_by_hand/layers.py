"""The student's backward of each layer, judged by the complex step."""

from types import SimpleNamespace

import numpy as np

from minisft import objective as objective_layer
from minisft.course.backprop_by_hand import layernorm, mistakes
from minisft.course.grading.exercise import exercise
from minisft.course.grading.gradients import case, judge_backward
from minisft.course.own_corners import Gate
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
    return judge_backward(answer, cases, mistakes.LINEAR, praise, rng, linear_steps)


def linear_steps(c):
    return {"dW": c.dy.T @ c.x, "dx": c.dy @ c.p.weight}


@exercise
def embedding(answer, seed=None):
    rng = np.random.default_rng(seed)
    ids = [rng.permutation(np.r_[rng.permutation(7)[:3], [chosen] * 3]) for chosen in rng.integers(0, 7, 2)]
    cases = [case(embedding_layer, rng, Params.random(rng, {"weight": (7, 4)}), i) for i in ids]
    praise = "dW is the derivative, and repeated ids add up"
    return judge_backward(answer, cases, mistakes.EMBEDDING, praise, rng, embedding_steps)


def embedding_steps(c):
    onehot = np.eye(len(c.p.weight))[c.x]  # (N, V)
    return {"onehot": [onehot, onehot.T], "dW": onehot.T @ c.dy}


@exercise
def rmsnorm(answer, seed=None):
    """A large ε, so that forgetting it cannot hide behind rounding."""
    rng = np.random.default_rng(seed)
    cases = [
        case(rmsnorm_layer, rng, Params.random(rng, {"weight": (6,)}), rng.standard_normal((5, 6)), eps)
        for eps in (0.3, 1e-5)
    ]
    praise = "dw and dx are the derivatives, for ε = 0.3 and ε = 1e-5"
    return judge_backward(answer, cases, mistakes.RMSNORM, praise, rng, norm_steps)


def norm_steps(c):
    r, n = c.cache
    dn = c.p.weight * c.dy
    dr = np.vecdot(dn, n / r, keepdims=True)
    return {"x": n / r, "dw": (c.dy * n).sum(0), "dn": dn, "dr": dr, "dx": r * dn - dr * r * r * n / n.shape[-1]}


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
    (_, a, b, s), gate, up = c.cache, c.p.gate_proj.weight, c.p.up_proj.weight
    dh = c.dy @ c.p.down_proj.weight
    du, db = dh * b, dh * a * s
    da = du * (s + a * s * (1 - s))
    before = {"u": a * s, "h": a * s * b, "dh": dh, "db": db, "du": du, "ds": du * a, "da": da}
    return before | {"dx": da @ gate + db @ up}


@exercise
def objective(answer, seed=None):
    rng = np.random.default_rng(seed)
    cases = [
        case(objective_layer, rng, None, rng.standard_normal((m, 7)), rng.integers(0, 7, m), rng.uniform(0.1, 2, m))
        for m in (5, 3)
    ]
    praise = "dz = w (onehot − π) dJ is the derivative"
    return judge_backward(answer, cases, mistakes.OBJECTIVE, praise, rng, objective_steps)


def objective_steps(c):
    pi, onehot, w = np.exp(c.cache.log_pi), np.eye(c.x.shape[-1])[c.cache.targets], c.cache.weights[:, None]
    dz = c.dy * w * (onehot - pi)
    return {"pi": pi, "onehot": onehot, "w": [w, c.dy * w], "dz": [dz, onehot - pi, w * (onehot - pi)]}


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
    dcentred = r * (dn - n * (dn * n).mean(-1, keepdims=True))
    dx = dcentred - dcentred.mean(-1, keepdims=True)
    return {"dw": (c.dy * n).sum(0), "db": c.dy.sum(0), "dn": dn, "dcentred": dcentred, "dz": dcentred, "dx": dx}
