"""Causal self-attention with grouped heads and rotary positions (arXiv 1706.03762, eq. 1; 2305.13245 for the groups).

Query head j reads key/value head j // R, R = H / G. For each sequence and head, with T positions of size D:

    q  = R_t W_q x / √D      k = R_t W_k x      v = W_v x          R_t: the rotation of position t
    S  = q kᵀ                               and −∞ where the key is later than the query
    P  = softmax(S)                         along the keys
    o  = P v
    y  = W_o o                              now from the bottom up
    dv = Pᵀ do                              summed over the R query heads that share v, as is dk below
    dP = do vᵀ
    dS = P ⊙ (dP − δ),  δ = Σ_keys P ⊙ dP = ⟨do, o⟩                 one inner product a query instead of a T × T sum
    dq = dS k
    dk = dSᵀ q
    dx = the transposed maps of dq / √D, dk, dv, added

The only layer in which rows meet, and so the only one that looks at `starts`: a sequence sees nothing but itself.
`rows` are the rows that ask (all, or those of the batch that somebody reads later); all rows have keys and values.
"""

from collections import namedtuple
from functools import lru_cache

import numpy as np

from minisft.layers import linear, rotary
from minisft.params import Params

Cache = namedtuple("Cache", "rows q_proj k_proj v_proj o_proj q_rotary k_rotary q k v o parts")
Part = namedtuple("Part", "asking keys P")  # computed at a time: slice of q, slice of k, probabilities

QUERIES = 64  # of one sequence at a time: the keys later than all of them are left out, up to half of S
SCORES = 65536  # of several sequences at a time: what the cache holds


def forward(p, x, starts, cos, sin, rows, past=None):
    """(N, C) -> (M, C), M = number of rows. past: None, or what was read before (generate.Memory); then no backward."""
    D = cos.shape[-1]
    H, G = len(p.q_proj.weight) // D, len(p.k_proj.weight) // D
    q, c_q = linear.forward(p.q_proj, x[rows])  # (M, C) -> (M, H D)
    k, c_k = linear.forward(p.k_proj, x)  # (N, C) -> (N, G D)
    v, c_v = linear.forward(p.v_proj, x)
    q, c_rq = rotary.forward(q.reshape(len(q), H, D), cos[rows], sin[rows])  # (M, H, D)
    k, c_rk = rotary.forward(k.reshape(len(k), G, D), cos[:, :G], sin[:, :G])  # (N, G, D)
    v = v.reshape(len(v), G, D)
    q *= D**-0.5  # here and not in S, which has more numbers
    o = np.empty_like(q)
    asked = np.arange(len(x))[rows]
    parts = []
    if past is not None:  # keys and values of all that was read: (S, G, 1, T, D)
        for asking, mask, k_s, v_s in past.read(k, v, asked):
            q_s, o_s = heads(q[asking], len(k_s), G), heads(o[asking], len(k_s), G)
            np.matmul(probabilities(q_s, k_s, mask), v_s, out=o_s)
    else:
        for asking, keys, S in blocks(starts, asked, H):
            position = asked[asking][: (asking.stop - asking.start) // S] - keys.start
            mask = hidden_in_block(position.tobytes(), (keys.stop - keys.start) // S, k.real.dtype)
            P = probabilities(heads(q[asking], S, G), heads(k[keys], S, G), mask)
            np.matmul(P, heads(v[keys], S, G), out=heads(o[asking], S, G))  # (S, G, R, t, T) @ (S, G, 1, T, D)
            parts.append(Part(asking, keys, P))
    y, c_o = linear.forward(p.o_proj, o.reshape(len(o), H * D))  # (M, H D) -> (M, C)
    return y, Cache(rows, c_q, c_k, c_v, c_o, c_rq, c_rk, q, k, v, o, parts)


def blocks(starts, asked, heads):
    """(queries, keys, S): what is computed at a time, two slices, and of how many sequences.

    Some queries of one sequence, with the keys up to the last of them; or all rows of neighbours of one length.
    """
    bounds = np.searchsorted(asked, starts)  # the queries of sequence s: bounds[s]:bounds[s + 1]
    lengths = list(zip(np.diff(starts).tolist(), np.diff(bounds).tolist()))
    starts, bounds, s = starts.tolist(), bounds.tolist(), 0
    while s < len(lengths):
        T, t = lengths[s]
        end = s + 1
        if t == T <= QUERIES:
            while end < len(lengths) and lengths[end] == (T, T) and (end - s) * heads * T * T < SCORES:
                end += 1
            yield slice(bounds[s], bounds[end]), slice(starts[s], starts[end]), end - s
        else:
            for first in range(bounds[s], bounds[end], QUERIES):
                final = min(first + QUERIES, bounds[end])
                yield slice(first, final), slice(starts[s], int(asked[final - 1]) + 1), 1
        s = end


def heads(a, S, groups):
    """A view of (S t, H, D) as (S, G, H / G, t, D): the heads that share a key/value head lie side by side."""
    n, H, D = a.shape
    return a.reshape(S, n // S, groups, H // groups, D).transpose(0, 2, 3, 1, 4)


def together(a):
    """(S, G, R, t, D) as (S, G, R t, D): the R heads of a group are so many queries of the same keys."""
    S, G, R, t, D = a.shape
    return a.reshape(S, G, R * t, D)


def hidden(position, T, dtype):
    """What is added to the scores of queries at these positions (…, t) on keys at 0 … T − 1: −∞ where the key is later.

    (…, t, T), or None if nothing is hidden.
    """
    if position.min(initial=T) >= T - 1:
        return None
    later = np.arange(T) > position[..., None]
    return np.where(later, dtype.type(-np.inf), dtype.type(0))


@lru_cache(maxsize=64)  # the same blocks come again in every layer: 3 % of a small step
def hidden_in_block(position, T, dtype):
    return hidden(np.frombuffer(position, int), T, dtype)


def probabilities(q, k, mask):
    """P of queries (S, G, R, t, D) on keys (S, G, 1, T, D), some of them hidden: (S, G, R, t, T)."""
    P = q @ k.swapaxes(-1, -2)
    if mask is not None:
        P += mask
    P -= P.real.max(-1, keepdims=True)  # leaves the softmax as it is, and exp cannot overflow
    np.exp(P, out=P)
    P /= (P @ np.ones(P.shape[-1], P.dtype))[..., None]  # the sum over the keys
    return P


def backward(p, g, cache, dy):
    q, k, v, o = cache.q, cache.k, cache.v, cache.o
    (H, D), G = q.shape[1:], k.shape[1]
    do = linear.backward(p.o_proj, g.o_proj, cache.o_proj, dy).reshape(o.shape)  # (M, C) -> (M, H, D)
    delta = np.vecdot(do, o)[..., None]  # (M, H, 1)
    dq, dk, dv = np.empty_like(q), np.zeros_like(k), np.zeros_like(v)
    begun = len(k)  # the keys from here on have a first term: the last block of a sequence, which sees all of them
    for asking, keys, P in reversed(cache.parts):
        S, first, begun = len(P), keys.start < begun, keys.start
        q_s, do_s, delta_s = (heads(a[asking], S, G) for a in (q, do, delta))
        k_s, v_s, dk_s, dv_s = (heads(a[keys], S, G) for a in (k, v, dk, dv))
        add(together(P).swapaxes(-1, -2), together(do_s), dv_s[:, :, 0], first)  # sums over the R heads, too
        dS = do_s @ v_s.swapaxes(-1, -2)  # dP: (S, G, R, t, T)
        dS -= delta_s
        dS *= P
        np.matmul(dS, k_s, out=heads(dq[asking], S, G))
        add(together(dS).swapaxes(-1, -2), together(q_s), dk_s[:, :, 0], first)
    dq *= D**-0.5
    dq = rotary.backward(cache.q_rotary, dq).reshape(len(q), H * D)
    dk = rotary.backward(cache.k_rotary, dk).reshape(len(k), G * D)
    dx = linear.backward(p.k_proj, g.k_proj, cache.k_proj, dk)
    dx += linear.backward(p.v_proj, g.v_proj, cache.v_proj, dv.reshape(len(v), G * D))
    dx[cache.rows] += linear.backward(p.q_proj, g.q_proj, cache.q_proj, dq)
    return dx


def add(a, b, total, first):
    """total += a b; its first term is written there at once, up to 3 % of a step."""
    if first:
        np.matmul(a, b, out=total)
    else:
        total += a @ b


def example(rng):
    """Three sequences, one of length 1; 4 heads on 2; head size apart from C / H; some rows ask, not all."""
    shapes = {"q_proj.weight": (24, 5), "k_proj.weight": (12, 5), "v_proj.weight": (12, 5), "o_proj.weight": (5, 24)}
    starts = np.array([0, 4, 5, 8])
    cos, sin = rotary.tables(np.array([0, 1, 2, 3, 0, 0, 1, 2]), 6, 100.0, np.float64)
    rows = np.sort(rng.choice(8, size=6, replace=False))
    return Params.random(rng, shapes), (rng.standard_normal((8, 5)), starts, cos, sin, rows)
