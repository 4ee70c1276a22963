"""What goes wrong in attention, sentence by sentence: the catalogue of notebook 05."""

import numpy as np


def softmax(S, axis=-1):
    e = np.exp(S - S.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def later(q, ahead=0):
    """True where the key is later than the query, by more than `ahead`."""
    return np.triu(np.ones((len(q), len(q)), bool), 1 + ahead)


def masked(q, k, scale=None, ahead=0, hidden=-np.inf):
    S = q @ k.T / (np.sqrt(q.shape[-1]) if scale is None else scale)
    return np.where(later(q, ahead), hidden, S)


def first_blind(q, k, v):
    """A query that does not see itself; the first then sees nothing: the mean of all, as softmax of equal numbers."""
    P = softmax(masked(q, k, ahead=-1, hidden=-1e9))
    return P @ v


FORWARD = {
    "1/√D is missing: the logits grow with the size of a head": lambda q, k, v: softmax(masked(q, k, 1)) @ v,
    "it is divided by D, not by √D": lambda q, k, v: softmax(masked(q, k, q.shape[-1])) @ v,
    "it is multiplied by √D where it should be divided": lambda q, k, v: softmax(masked(q, k, q.shape[-1] ** -0.5)) @ v,
    "the mask comes after the softmax: the rows of P no longer sum to 1": lambda q, k, v: (
        np.where(later(q), 0, softmax(q @ k.T / np.sqrt(q.shape[-1]))) @ v
    ),
    "the mask is off by one: a query sees the next position, the one it should predict": lambda q, k, v: (
        softmax(masked(q, k, ahead=1)) @ v
    ),
    "the mask is off by one: a query does not see its own position": first_blind,
    "the mask is missing: every query sees the whole sequence": lambda q, k, v: (
        softmax(q @ k.T / np.sqrt(q.shape[-1])) @ v
    ),
    "the mask is the wrong way round: a query sees only what comes later": lambda q, k, v: (
        softmax(np.where(later(q).T, -np.inf, q @ k.T / np.sqrt(q.shape[-1]))) @ v
    ),
    "hidden logits are set to 0; exp(0) is 1, so they still count: −∞ hides them": lambda q, k, v: (
        softmax(masked(q, k, hidden=0)) @ v
    ),
    "the softmax runs over the queries (axis 0); each query shares 1 among the keys (axis −1)": lambda q, k, v: (
        softmax(masked(q, k), 0) @ v
    ),
    "the softmax is missing": lambda q, k, v: masked(q, k, hidden=0) @ v,
    "q and k are exchanged: row t of S is the query of position t": lambda q, k, v: softmax(masked(k, q)) @ v,
    "exp is not divided by its sum over the keys": lambda q, k, v: np.exp(masked(q, k)) @ v,
}


def wrong(dS=None, scale=None, **maps):
    """A mistake in one line of attention's backward, and what follows from it: {"q": …, "k": …, "v": …}, where spoiled.

    dS     from (P, dP);  scale: from D;  maps: of "q", "k" or "v", from (q, k, v, P, dS, do), dS already scaled
    """

    def gradients(q, k, v, P, do):
        dP = do @ v.T
        delta = (P * dP).sum(-1, keepdims=True)
        D = q.shape[-1]
        inner = (P * (dP - delta) if dS is None else dS(P, dP)) / (np.sqrt(D) if scale is None else scale(D))
        if maps:
            return {name: formula(q, k, v, P, inner, do) for name, formula in maps.items()}
        return {"q": inner @ k, "k": inner.T @ q}

    return gradients


BACKWARD = {
    "dS: the factor P is missing: dS = P ⊙ (dP − δ)": wrong(lambda P, dP: dP - (P * dP).sum(-1, keepdims=True)),
    "dS: δ is missing; the rows of P sum to 1, so pushing one key up pushes the others down": wrong(
        lambda P, dP: P * dP
    ),
    "dS: the mean of dP is subtracted where δ = Σ P ⊙ dP should be; they agree only if P is uniform": wrong(
        lambda P, dP: P * (dP - dP.mean(-1, keepdims=True))
    ),
    "dS: the sum of dP is subtracted; in δ each key counts by its P": wrong(
        lambda P, dP: P * (dP - dP.sum(-1, keepdims=True))
    ),
    "dS: δ is summed over the queries; the softmax runs along the keys": wrong(
        lambda P, dP: P * (dP - (P * dP).sum(0))
    ),
    "dS: δ is added; it is subtracted": wrong(lambda P, dP: P * (dP + (P * dP).sum(-1, keepdims=True))),
    "dS: P (1 − P) is the diagonal of the Jacobian alone; every key depends on every logit of its row": wrong(
        lambda P, dP: P * (1 - P) * dP
    ),
    "dS: dP = do vᵀ is transposed": wrong(lambda P, dP: P * (dP.T - (P * dP.T).sum(-1, keepdims=True))),
    "1/√D is missing: it belongs to S, so to dq and dk": wrong(scale=lambda D: 1),
    "1/√D is there twice: dq and dk each contain it once": wrong(scale=lambda D: D),
    "dk: dS is not transposed: dk = dSᵀ q / √D": wrong(k=lambda q, k, v, P, dS, do: dS @ q),
    "dk: it is made of k where q should stand": wrong(k=lambda q, k, v, P, dS, do: dS.T @ k),
    "dq: dS is transposed: dq = dS k / √D": wrong(q=lambda q, k, v, P, dS, do: dS.T @ k),
    "dq: it is made of q where k should stand": wrong(q=lambda q, k, v, P, dS, do: dS @ q),
    "dv: P is not transposed: value u is read by all later queries, dv = Pᵀ do": wrong(
        v=lambda q, k, v, P, dS, do: P @ do
    ),
    "dv: it is divided by √D; the scale is in S, not in P v": wrong(
        v=lambda q, k, v, P, dS, do: P.T @ do / np.sqrt(q.shape[-1])
    ),
    "dv: do is handed on without P": wrong(v=lambda q, k, v, P, dS, do: do),
}

DELTA = {
    "it is summed over the heads: every head has a softmax of its own": lambda do, o: (do * o).sum((1, 2)),
    "it is summed over the positions: every query has a δ of its own": lambda do, o: (do * o).sum((0, 2)),
    "it is not summed: δ is one number for each query and head": lambda do, o: do * o,
    "it is a mean over the channels: an inner product is a sum": lambda do, o: (do * o).mean(-1),
    "the sign is turned": lambda do, o: -(do * o).sum(-1),
    "it has 1/√D in it; that comes later, from S": lambda do, o: (do * o).sum(-1) / np.sqrt(o.shape[-1]),
    "it is ⟨do, do⟩: o is missing": lambda do, o: (do * do).sum(-1),
    "it is ⟨o, o⟩: do is missing": lambda do, o: (o * o).sum(-1),
    "it is summed over everything": lambda do, o: (do * o).sum(),
    "it is right, but of shape (T, H, 1); asked for is (T, H)": lambda do, o: (do * o).sum(-1, keepdims=True),
}


def turned(formula):
    """A mistake in the backward of the rotation, from (dy, cos, sin), tables (cos, cos) and (−sin, sin)."""
    return lambda c: {"input": formula(c.dy, *c.cache)}


def halves(a):
    return np.roll(a, a.shape[-1] // 2, axis=-1)


def neighbours(a):
    return a.reshape(*a.shape[:-1], -1, 2)[..., ::-1].reshape(a.shape)


ROTARY = {
    "it turns forward again: the transpose of a rotation turns back": turned(
        lambda dy, cos, sin: dy * cos + halves(dy) * sin
    ),
    "the sine is missing": turned(lambda dy, cos, sin: dy * cos),
    "the cosine is missing": turned(lambda dy, cos, sin: -halves(dy) * sin),
    "the cosine is negated: cos(−a) = cos(a), only the sine changes its sign": turned(
        lambda dy, cos, sin: -dy * cos - halves(dy) * sin
    ),
    "both are negated: cos(−a) = cos(a), only the sine changes its sign": turned(
        lambda dy, cos, sin: -dy * cos + halves(dy) * sin
    ),
    "neighbouring channels are paired; here channel c turns with c + D/2": turned(
        lambda dy, cos, sin: dy * cos - neighbours(dy) * sin
    ),
    "the two halves are not exchanged before they meet the sine": turned(lambda dy, cos, sin: dy * cos - dy * sin),
    "the channels are shifted by 1, not by D/2": turned(lambda dy, cos, sin: dy * cos - np.roll(dy, 1, axis=-1) * sin),
    "np.roll without axis=-1 rolls the whole array, across heads and positions": turned(
        lambda dy, cos, sin: dy * cos - np.roll(dy, dy.shape[-1] // 2) * sin
    ),
    "dy is handed on without turning it": turned(lambda dy, cos, sin: dy),
}


def grouped(dk, G):
    """(T, H, D) as (T, G, R, D): head j is (j // R, j % R)."""
    T, H, D = dk.shape
    return dk.reshape(T, G, H // G, D)


SHARED = {
    "heads j, j + G, j + 2G, … are added, the order of np.tile; head j reads key head j // R, the order of np.repeat": (
        lambda dk, G: grouped(dk, dk.shape[1] // G).sum(1)
    ),
    "they are not added: every head that reads a key sends its gradient": lambda dk, G: dk,
    "only the first head of each group is taken; the gradients of all that share a key add": lambda dk, G: grouped(
        dk, G
    )[:, :, 0],
    "only the last head of each group is taken, as if each overwrote the one before; they add": lambda dk, G: grouped(
        dk, G
    )[:, :, -1],
    "the mean of the group is taken; gradients of several uses add": lambda dk, G: grouped(dk, G).mean(2),
    "the first G heads are taken for the G groups": lambda dk, G: dk[:, :G],
    "the sum runs over the groups, not within them": lambda dk, G: grouped(dk, G).sum(1),
    "all heads are added into every group": lambda dk, G: np.repeat(dk.sum(1, keepdims=True), G, axis=1),
    "it is summed over the positions as well: every position has a key of its own": lambda dk, G: grouped(dk, G).sum(
        (0, 2)
    ),
}
