"""Linear map, in the checkpoint's orientation: W is (out, in). A bias b is there where the model has one, else it is 0.

y  = x Wᵀ + b
dW = dyᵀ x                                   every row adds its outer product
db = Σ_rows dy                               b is added to every row
dx = dy W

Where the tree has A and B, y and dx are sums of two: W's part, and that of ΔW, which lora.py derives. W, b and x may be
complex, for the complex step of gradcheck.py; y then is.
"""

from minisft.layers import lora
from minisft.params import Params


def forward(p, x):
    y = x @ p.weight.T  # (N, in) -> (N, out)
    if hasattr(p, "bias"):
        y += p.bias
    if hasattr(p, "lora_A"):
        y += lora.forward(p, x)[0]
    return y, x


def backward(p, g, cache, dy):
    x = cache
    if g.weight is not None:  # not frozen
        g.weight += dy.T @ x  # (out, N) @ (N, in)
    if getattr(g, "bias", None) is not None:
        g.bias += dy.sum(0)
    dx = dy @ p.weight  # (N, out) -> (N, in)
    if hasattr(p, "lora_A"):
        dx += lora.backward(p, g, x, dy)
    return dx


def example(rng):
    return Params.random(rng, {"weight": (3, 4), "bias": (3,)}), (rng.standard_normal((5, 4)),)
