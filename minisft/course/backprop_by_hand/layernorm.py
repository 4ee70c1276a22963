"""LayerNorm: a layer that the library does not have, for a derivation of one's own (arXiv 1607.06450, eq. 4).

m  = Σ_c x_c / C                             one number a row
z  = x − m
r  = (⟨z, z⟩ / C + ε)^(−½)                   one number a row
n  = r z
y  = w ⊙ n + b
"""

import numpy as np

from minisft.layers import rmsnorm
from minisft.params import Params


def forward(p, x, eps):
    z = x - x.mean(-1, keepdims=True)
    xx = np.vecdot(z.conj(), z, keepdims=True)  # vecdot conjugates, conj() takes that back
    r = 1 / np.sqrt(xx / x.shape[-1] + eps)
    return p.weight * (r * z) + p.bias, (r, r * z)


def backward(p, g, cache, dy):
    """The norm is that of RMSNorm; z = x − m is a projection, which is its own transpose."""
    g.bias += dy.sum(0)
    dz = rmsnorm.backward(p, g, cache, dy)
    return dz - dz.mean(-1, keepdims=True)


def example(rng):
    return Params.random(rng, {"weight": (6,), "bias": (6,)}), (rng.standard_normal((5, 6)), 1e-5)
