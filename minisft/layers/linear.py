"""Linear map without bias, in the checkpoint's orientation: W is (out, in).

y  = x Wᵀ
dW = dyᵀ x                                   every row adds its outer product
dx = dy W
"""

from minisft.params import Params


def forward(p, x):
    return x @ p.weight.T, x  # (N, in) -> (N, out)


def backward(p, g, cache, dy):
    x = cache
    if g.weight is not None:  # not frozen
        g.weight += dy.T @ x  # (out, N) @ (N, in)
    return dy @ p.weight  # (N, out) -> (N, in)


def example(rng):
    return Params.random(rng, {"weight": (3, 4)}), (rng.standard_normal((5, 4)),)
