"""Cases that a run of the model need not meet, one at a time: what a backward that is wrong only there is shown."""

from collections import namedtuple
from types import SimpleNamespace

import numpy as np

from minisft import objective
from minisft.layers import embedding, linear, rmsnorm, rotary, swiglu

Gate = namedtuple("Gate", "x a b s")  # the cache of SwiGLU by the names of the derivation


def corners(name):
    """(what is special, the arguments of the backward) for a layer, or for one head of attention."""
    of_layers = {
        "linear": linear_corners,
        "embedding": embedding_corners,
        "rmsnorm": rmsnorm_corners,
        "swiglu": swiglu_corners,
        "objective": objective_corners,
        "rotary": rotary_corners,
        "attention": head_corners,
    }
    return of_layers[name](np.random.default_rng(0)) if name in of_layers else ()


def backwards(rng, layer, what, parameters, x, *rest, zero=None):
    """The arguments of one backward; zero: an index of dy that is 0, as where a token has no weight."""
    p, g = (SimpleNamespace(**tree) for tree in (parameters, filled(rng, parameters)))
    y, cache = layer.forward(p, x, *rest)
    dy = rng.standard_normal(y.shape)
    if zero is not None:
        dy[zero] = 0
    return what, (p, g, cache, dy)


def filled(rng, tree):
    return {
        key: rng.standard_normal(value.shape)
        if isinstance(value, np.ndarray)
        else SimpleNamespace(**filled(rng, vars(value)))
        for key, value in tree.items()
    }


def linear_corners(rng):
    W = rng.standard_normal((3, 4))
    yield backwards(rng, linear, "with one row", {"weight": W}, rng.standard_normal((1, 4)))
    yield backwards(rng, linear, "with a row of zeros in dy", {"weight": W}, rng.standard_normal((5, 4)), zero=2)
    W = W * (rng.random(W.shape) < 0.5)
    yield backwards(rng, linear, "with zeros in W and in x", {"weight": W}, np.eye(5, 4))


def embedding_corners(rng):
    W = rng.standard_normal((7, 4))
    yield backwards(rng, embedding, "with one token", {"weight": W}, np.array([6]))
    yield backwards(rng, embedding, "with the same token everywhere", {"weight": W}, np.array([2] * 5))
    yield backwards(rng, embedding, "with a row of zeros in dx", {"weight": W}, np.array([0, 3, 3, 0]), zero=1)


def rmsnorm_corners(rng):
    w = rng.standard_normal(6)
    yield backwards(rng, rmsnorm, "with one row", {"weight": w}, rng.standard_normal((1, 6)), 1e-5)
    yield backwards(rng, rmsnorm, "with ε = 0.3", {"weight": w}, rng.standard_normal((5, 6)), 0.3)
    yield backwards(rng, rmsnorm, "with a gain of 0", {"weight": w * (w > 0)}, rng.standard_normal((5, 6)), 1e-5)
    yield backwards(rng, rmsnorm, "with a row of zeros in x", {"weight": w}, np.eye(5, 6) * np.arange(5)[:, None], 1e-5)


def swiglu_corners(rng):
    def tree(size=1.0):
        shapes = {"gate_proj": (7, 4), "up_proj": (7, 4), "down_proj": (4, 7)}
        return {name: SimpleNamespace(weight=size * rng.standard_normal(shape)) for name, shape in shapes.items()}

    yield backwards(rng, swiglu, "with one row", tree(), rng.standard_normal((1, 4)))
    yield backwards(rng, swiglu, "with an open and a closed gate", tree(20.0), rng.standard_normal((5, 4)))
    yield backwards(rng, swiglu, "with a row of zeros in x", tree(), np.eye(5, 4))
    yield backwards(rng, swiglu, "with a row of zeros in dy", tree(), rng.standard_normal((5, 4)), zero=0)


def objective_corners(rng):
    for what, weights, dJ in (
        ("with a weight of 0", np.array([0.5, 0.0, 1.0, 2.0]), -1.0),
        ("with dJ = 0.7", np.ones(4), 0.7),
        ("with one row", np.ones(1), -1.0),
        ("with a negative weight", np.array([1.0, -0.3]), -1.0),
    ):
        n = len(weights)
        _, cache = objective.forward(rng.standard_normal((n, 7)), rng.integers(0, 7, n), weights)
        yield what, (cache, dJ)


def rotary_corners(rng):
    for what, positions, H in (("with one token", [0], 2), ("with one head", [0, 1, 2], 1), ("far on", [0, 9999], 3)):
        cos, sin = rotary.tables(np.array(positions), 8, 100.0, np.float64)
        yield what, ((cos, sin), rng.standard_normal((len(positions), H, 8)))


def head_corners(rng):
    """Backwards of one causal head."""
    for what, T, D in (("with T = 1", 1, 4), ("with T = 2", 2, 4), ("with D = 2", 5, 2), ("with T = D", 4, 4)):
        yield what, head_arguments(*rng.standard_normal((4, T, D)))
    q, k, v, do = rng.standard_normal((4, 5, 4))
    yield "with a do of 0 in a row", head_arguments(q, k, v, do * (np.arange(5) != 2)[:, None])
    yield "with equal scores", head_arguments(0 * q, k, v, do)


def head_arguments(q, k, v, do):
    scores = np.where(np.tri(len(q), dtype=bool), q @ k.T / np.sqrt(q.shape[-1]), -np.inf)
    P = np.exp(scores - scores.max(-1, keepdims=True))
    return q, k, v, P / P.sum(-1, keepdims=True), do
