"""LayerNorm: a layer that the library does not have, for a derivation of one's own (arXiv 1607.06450, eq. 4).

mean    = Σ_c x_c / C                             one number a row
centred = x − mean
r       = (⟨centred, centred⟩ / C + ε)^(−½)       one number a row
n       = r centred
y       = w ⊙ n + bias
"""

import numpy as np

from minisft.layers import rmsnorm
from minisft.params import Params


def forward(p, x, eps):
    centred = x - x.mean(-1, keepdims=True)
    square = np.vecdot(centred.conj(), centred, keepdims=True)  # vecdot conjugates, conj() takes that back
    r = 1 / np.sqrt(square / x.shape[-1] + eps)
    return p.weight * (r * centred) + p.bias, (r, r * centred)


def backward(p, g, cache, dy):
    """The norm is that of RMSNorm; x − mean is a projection of x, which is its own transpose."""
    g.bias += dy.sum(0)
    dcentred = rmsnorm.backward(p, g, cache, dy)
    return dcentred - dcentred.mean(-1, keepdims=True)


def example(rng):
    return Params.random(rng, {"weight": (6,), "bias": (6,)}), (rng.standard_normal((5, 6)), 1e-5)
