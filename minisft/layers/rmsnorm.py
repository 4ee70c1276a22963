"""RMSNorm: each row to root mean square 1, then each channel times its gain w (arXiv 1910.07467, eq. 4, and Llama's ε).

r  = (⟨x, x⟩ / C + ε)^(−½)                   one number per row
n  = r x
y  = w ⊙ n                                   now from the bottom up; `d` + name is ∂J/∂name
dw = Σ_rows dy ⊙ n
dn = w ⊙ dy                                  w varies inside the sum below, so it cannot be taken out
dr = ⟨dn, x⟩   and   ∂r/∂x = −r³ x / C
dx = r dn + dr ∂r/∂x  =  r (dn − n ⟨dn, n⟩ / C),   ⟨dn, n⟩ = ⟨w, dy ⊙ n⟩

w and x may be complex, for the complex step of gradcheck.py, so ⟨x, x⟩ is the sum of squares without conjugation.
"""

import numpy as np

from minisft.params import Params


def inner(a, b):
    """⟨a, b⟩ of every row: (N, C) -> (N, 1). vecdot conjugates a, conj() takes that back."""
    return np.vecdot(a.conj(), b, keepdims=True)


def row_sum(a):
    """Σ_rows a: (N, C) -> (C,), as a product, which is the faster way."""
    return np.ones(len(a), a.dtype) @ a


def forward(p, x, eps):
    r = 1 / np.sqrt(inner(x, x) / x.shape[-1] + eps)  # (N, C) -> (N, 1)
    n = r * x
    return p.weight * n, (r, n)


def backward(p, g, cache, dy):
    r, n = cache
    if g.weight is not None:  # not frozen
        g.weight += row_sum(dy * n)  # (N, C) -> (C,)
    dn = p.weight * dy
    return r * (dn - n * (inner(dn, n) / n.shape[-1]))


def example(rng):
    return Params.random(rng, {"weight": (6,)}), (rng.standard_normal((5, 6)), 1e-5)
