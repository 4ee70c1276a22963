"""SwiGLU, the feed-forward branch F of a block (arXiv 2002.05202, eq. 6; σ is the logistic function, SiLU(a) = a σ(a)).

a  = gate(x)          b = up(x)                                 two linear maps, C -> F
s  = σ(a) = ½ (1 + tanh(a/2))                                   tanh cannot overflow, exp(−a) can
u  = SiLU(a) = a ⊙ s
h  = u ⊙ b
y  = down(h)                                                    F -> C; now from the bottom up
db = dh ⊙ u
da = dh ⊙ b ⊙ (s + u (1 − s))                                   σ′ = σ (1 − σ), so u′ = s + a s (1 − s)
dx = gateᵀ(da) + upᵀ(db)                                        x is used twice, so its contributions add

The matrices and x may be complex, for the complex step of gradcheck.py: tanh is analytic near the real axis.
"""

from collections import namedtuple

import numpy as np

from minisft.layers import linear
from minisft.params import Params

Cache = namedtuple("Cache", "gate up down s u b")


def silu(a):
    """SiLU(a) = a σ(a), in the place of a, and σ(a) = ½ (1 + tanh(a/2)): tanh cannot overflow, exp(−a) can."""
    s = np.tanh(0.5 * a)
    s += 1
    s *= 0.5
    a *= s
    return a, s


def forward(p, x):
    a, c_gate = linear.forward(p.gate_proj, x)  # (N, C) -> (N, F)
    b, c_up = linear.forward(p.up_proj, x)
    u, s = silu(a)
    h = u * b
    y, c_down = linear.forward(p.down_proj, h)  # (N, F) -> (N, C)
    return y, Cache(c_gate, c_up, c_down, s, u, b)


def backward(p, g, cache, dy):
    s, u, b = cache.s, cache.u, cache.b
    dh = linear.backward(p.down_proj, g.down_proj, cache.down, dy)  # (N, C) -> (N, F)
    db = dh * u
    da = (s + u * (1 - s)) * b * dh
    dx = linear.backward(p.gate_proj, g.gate_proj, cache.gate, da)  # (N, F) -> (N, C)
    dx += linear.backward(p.up_proj, g.up_proj, cache.up, db)
    return dx


def example(rng):
    shapes = {"gate_proj.weight": (7, 4), "up_proj.weight": (7, 4), "down_proj.weight": (4, 7)}
    return Params.random(rng, shapes), (rng.standard_normal((5, 4)),)
