"""Causal self-attention with grouped heads and rotary positions (arXiv 1706.03762, eq. 1; 2305.13245 for the groups).

Query head j reads key/value head j // R, R = H / G: the R query heads of a group are R queries of the same keys. For
each sequence and group, with heads of size D:

    q = R_t W_q x / √D      k = R_t W_k x      v = W_v x            R_t: the rotation of position t
    P = softmax(q kᵀ + mask)                along the keys; the mask is −∞ where the key is later than the query, else 0
    o = P v
    y = W_o o                               now from the bottom up
    dv = Pᵀ do
    dS = P ⊙ (do vᵀ − δ),  δ = ⟨do, o⟩      S = q kᵀ + mask; δ = Σ_keys P ⊙ (do vᵀ): one number for each query
    dq = dS k
    dk = dSᵀ q
    dx = the transposed maps of dq / √D, dk and dv, added

The only layer in which rows meet. Which queries meet which keys says a list of parts, made once a batch for all layers
(`parts`): a sequence sees nothing but itself. `rows` are the rows that ask: all, or in the last block those that
somebody reads later. All rows have keys and values. Arguments may be complex, for the complex step of gradcheck.py.
"""

from collections import namedtuple
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from minisft.layers import linear, rotary
from minisft.params import Params

Cache = namedtuple("Cache", "rows parts P q k v o q_proj k_proj v_proj o_proj q_rotary k_rotary")

QUERIES = 64  # positions of one sequence at a time: keys later than all of them are left out, up to half of S
HIDDEN, SEEN = np.float32(-np.inf), np.float32(0)
SCORES = 65536  # of several sequences at a time: as many as the cache of the processor holds


class Part(NamedTuple):
    """What is computed at a time: t positions of each of S sequences ask for its first T keys."""

    queries: slice  # of the M R
    keys: slice  # of the N
    S: int
    T: int
    mask: np.ndarray  # (1, t R, T) or (S, t R, T): −∞ where the key is later than the query, else 0; or 0 for all

    def asking(self, a):
        """(G, M R, D) -> (G, S, t R, D), a view."""
        return a[:, self.queries].reshape(len(a), self.S, -1, a.shape[-1])

    def seen(self, a):
        """(G, N, D) -> (G, S, T, D), a view."""
        return a[:, self.keys].reshape(len(a), self.S, -1, a.shape[-1])[:, :, : self.T]


def parts(positions, queries, keys, H, G):
    """The parts of a batch of S sequences, of which M rows ask.

    positions  (M,) int: of the rows that ask, from the beginning of their sequence
    queries    (S + 1,) int: those of sequence s are queries[s]:queries[s + 1]; keys (S + 1,): the same for its keys
    Neighbours of one size are one part, while few enough; many queries of one sequence are several.
    """
    R, result, s = H // G, [], 0
    positions, queries, keys = positions.tolist(), queries.tolist(), keys.tolist()
    sizes = [(b - a, d - c) for (a, b), (c, d) in zip(pairwise(queries), pairwise(keys))]
    while s < len(sizes):
        (t, room), end = sizes[s], s + 1
        while end < len(sizes) and t <= QUERIES and sizes[end] == (t, room) and (end - s) * H * t * room < SCORES:
            end += 1
        for first in range(queries[s], queries[end], max(1, (end - s) * min(t, QUERIES))):
            last = min(first + (end - s) * QUERIES, queries[end])
            each = (last - first) // (end - s)
            T, mask = hidden(tuple(tuple(positions[i : i + each]) for i in range(first, last, each)), R)
            result.append(Part(slice(R * first, R * last), slice(keys[s], keys[end]), end - s, T, mask))
        s = end
    return result


@lru_cache(maxsize=64)  # the same masks come again in every batch: 4 % of a small step
def hidden(blocks, R):
    """T and the mask of a part: the positions that ask of each of its sequences, as tuples, and R queries for each."""
    T = max(block[-1] for block in blocks) + 1
    if len(blocks) == len(blocks[0]) == 1:
        return T, SEEN
    position = np.array(blocks[:1] if len(set(blocks)) == 1 else blocks).repeat(R, axis=1)[..., None]
    return T, np.where(np.arange(T) > position, HIDDEN, SEEN)  # (1, t R, T) or (S, t R, T)


def by_group(a, G):
    """(M, H, D) -> (G, M R, D): the R heads of a group side by side."""
    M, H, D = a.shape
    return a.reshape(M, G, H // G, D).swapaxes(0, 1).reshape(G, M * H // G, D)


def by_row(a, H):
    """The inverse: (G, M R, D) -> (M, H, D)."""
    G, MR, D = a.shape
    return a.reshape(G, MR * G // H, H // G, D).swapaxes(0, 1).reshape(MR * G // H, H, D)


def softmax(scores):
    """exp(scores) / Σ exp(scores) along the last axis, in the memory of the scores."""
    scores -= scores.real.max(-1, keepdims=True)  # leaves the quotient as it is, and exp cannot overflow
    np.exp(scores, out=scores)
    scores /= (scores @ np.ones(scores.shape[-1], scores.dtype))[..., None]
    return scores


def forward(p, x, parts, cos, sin, rows, remember=None):
    """(N, C) -> (M, C), M = number of rows. remember: takes new k and v (G, N, D), gives those of all that was read."""
    D = cos.shape[-1]
    H, G = len(p.q_proj.weight) // D, len(p.k_proj.weight) // D
    q, c_q = linear.forward(p.q_proj, x[rows])  # (M, C) -> (M, H D)
    k, c_k = linear.forward(p.k_proj, x)  # (N, C) -> (N, G D)
    v, c_v = linear.forward(p.v_proj, x)
    q, c_rq = rotary.forward(q.reshape(len(q), H, D), cos[rows], sin[rows])
    k, c_rk = rotary.forward(k.reshape(len(k), G, D), cos[:, :G], sin[:, :G])
    q, k, v = by_group(q, G), k.swapaxes(0, 1), v.reshape(k.shape).swapaxes(0, 1)  # (G, M R, D), (G, N, D) twice
    q *= D**-0.5
    if remember:
        k, v = remember(k, v)
    o, P = np.empty_like(q), []
    for part in parts:
        q_s, k_s, v_s = part.asking(q), part.seen(k), part.seen(v)  # (G, S, t R, D), (G, S, T, D) twice
        P_s = softmax(q_s @ k_s.swapaxes(-1, -2) + part.mask)  # (G, S, t R, T)
        np.matmul(P_s, v_s, out=part.asking(o))
        P.append(P_s)
    y, c_o = linear.forward(p.o_proj, by_row(o, H).reshape(len(c_q), H * D))  # (M, H D) -> (M, C)
    return y, Cache(rows, parts, P, q, k, v, o, c_q, c_k, c_v, c_o, c_rq, c_rk)


def backward(p, g, cache, dy):
    q, k, v, o = cache.q, cache.k, cache.v, cache.o
    (G, N, D), M, H = k.shape, len(dy), len(p.q_proj.weight) // k.shape[-1]
    do = linear.backward(p.o_proj, g.o_proj, cache.o_proj, dy)  # (M, C) -> (M, H D)
    do = by_group(do.reshape(M, H, D), G)  # (G, M R, D)
    delta = np.vecdot(do, o, keepdims=True)  # (G, M R, 1)
    dq, dk, dv = np.empty_like(q), np.zeros_like(k), np.zeros_like(v)
    for part, P_s in zip(cache.parts, cache.P):
        q_s, do_s, delta_s, dq_s = (part.asking(a) for a in (q, do, delta, dq))
        k_s, v_s, dk_s, dv_s = (part.seen(a) for a in (k, v, dk, dv))
        dv_s += P_s.swapaxes(-1, -2) @ do_s  # o_s = P_s v_s
        dS = P_s * (do_s @ v_s.swapaxes(-1, -2) - delta_s)  # P_s = softmax(S)
        np.matmul(dS, k_s, out=dq_s)  # S = q_s k_sᵀ + mask
        dk_s += dS.swapaxes(-1, -2) @ q_s
    dq *= D**-0.5
    dq = rotary.backward(cache.q_rotary, by_row(dq, H)).reshape(M, H * D)
    dk = rotary.backward(cache.k_rotary, dk.swapaxes(0, 1)).reshape(N, G * D)
    dx = linear.backward(p.k_proj, g.k_proj, cache.k_proj, dk)
    dx += linear.backward(p.v_proj, g.v_proj, cache.v_proj, dv.swapaxes(0, 1).reshape(N, G * D))
    dx[cache.rows] += linear.backward(p.q_proj, g.q_proj, cache.q_proj, dq)
    return dx


def example(rng):
    """Three sequences, one of length 1; 4 heads on 2; head size apart from C / H; some rows ask, not all."""
    shapes = {"q_proj.weight": (24, 5), "k_proj.weight": (12, 5), "v_proj.weight": (12, 5), "o_proj.weight": (5, 24)}
    starts, positions = np.array([0, 4, 5, 8]), np.array([0, 1, 2, 3, 0, 0, 1, 2])
    rows = np.sort(rng.choice(8, size=6, replace=False))
    cos, sin = rotary.tables(positions, 6, 100.0, np.float64)
    asked = parts(positions[rows], np.searchsorted(rows, starts), starts, 4, 2)
    return Params.random(rng, shapes), (rng.standard_normal((8, 5)), asked, cos, sin, rows)
