"""GeGLU, SwiGLU with GELU for SiLU (arXiv 2002.05202, eq. 6): GELU(a) = a Φ(a), Φ nearly a logistic function σ.

a  = gate(x)          b = up(x)                                 two linear maps, C -> F
z  = 2 √(2/π) (a + κ a³)        κ = 0.044715                    so σ(z) is Φ(a) to 5e-4 (arXiv 1606.08415, section 2)
s  = σ(z) = ½ (1 + tanh(z/2))
u  = GELU(a) = a ⊙ s                                            SiLU has z = a
h  = u ⊙ b
y  = down(h)                                                    F -> C; now from the bottom up
db = dh ⊙ u
z′ = 2 √(2/π) (1 + 3 κ a²)
da = dh ⊙ b ⊙ (s + u (1 − s) z′)                                σ′ = σ (1 − σ), so u′ = s + a s (1 − s) z′
dx = gateᵀ(da) + upᵀ(db)                                        x is used twice, so its contributions add

The matrices and x may be complex, for the complex step of gradcheck.py: tanh is analytic near the real axis.
"""

from collections import namedtuple

import numpy as np

from minisft.layers import linear
from minisft.params import Params

Cache = namedtuple("Cache", "gate up down a s u b")

KAPPA, ROOT = 0.044715, (2 / np.pi) ** 0.5


def forward(p, x):
    a, c_gate = linear.forward(p.gate_proj, x)  # (N, C) -> (N, F)
    b, c_up = linear.forward(p.up_proj, x)
    z = 2 * ROOT * (a + KAPPA * a * a * a)
    s = 0.5 * (1 + np.tanh(0.5 * z))
    u = a * s
    y, c_down = linear.forward(p.down_proj, u * b)  # (N, F) -> (N, C)
    return y, Cache(c_gate, c_up, c_down, a, s, u, b)


def backward(p, g, cache, dy):
    a, s, u, b = cache.a, cache.s, cache.u, cache.b
    dh = linear.backward(p.down_proj, g.down_proj, cache.down, dy)  # (N, C) -> (N, F)
    db = dh * u
    dz = 2 * ROOT * (1 + 3 * KAPPA * a * a)  # z′
    da = (s + u * (1 - s) * dz) * b * dh
    dx = linear.backward(p.gate_proj, g.gate_proj, cache.gate, da)  # (N, F) -> (N, C)
    dx += linear.backward(p.up_proj, g.up_proj, cache.up, db)
    return dx


def example(rng):
    shapes = {"gate_proj.weight": (7, 4), "up_proj.weight": (7, 4), "down_proj.weight": (4, 7)}
    return Params.random(rng, shapes), (rng.standard_normal((5, 4)),)
