"""The backward of attention with the heads taken one by one, so that a student's function of one head can run it."""

import numpy as np

from minisft.layers import linear, rotary
from minisft.layers.attention import by_group, by_row


def one_head(q, k, v, P, do):
    """The derivation of one head: q, k, v, do (T, D); P (T, T). Returns dq, dk, dv."""
    dS = P * (do @ v.T - np.vecdot(do, P @ v, keepdims=True))
    return dS @ k / np.sqrt(q.shape[-1]), dS.T @ q / np.sqrt(q.shape[-1]), P.T @ do


def by_heads(head):
    """As `attention.backward`, whose lines these are, but for the loop: there the heads of a group go together."""

    def backward(p, g, cache, dy):
        q, k, v = cache.q, cache.k, cache.v
        (G, _, D), H = k.shape, len(p.q_proj.weight) // k.shape[-1]
        do = by_group(linear.backward(p.o_proj, g.o_proj, cache.o_proj, dy).reshape(-1, H, D), G)
        dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
        for part, P in zip(cache.parts, cache.P):
            asking = [part.asking(a) for a in (q, do, dq)]  # (G, S, t R, D)
            seen = [part.seen(a) for a in (k, v, dk, dv)]  # (G, S, T, D)
            for group in range(G):
                for s in range(part.S):
                    rows = places(part, s)
                    views = [a[group, s] for a in (*asking, P)], [a[group, s] for a in seen]
                    for r in range(H // G):
                        add_one_head(head, rows, [a[r :: H // G] for a in views[0]], views[1], np.sqrt(D))
        dq *= D**-0.5
        dq = rotary.backward(cache.q_rotary, by_row(dq, H)).reshape(-1, H * D)
        dk = rotary.backward(cache.k_rotary, dk.swapaxes(0, 1)).reshape(-1, G * D)
        dx = linear.backward(p.k_proj, g.k_proj, cache.k_proj, dk)
        dx += linear.backward(p.v_proj, g.v_proj, cache.v_proj, dv.swapaxes(0, 1).reshape(-1, G * D))
        dx[cache.rows] += linear.backward(p.q_proj, g.q_proj, cache.q_proj, dq)
        return dx

    return backward


def places(part, s):
    """The positions in their sequence of the rows that ask: the row at p sees p + 1 keys."""
    if part.mask is None:
        return np.array([part.T - 1])
    mask = part.mask if part.mask.ndim == 2 else part.mask[s]
    return (mask == 0).sum(-1) - 1


def add_one_head(head, rows, asking, seen, root):
    """Adds what `head` finds. Rows that do not ask are 0, so that P is square as in the exercise. q holds q / √D."""
    (q, do, dq, P), (k, v, dk, dv) = asking, seen
    q_T, do_T, P_T = np.zeros_like(k), np.zeros_like(k), np.zeros((len(k), len(k)), P.dtype)
    q_T[rows], do_T[rows], P_T[rows] = q * root, do, P
    dq_T, dk_T, dv_T = head(q_T, k.copy(), v.copy(), P_T, do_T)
    dq += dq_T[rows] * root
    dk += dk_T
    dv += dv_T
