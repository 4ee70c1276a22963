"""Causal self-attention with grouped heads and rotary positions (arXiv 1706.03762, eq. 1; 2305.13245 for the groups).

Query head j reads key/value head j // R, R = H / G: the R query heads of a group are R queries of the same keys. For
each sequence and group, with heads of size D:

    q  = turn(W_q x) / √D    k = turn(W_k x)    v = W_v x          turn: the rotation of its position
                                            where the tree has q_norm and k_norm, W_q x and W_k x are normed before it
    scores = q kᵀ
    P  = softmax(scores + mask)             along the keys; the mask is −∞ where the key is later than the query, else 0
    o  = P v
    y  = W_o o                              now from the bottom up
    dv = Pᵀ do                              summed over all queries of the group, as is dk below
    dP = do vᵀ
    dS = P ⊙ (dP − δ)                       ∂J/∂scores; δ = Σ_keys P ⊙ dP = ⟨do, o⟩: one number for each query
    dq = dS k
    dk = dSᵀ q
    dx = the transposed maps of dq / √D, dk, dv, added

The only layer in which rows meet. Which queries meet which keys is a list of parts, made once a batch by `parts`: a
sequence sees nothing but itself, of which a window may hide what is long past. `rows` are the rows that ask (all, or
those that somebody reads later); all rows have keys and values. Arguments may be complex, for the complex step of
gradcheck.py.
"""

from collections import namedtuple
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minisft.layers import head_norm, linear, rotary
from minisft.params import Params

Cache = namedtuple("Cache", "rows parts q_proj k_proj v_proj o_proj q_norm k_norm q_rotary k_rotary scale q k v o P")

QUERIES = 64  # of one sequence at a time: the keys later than all of them are left out, up to half of the scores


class Part(NamedTuple):
    """What is computed at a time: t positions of each of S sequences ask for its first T keys."""

    queries: slice  # of the M R
    keys: slice  # of the N
    S: int
    T: int
    alone: bool  # no other part sees these keys
    mask: np.ndarray | None  # (t, T), or (S, t, T): −∞ where the key is later than the query, else 0; None: nowhere

    def asking(self, a):
        """(G, M R, D) -> (G, S, t R, D), a view."""
        return a[:, self.queries].reshape(len(a), self.S, -1, a.shape[-1])

    def seen(self, a):
        """(G, N, D) -> (G, S, T, D), a view."""
        return a[:, self.keys].reshape(len(a), self.S, -1, a.shape[-1])[:, :, : self.T]

    def hide(self, scores):
        """scores (G, S, t R, T) += the mask, in their place: the same for the R queries of each position."""
        if self.mask is None:
            return scores
        by_position = scores.reshape(len(scores), self.S, self.mask.shape[-2], -1, self.T)
        by_position += self.mask[..., None, :]
        return scores


def parts(positions, counts, rooms, R, window=np.inf):
    """Which queries meet which keys: a list of Part, the same for all layers that ask the same rows.

    positions  (M,) int: of every row that asks, in its sequence; it sees the keys up to there
    counts     (S,) int: how many of them each sequence has
    rooms      (S,) int: how many keys each sequence has, or has room for
    R          query heads for each key/value head
    window     so many keys a row sees at most, its own included
    Neighbours of equal counts and rooms go together. A sequence in which many ask comes in blocks of QUERIES.
    """
    at, counts, rooms = positions.tolist(), counts.tolist(), rooms.tolist()
    hidden, result, s, row, key = causal(max([1, *rooms]), window), [], 0, 0, 0
    while s < len(counts):
        t, room, S = counts[s], rooms[s], 1
        while t <= QUERIES and counts[s + S : s + S + 1] == [t] and rooms[s + S] == room:
            S += 1
        keys, end, alone = slice(key, key + S * room), row + S * t, t <= QUERIES
        while row < end:
            stop = min(row + S * QUERIES, end)
            t = (stop - row) // S
            first, last = set(at[row:stop:t]), set(at[row + t - 1 : stop : t])
            T = max(last) + 1
            if len(first) == 1 and last == {min(first) + t - 1}:  # the same positions, side by side, in every sequence
                mask = hidden[T - t : T, :T] if t > 1 or window < T else None
            else:
                mask = hidden[positions[row:stop].reshape(S, t), :T]
            result.append(Part(slice(R * row, R * stop), keys, S, T, alone, mask))
            row = stop
        s, key = s + S, keys.stop
    return result


@lru_cache(maxsize=2)  # made once while an answer grows
def causal(n, window=np.inf):
    """The mask (n, n): row p is 0 at key p and those before it in the window, else −∞. Each row is the one above,
    shifted: a view."""
    seen = min(n, window)
    row = np.repeat(np.float32([-np.inf, 0, -np.inf]), [n - seen, seen, n])
    return sliding_window_view(row, n)[:n][::-1]


def forward(p, x, parts, cos, sin, rows, remember=None, eps=None, scale=None):
    """(N, C) -> (M, C), M = number of rows.

    remember  None, or what keeps keys and values and returns all it has
    eps       of q_norm and k_norm;  scale: None, or what stands for 1/√D
    """
    D = cos.shape[-1]
    H, G = len(p.q_proj.weight) // D, len(p.k_proj.weight) // D
    q, c_q = linear.forward(p.q_proj, x[rows])  # (M, C) -> (M, H D)
    k, c_k = linear.forward(p.k_proj, x)  # (N, C) -> (N, G D)
    v, c_v = linear.forward(p.v_proj, x)
    c_nq = c_nk = None
    if hasattr(p, "q_norm"):
        q, c_nq = head_norm.forward(p.q_norm, q, eps)
        k, c_nk = head_norm.forward(p.k_norm, k, eps)
    q, c_rq = rotary.forward(q.reshape(len(q), H, D), cos[rows], sin[rows])
    k, c_rk = rotary.forward(k.reshape(len(k), G, D), cos[:, :G], sin[:, :G])
    scale = scale or D**-0.5
    q *= scale  # here and not in the scores, which are more numbers
    q = by_group(q, G)  # (M, H, D) -> (G, M R, D)
    k, v = k.swapaxes(0, 1), v.reshape(len(v), G, D).swapaxes(0, 1)  # (G, N, D)
    if remember:
        k, v = remember(k, v)
    o, P_s = np.empty_like(q), []
    for part in parts:
        q_s, o_s, k_s, v_s = part.asking(q), part.asking(o), part.seen(k), part.seen(v)
        P = softmax(part.hide(q_s @ k_s.swapaxes(-1, -2)))  # (G, S, t R, T)
        np.matmul(P, v_s, out=o_s)
        P_s.append(P)
    y, c_o = linear.forward(p.o_proj, by_row(o, H).reshape(len(c_q), H * D))  # (M, H D) -> (M, C)
    return y, Cache(rows, parts, c_q, c_k, c_v, c_o, c_nq, c_nk, c_rq, c_rk, scale, q, k, v, o, P_s)


def by_group(a, G):
    """(M, H, D) -> (G, M R, D): the R heads of a group side by side."""
    M, H, D = a.shape
    return a.reshape(M, G, H // G, D).swapaxes(0, 1).reshape(G, M * H // G, D)


def by_row(a, H):
    """The inverse: (G, M R, D) -> (M, H, D)."""
    G, MR, D = a.shape
    M = MR * G // H
    return a.reshape(G, M, H // G, D).swapaxes(0, 1).reshape(M, H, D)


def softmax(scores):
    """P = e^scores / Σ e^scores along the last axis, in the place of the scores."""
    scores -= scores.real.max(-1, keepdims=True)  # the quotient stays as it is, and exp cannot overflow
    P = np.exp(scores, out=scores)
    P /= (P @ np.ones(P.shape[-1], P.dtype))[..., None]
    return P


def backward(p, g, cache, dy):
    q, k, v, o = cache.q, cache.k, cache.v, cache.o
    (G, N, D), M, H = k.shape, len(dy), len(p.q_proj.weight) // k.shape[-1]
    do = linear.backward(p.o_proj, g.o_proj, cache.o_proj, dy)  # in the forward this was y = W_o o
    do = by_group(do.reshape(M, H, D), G)
    delta = np.vecdot(do, o, keepdims=True)  # (G, M R, 1)
    dq, dk, dv = np.empty_like(q), np.zeros_like(k), np.zeros_like(v)
    for part, P in zip(cache.parts, cache.P):
        q_s, do_s, delta_s, dq_s = part.asking(q), part.asking(do), part.asking(delta), part.asking(dq)
        k_s, v_s, dk_s, dv_s = part.seen(k), part.seen(v), part.seen(dk), part.seen(dv)
        add(P.swapaxes(-1, -2), do_s, dv_s, part.alone)  # o = P v
        dS = P * (do_s @ v_s.swapaxes(-1, -2) - delta_s)  # P = softmax(scores + mask)
        np.matmul(dS, k_s, out=dq_s)  # scores = q kᵀ
        add(dS.swapaxes(-1, -2), q_s, dk_s, part.alone)
    dq *= cache.scale
    dq = rotary.backward(cache.q_rotary, by_row(dq, H)).reshape(M, H * D)
    dk = rotary.backward(cache.k_rotary, dk.swapaxes(0, 1)).reshape(N, G * D)
    if hasattr(p, "q_norm"):
        dq = head_norm.backward(p.q_norm, g.q_norm, cache.q_norm, dq)
        dk = head_norm.backward(p.k_norm, g.k_norm, cache.k_norm, dk)
    dv = dv.swapaxes(0, 1).reshape(N, G * D)
    dx = linear.backward(p.k_proj, g.k_proj, cache.k_proj, dk)
    dx += linear.backward(p.v_proj, g.v_proj, cache.v_proj, dv)
    dx[cache.rows] += linear.backward(p.q_proj, g.q_proj, cache.q_proj, dq)
    return dx


def add(a, b, total, alone):
    """total += a b. Where nothing else is added, it is written there at once: 3 % of a small step."""
    if alone:
        np.matmul(a, b, out=total)
    else:
        total += a @ b


def example(rng):
    """Three sequences, one of length 1; 4 heads on 2; head size apart from C / H; some rows ask, not all."""
    shapes = {"q_proj.weight": (24, 5), "k_proj.weight": (12, 5), "v_proj.weight": (12, 5), "o_proj.weight": (5, 24)}
    starts, positions = np.array([0, 4, 5, 8]), np.array([0, 1, 2, 3, 0, 0, 1, 2])
    rows = np.sort(rng.choice(8, size=6, replace=False))
    several = parts(positions[rows], np.diff(np.searchsorted(rows, starts)), np.diff(starts), R=2)
    cos, sin = rotary.tables(positions, 6, 100.0, np.float64)
    return Params.random(rng, shapes), (rng.standard_normal((8, 5)), several, cos, sin, rows)
