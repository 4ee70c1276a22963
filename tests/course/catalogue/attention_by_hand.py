"""Answers to notebook 05."""

import numpy as np


def softmax(S, axis=-1):
    e = np.exp(S - S.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def head(
    scale=lambda D: 1 / np.sqrt(D),
    mask=lambda T: np.tri(T, dtype=bool),
    hidden=-np.inf,
    soft=softmax,
    out=lambda P, v: P @ v,
):
    def attention_forward(q, k, v):
        T, D = q.shape
        return out(soft(np.where(mask(T), q @ k.T * scale(D), hidden)), v)

    return attention_forward


def head_loop(q, k, v):
    o = []
    for t in range(len(q)):
        s = np.array([np.dot(q[t], k[u]) for u in range(t + 1)]) / len(q[0]) ** 0.5
        s -= s.max()
        o.append(sum(w * v[u] for u, w in enumerate(np.exp(s))) / np.exp(s).sum())
    return o


def head_running(q, k, v):
    """The softmax as it goes along: largest score, denominator and sum."""
    o = np.zeros_like(v)
    for t, query in enumerate(q):
        top, below, above = -np.inf, 0.0, np.zeros(v.shape[1])
        for u in range(t + 1):
            s = query @ k[u] / np.sqrt(q.shape[1])
            new = max(top, s)
            fade = np.exp(top - new)
            below, above, top = below * fade + np.exp(s - new), above * fade + np.exp(s - new) * v[u], new
        o[t] = above / below
    return o


def divided_late(q, k, v):
    T, D = q.shape
    S = (q / D**0.25) @ (k / D**0.25).T
    E = np.tril(
        np.exp(S - np.where(np.tri(T, dtype=bool), S, -np.inf).max(-1, keepdims=True)) * np.tri(T)
        if S.max() < 100
        else np.exp(
            np.where(np.tri(T, dtype=bool), S, -np.inf)
            - np.where(np.tri(T, dtype=bool), S, -np.inf).max(-1, keepdims=True)
        )
    )
    return (E @ v) / E.sum(-1, keepdims=True)


def naive(S):
    e = np.exp(S)
    return e / e.sum(-1, keepdims=True)


def backward(dv=lambda P, do: P.T @ do, dS=lambda P, dP: P * (dP - (P * dP).sum(-1, keepdims=True)), scale=lambda D: D**-0.5,
             dq=lambda dS, q, k: dS @ k, dk=lambda dS, q, k: dS.T @ q, dP=lambda do, v: do @ v.T, out=lambda *three: three):  # fmt: skip
    def attention_backward(q, k, v, P, do):
        d = dS(P, dP(do, v)) * scale(q.shape[1])
        return out(dq(d, q, k), dk(d, q, k), dv(P, do))

    return attention_backward


def backward_by_delta(q, k, v, P, do):
    delta = (do * (P @ v)).sum(1)
    dS = P * (do @ v.T - delta[:, None])
    return [a / np.sqrt(q.shape[1]) for a in (dS @ k, dS.T @ q)] + [P.T @ do]


def backward_rows(q, k, v, P, do):
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    for t in range(len(q)):
        dP = np.array([do[t] @ v[u] for u in range(len(k))])
        dS = (np.diag(P[t]) - np.outer(P[t], P[t])) @ dP / len(q[0]) ** 0.5
        dq[t] = dS @ k
        dk += np.outer(dS, q[t])
        dv += np.outer(P[t], do[t])
    return dq, dk, dv


def changing_P(q, k, v, P, do):
    result = backward_by_delta(q, k, v, P.copy(), do)
    P *= 0
    return result


def rotary(formula):
    return lambda cache, dy: formula(dy, *cache)


def swap(a):
    return np.roll(a, a.shape[-1] // 2, axis=-1)


def halves(dy, cos, sin):
    n = dy.shape[-1] // 2
    a, b, c, s = dy[..., :n], dy[..., n:], cos[..., :n], sin[..., n:]
    return np.concatenate((a * c + b * s, b * c - a * s), -1)


def complex_turn(dy, cos, sin):
    n = dy.shape[-1] // 2
    z = (dy[..., :n] + 1j * dy[..., n:]) * (cos[..., :n] - 1j * sin[..., n:])
    return np.concatenate((z.real, z.imag), -1)


def rotary_loop(dy, cos, sin):
    out = np.empty_like(dy)
    n = dy.shape[-1] // 2
    for t, h in np.ndindex(dy.shape[:2]):
        for c in range(n):
            C, S = cos[t, 0, c], sin[t, 0, c + n]
            out[t, h, c], out[t, h, c + n] = np.array([[C, S], [-S, C]]) @ dy[t, h, [c, c + n]]
    return out


def by_matrix(dy, cos, sin):
    D = dy.shape[-1]
    R = np.eye(D) * cos + np.roll(np.eye(D), D // 2, 0) * np.swapaxes(sin, 1, 2)
    return dy @ R


def group_loop(dk, G):
    T, H, D = dk.shape
    out = np.zeros((T, G, D))
    for j in range(H):
        out[:, j // (H // G)] += dk[:, j]
    return out


RIGHT = {
    "attention": {"one line": head(), "loops": head_loop, "running": head_running, "a list": lambda q, k, v: head()(q, k, v).tolist(),
                  "−1e30": head(hidden=-1e30), "divided late": divided_late},
    "delta": {"a sum": lambda do, o: (do * o).sum(-1), "vecdot": lambda do, o: np.vecdot(do, o), "matmul": lambda do, o: (do[:, :, None] @ o[..., None])[..., 0, 0],
              "loops": lambda do, o: [[float(a @ b) for a, b in zip(x, y)] for x, y in zip(do, o)], "a mean times D": lambda do, o: np.mean(do * o, -1) * o.shape[-1]},
    "attention_backward": {"parts": backward(), "δ and a list": backward_by_delta, "rows": backward_rows, "lists": lambda *a: [x.tolist() for x in backward()(*a)],
                           "1/√D late": lambda q, k, v, P, do: (lambda a, b, c: (a / np.sqrt(q.shape[1]), b / np.sqrt(q.shape[1]), c))(*backward(scale=lambda D: 1)(q, k, v, P, do))},
    "rotary": {"roll": rotary(lambda d, c, s: d * c - swap(d) * s), "halves": rotary(halves), "complex": rotary(complex_turn), "loops": rotary(rotary_loop),
               "swapped afterwards": rotary(lambda d, c, s: d * c + swap(d * s)), "a list": rotary(lambda d, c, s: halves(d, c, s).tolist())},
    "shared": {"a loop": group_loop, "reshape": lambda dk, G: dk.reshape(len(dk), G, -1, dk.shape[2]).sum(2), "add.reduceat": lambda dk, G: np.add.reduceat(dk, np.arange(0, dk.shape[1], dk.shape[1] // G), axis=1),
               "a matrix": lambda dk, G: np.swapaxes(np.swapaxes(dk, 1, 2) @ np.repeat(np.eye(G), dk.shape[1] // G, 0), 1, 2), "split": lambda dk, G: np.stack([a.sum(1) for a in np.split(dk, G, 1)], 1)},
    "blind": {
        "constant rows": lambda: (np.arange(1.0, 5)[:, None] * np.ones((4, 6)), np.arange(1.0, 5)[:, None] * np.ones((4, 6)), np.full(6, 3.0)),
        "a list": lambda: [np.arange(1.0, 5)[:, None] * np.ones((4, 6)), np.arange(2.0, 6)[:, None] * np.ones((4, 6)), np.full(6, -2.0)],
        "lists of lists": lambda: ([[float(i)] * 6 for i in (1, -2, 3, 5)], [[float(i)] * 6 for i in (4, 3, 2, 1)], [1.5] * 6),
        "repeat": lambda: (np.repeat([[1.0], [2], [4], [8]], 6, 1), np.repeat([[0.0], [2], [4], [8]], 6, 1), np.repeat(7.0, 6)),
        "tile": lambda: (np.tile([[3.0], [2], [4], [8]], 6), np.tile([[-3.0], [2], [4], [8]], 6), np.tile([2.0], 6)),
    },
}  # fmt: skip
WRONG = {
    "attention": {
        "no scale": head(lambda D: 1), "1/D": head(lambda D: 1 / D), "times √D": head(np.sqrt), "1/√T": lambda q, k, v: head(lambda D: 1 / np.sqrt(len(q) + 0.5))(q, k, v),
        "no mask": head(mask=lambda T: np.ones((T, T), bool)), "the past hidden": head(mask=lambda T: np.tri(T, dtype=bool).T), "one ahead": head(mask=lambda T: np.tri(T, k=1, dtype=bool)),
        "itself hidden": head(mask=lambda T: np.tri(T, k=-1, dtype=bool)), "zeros for the mask": head(hidden=0.0), "−1": head(hidden=-1.0), "−10": head(hidden=-10.0),
        "softmax over queries": head(soft=lambda S: np.nan_to_num(softmax(S, 0))), "no softmax": head(hidden=0.0, soft=lambda S: S), "overflow": head(soft=naive),
        "masked afterwards": head(mask=lambda T: np.ones((T, T), bool), soft=lambda S: np.tril(softmax(S))), "P is returned": head(out=lambda P, v: P), "Pᵀ v": head(out=lambda P, v: P.T @ v),
        "exp not normed": head(soft=lambda S: np.exp(S - S.max(-1, keepdims=True))), "float32": head(out=lambda P, v: P.astype(np.float32) @ v.astype(np.float32)), "k for v": lambda q, k, v: head()(q, k, k),
        "greedy": head(soft=lambda S: np.eye(len(S))[S.argmax(-1)]), "the mean": head(soft=lambda S: np.isfinite(S) / np.isfinite(S).sum(-1, keepdims=True)),
    },
    "delta": {
        "over the heads": lambda do, o: (do * o).sum(1), "over everything": lambda do, o: (do * o).sum(), "a mean": lambda do, o: (do * o).mean(-1), "not summed": lambda do, o: do * o,
        "keepdims": lambda do, o: (do * o).sum(-1, keepdims=True), "the sign": lambda do, o: -(do * o).sum(-1), "⟨o, o⟩": lambda do, o: (o * o).sum(-1), "⟨do, do⟩": lambda do, o: (do * do).sum(-1),
        "sum of do": lambda do, o: do.sum(-1), "1/√D": lambda do, o: (do * o).sum(-1) / np.sqrt(o.shape[-1]), "transposed": lambda do, o: (do * o).sum(-1).T, "over positions": lambda do, o: (do * o).sum(0),
        "a matrix product": lambda do, o: do @ o.swapaxes(1, 2), "a norm": lambda do, o: np.linalg.norm(do * o, axis=-1), "float32": lambda do, o: (do * o).sum(-1).astype(np.float32),
    },
    "attention_backward": {
        "no scale": backward(scale=lambda D: 1), "1/D": backward(scale=lambda D: 1 / D), "δ missing": backward(dS=lambda P, dP: P * dP), "δ a mean": backward(dS=lambda P, dP: P * (dP - (P * dP).mean(-1, keepdims=True))),
        "δ by dP": backward(dS=lambda P, dP: P * (dP - dP.sum(-1, keepdims=True))), "δ over queries": backward(dS=lambda P, dP: P * (dP - (P * dP).sum(0))), "P missing": backward(dS=lambda P, dP: dP - (P * dP).sum(-1, keepdims=True)),
        "P (1 − P)": backward(dS=lambda P, dP: P * (1 - P) * dP), "the sign": backward(dS=lambda P, dP: P * ((P * dP).sum(-1, keepdims=True) - dP)), "dv by P": backward(dv=lambda P, do: P @ do), "dv is do": backward(dv=lambda P, do: do),
        "dk by dS": backward(dk=lambda d, q, k: d @ q), "dq by dSᵀ": backward(dq=lambda d, q, k: d.T @ k), "q for k": backward(dq=lambda d, q, k: d @ q), "k for q": backward(dk=lambda d, q, k: d.T @ k),
        "dq scaled alone": lambda q, k, v, P, do: (lambda a, b, c: (a, b * np.sqrt(q.shape[1]), c))(*backward()(q, k, v, P, do)), "another order": backward(out=lambda a, b, c: (c, a, b)), "dq and dk exchanged": backward(out=lambda a, b, c: (b, a, c)),
        "two things": backward(out=lambda a, b, c: (a, b)), "dP by vᵀ and do": backward(dP=lambda do, v: v @ do.T), "float32": backward(out=lambda *three: [a.astype(np.float32) for a in three]), "changes P": changing_P,
    },
    "rotary": {
        "the forward": rotary(lambda d, c, s: d * c + swap(d) * s), "no swap": rotary(lambda d, c, s: d * c - d * s), "cos alone": rotary(lambda d, c, s: d * c), "nothing": rotary(lambda d, c, s: d + 0), "cos turned": rotary(lambda d, c, s: -d * c + swap(d) * s),
        "cos and sin exchanged": rotary(lambda d, c, s: d * s - swap(d) * c), "neighbours": rotary(lambda d, c, s: d * c - d.reshape(*d.shape[:-1], -1, 2)[..., ::-1].reshape(d.shape) * s), "all channels turned round": rotary(lambda d, c, s: d * c - d[..., ::-1] * s),
        "rolled by one": rotary(lambda d, c, s: d * c - np.roll(d, 1, -1) * s), "along the heads": rotary(lambda d, c, s: d * c - np.roll(d, 1, 1) * s), "sin twice": rotary(lambda d, c, s: d * c - 2 * swap(d) * s), "divided": rotary(lambda d, c, s: (d - swap(d) * s) / c),
        "squares": rotary(lambda d, c, s: d * c**2 - swap(d) * s), "no dx": rotary(lambda d, c, s: None), "the first head": rotary(lambda d, c, s: d[:, :1] * c - swap(d[:, :1]) * s), "|sin|": rotary(lambda d, c, s: d * c - swap(d) * np.abs(s)), "the sum": rotary(lambda d, c, s: (d * c - swap(d) * s).sum(1)),
    },
    "shared": {
        "a mean": lambda dk, G: group_loop(dk, G) / (dk.shape[1] // G), "tile": lambda dk, G: dk.reshape(len(dk), -1, G, dk.shape[2]).sum(1), "the first of each": lambda dk, G: dk[:, :: dk.shape[1] // G], "the first G": lambda dk, G: dk[:, :G], "the last G": lambda dk, G: dk[:, -G:],
        "not summed": lambda dk, G: dk, "all heads": lambda dk, G: np.repeat(dk.sum(1, keepdims=True), G, 1), "over D": lambda dk, G: dk.reshape(len(dk), G, -1, dk.shape[2]).sum(3), "the largest": lambda dk, G: dk.reshape(len(dk), G, -1, dk.shape[2]).max(2), "the sign": lambda dk, G: -group_loop(dk, G),
        "turned round": lambda dk, G: group_loop(dk, G)[:, ::-1], "by √R": lambda dk, G: group_loop(dk, G) / np.sqrt(dk.shape[1] // G), "(T, D, G)": lambda dk, G: np.swapaxes(group_loop(dk, G), 1, 2), "(G, T, D)": lambda dk, G: np.swapaxes(group_loop(dk, G), 0, 1), "float32": lambda dk, G: group_loop(dk, G).astype(np.float32),
        "in dk": lambda dk, G: np.multiply(dk, 2, out=dk)[:, :G], "G taken for R": lambda dk, G: dk.reshape(len(dk), dk.shape[1] // G, G, dk.shape[2]).sum(2),
    },
    "blind": {
        "random": lambda: (np.random.default_rng(0).random((4, 6)), np.random.default_rng(1).random((4, 6)), np.random.default_rng(2).random(6)), "zeros": lambda: (np.zeros((4, 6)), np.zeros((4, 6)), np.zeros(6)), "two": lambda: (np.ones((4, 6)), np.ones((4, 6))),
        "constant columns": lambda: (np.ones((4, 1)) * np.arange(1.0, 7), np.ones((4, 1)) * np.arange(1.0, 7), np.arange(1.0, 7)), "w varies": lambda: (*RIGHT["blind"]["repeat"]()[:2], np.arange(1.0, 7)), "dP varies": lambda: (np.arange(24.0).reshape(4, 6), *RIGHT["blind"]["repeat"]()[1:]),
        "S varies": lambda: (RIGHT["blind"]["repeat"]()[0], np.arange(24.0).reshape(4, 6), RIGHT["blind"]["repeat"]()[2]), "transposed": lambda: (*tuple(a.T for a in RIGHT["blind"]["repeat"]()[:2]), np.full(6, 2.0)), "NaN": lambda: (np.full((4, 6), np.nan), np.full((4, 6), np.nan), np.full(6, np.nan)), "∞": lambda: (np.full((4, 6), np.inf), np.full((4, 6), np.inf), np.full(6, np.inf)),
        "numbers": lambda: (1.0, 1.0, 1.0), "w of 4": lambda: (*RIGHT["blind"]["repeat"]()[:2], np.full(4, 2.0)),
    },
}  # fmt: skip
