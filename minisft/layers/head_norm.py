"""RMSNorm of queries or keys, before they are turned: a row in pieces as long as the gain, each by itself.

y  = norm(x)                     pieces of D channels: head by head (Qwen3, Gemma 3); of H D: all heads at once (OLMo-2)
dx = norm's backward of dy

However large W_q and W_k grow, scores are then at most √D times the product of two gains. x may be complex, for the
complex step of gradcheck.py. The idea is that of arXiv 2010.04245; Qwen3 is arXiv 2505.09388.
"""

from minisft.layers import rmsnorm
from minisft.params import Params


def forward(p, x, eps):
    y, c = rmsnorm.forward(p, x.reshape(-1, len(p.weight)), eps)  # (N, H D) -> (N H, D)
    return y.reshape(x.shape), c


def backward(p, g, cache, dy):
    dx = rmsnorm.backward(p, g, cache, dy.reshape(-1, len(p.weight)))  # (N, H D) -> (N H, D)
    return dx.reshape(dy.shape)


def example(rng):
    return Params.random(rng, {"weight": (4,)}), (rng.standard_normal((5, 12)), 1e-5)
