"""RMSNorm: each row to root mean square 1, then each channel times its gain w (arXiv 1910.07467, eq. 4, and Llama's ε).

r  = (⟨x, x⟩ / C + ε)^(−½)                   one number a row
n  = r x
y  = w ⊙ n                                   now from the bottom up; `d` + name is ∂J/∂name
dw = Σ_rows dy ⊙ n
dn = w ⊙ dy                                  w varies inside the sum below, so it cannot be taken out
dr = ⟨dn, x⟩   and   ∂r/∂x = −r³ x / C
dx = r dn + dr ∂r/∂x  =  r (dn − n ⟨dn, n⟩ / C),   ⟨dn, n⟩ = ⟨w, dy ⊙ n⟩
"""

import numpy as np

from minisft.params import Params


def forward(p, x, eps):
    xx = np.vecdot(x.conj(), x, keepdims=True)  # (N, 1); vecdot conjugates, conj() takes that back
    r = (xx / x.shape[-1] + eps) ** -0.5
    n = r * x
    return p.weight * n, (r, n)


def backward(p, g, cache, dy):
    r, n = cache
    dy_n = dy * n
    if g.weight is not None:  # not frozen
        g.weight += np.ones(len(n), n.dtype) @ dy_n  # the sum over the rows: (N, C) -> (C,)
    dx = p.weight * dy  # dn
    dx -= n * (dy_n @ p.weight / n.shape[-1])[:, None]
    dx *= r
    return dx


def example(rng):
    return Params.random(rng, {"weight": (6,)}), (rng.standard_normal((5, 6)), 1e-5)
