"""Causal self-attention with grouped heads and rotary positions (arXiv 1706.03762, eq. 1; 2305.13245 for the groups).

Query head j reads key/value head j // R, R = H / G. For each sequence and head, with T positions of size D:

    q  = R_t W_q x      k = R_t W_k x      v = W_v x               R_t: the rotation of position t
    S  = q kᵀ / √D                          and −∞ where the key is later than the query
    P  = softmax(S)                         along the keys
    o  = P v
    y  = W_o o                              now from the bottom up
    dv = Pᵀ do                              summed over the R query heads that share v, as is dk below
    dP = do vᵀ
    dS = P ⊙ (dP − δ),  δ = Σ_keys P ⊙ dP = ⟨do, o⟩                 one inner product a query instead of a T × T sum
    dq = dS k / √D
    dk = dSᵀ q / √D
    dx = the transposed maps of dq, dk, dv, added

The only layer in which rows meet, and so the only one that looks at `starts`: a sequence sees nothing but itself.
`rows` are the rows that ask (all, or those of the batch that somebody reads later); all rows have keys and values.
"""

from collections import namedtuple

import numpy as np

from minisft.layers import linear, rotary
from minisft.params import Params

Cache = namedtuple("Cache", "rows q_proj k_proj v_proj o_proj q_rotary k_rotary q k v o parts")
Part = namedtuple("Part", "asking keys P")  # one sequence: slice of q, slice of k, probabilities


def forward(p, x, starts, cos, sin, rows, past=None):
    """(N, C) -> (M, C), M = number of rows. `past`: None, or what was read of each sequence before (generate.py)."""
    D = cos.shape[-1]
    H, G = len(p.q_proj.weight) // D, len(p.k_proj.weight) // D
    q, c_q = linear.forward(p.q_proj, x[rows])  # (M, C) -> (M, H D)
    k, c_k = linear.forward(p.k_proj, x)  # (N, C) -> (N, G D)
    v, c_v = linear.forward(p.v_proj, x)
    q, c_rq = rotary.forward(q.reshape(len(q), H, D), cos[rows], sin[rows])  # (M, H, D)
    k, c_rk = rotary.forward(k.reshape(len(k), G, D), cos, sin)  # (N, G, D)
    v = v.reshape(len(v), G, D)
    o = np.empty_like(q)
    asked = np.arange(len(x))[rows]
    bounds = np.searchsorted(asked, starts)  # the queries of sequence s: bounds[s]:bounds[s + 1]
    parts = []
    for s in range(len(starts) - 1):
        asking, keys = slice(bounds[s], bounds[s + 1]), slice(starts[s], starts[s + 1])
        position = asked[asking] - starts[s]
        k_s, v_s = k[keys], v[keys]
        if past is not None:
            position = position + past[s].length
            k_s, v_s = past[s].extend(k_s, v_s)
        P = probabilities(heads(q[asking], G), heads(k_s, G), position)
        heads(o[asking], G)[...] = P @ heads(v_s, G)  # (G, R, t, T) @ (G, 1, T, D)
        parts.append(Part(asking, keys, P))
    y, c_o = linear.forward(p.o_proj, o.reshape(len(o), H * D))  # (M, H D) -> (M, C)
    return y, Cache(rows, c_q, c_k, c_v, c_o, c_rq, c_rk, q, k, v, o, parts)


def heads(a, groups):
    """A view of (T, heads, D) as (G, heads / G, T, D): the heads that share a key/value head lie side by side."""
    T, H, D = a.shape
    return a.reshape(T, groups, H // groups, D).transpose(1, 2, 0, 3)


def probabilities(q, k, position):
    """P of queries (G, R, t, D) at these positions, on keys (G, 1, T, D) at positions 0 … T − 1: (G, R, t, T)."""
    S = q @ k.swapaxes(-1, -2)
    S /= np.sqrt(q.shape[-1]).astype(S.real.dtype)
    later = np.arange(S.shape[-1]) > position[:, None]  # (t, T)
    S += np.where(later, -np.inf, 0).astype(S.real.dtype)
    S -= S.real.max(-1, keepdims=True)  # leaves P as it is, and exp cannot overflow
    np.exp(S, out=S)
    S /= S.sum(-1, keepdims=True)
    return S


def backward(p, g, cache, dy):
    q, k, v, o = cache.q, cache.k, cache.v, cache.o
    (H, D), G = q.shape[1:], k.shape[1]
    do = linear.backward(p.o_proj, g.o_proj, cache.o_proj, dy).reshape(o.shape)  # (M, C) -> (M, H, D)
    delta = np.vecdot(do, o)[..., None]  # (M, H, 1)
    dq, dk, dv = np.empty_like(q), np.empty_like(k), np.empty_like(v)
    for asking, keys, P in cache.parts:
        q_s, k_s, v_s, do_s = heads(q[asking], G), heads(k[keys], G), heads(v[keys], G), heads(do[asking], G)
        heads(dv[keys], G)[...] = (P.swapaxes(-1, -2) @ do_s).sum(1, keepdims=True)  # over the R heads of a group
        dS = do_s @ v_s.swapaxes(-1, -2)  # dP: (G, R, t, T)
        dS -= heads(delta[asking], G)
        dS *= P
        dS /= np.sqrt(D).astype(dS.dtype)  # the scale of S, once for dq and dk
        heads(dq[asking], G)[...] = dS @ k_s
        heads(dk[keys], G)[...] = (dS.swapaxes(-1, -2) @ q_s).sum(1, keepdims=True)
    dq = rotary.backward(cache.q_rotary, dq).reshape(len(q), H * D)
    dk = rotary.backward(cache.k_rotary, dk).reshape(len(k), G * D)
    dx = linear.backward(p.k_proj, g.k_proj, cache.k_proj, dk)
    dx += linear.backward(p.v_proj, g.v_proj, cache.v_proj, dv.reshape(len(v), G * D))
    dx[cache.rows] += linear.backward(p.q_proj, g.q_proj, cache.q_proj, dq)
    return dx


def example(rng):
    """Three sequences, one of length 1; 4 heads on 2; head size apart from C / H; some rows ask, not all."""
    shapes = {"q_proj.weight": (24, 5), "k_proj.weight": (12, 5), "v_proj.weight": (12, 5), "o_proj.weight": (5, 24)}
    starts = np.array([0, 4, 5, 8])
    cos, sin = rotary.tables(np.array([0, 1, 2, 3, 0, 0, 1, 2]), 6, 100.0, np.float64)
    rows = np.sort(rng.choice(8, size=6, replace=False))
    return Params.random(rng, shapes), (rng.standard_normal((8, 5)), starts, cos, sin, rows)
