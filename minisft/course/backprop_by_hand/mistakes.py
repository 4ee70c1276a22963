"""What goes wrong in the backward of a layer, sentence by sentence: the catalogue of notebook 04.

Each mistake is a function of a `Case`; see grading/gradients.py.
"""

import numpy as np

LINEAR = {
    "g.weight: xᵀ dy is the transpose of the gradient, which is (out, in) like W: dyᵀ x": lambda c: {
        "weight": c.x.T @ c.dy
    },
    "g.weight: a mean over the rows is added; y has no mean in it, so the rows add up": lambda c: {
        "weight": c.dy.T @ c.x / len(c.x)
    },
    "g.weight: only dy is summed; every row adds the product of its dy and its x": lambda c: {
        "weight": np.tile(c.dy.sum(0)[:, None], c.x.shape[1])
    },
    "g.weight: W itself is in the gradient of W; y is linear in W, so only x is left": lambda c: {
        "weight": c.dy.T @ c.x * c.p.weight
    },
    "dx: W is transposed; y = x Wᵀ goes forward, so dy W goes back": lambda c: {"input": c.dy @ c.p.weight.T},
    "dx: it is made of x where it should be made of dy": lambda c: {"input": c.x @ c.p.weight},
    "dx: it is the forward, x Wᵀ": lambda c: {"input": c.x @ c.p.weight.T},
    "dx: dy is handed on without W": lambda c: {"input": c.dy},
}


def placed(c, rows):
    """The rows dy of an embedding put where the ids say; the last one wins."""
    weight = np.zeros_like(c.p.weight)
    weight[c.x] = rows
    return {"weight": weight}


def one_hot(c):
    return (c.x[:, None] == np.arange(len(c.p.weight))).astype(float)


EMBEDDING = {
    "repeated ids are lost: `g.weight[ids] += dx` adds only the last row of each token": lambda c: placed(c, c.dy),
    "repeated ids are lost: only the first row of each token is added": lambda c: {
        "weight": placed(c._replace(x=c.x[::-1]), c.dy[::-1])["weight"]
    },
    "the rows of a token are averaged: a token that occurs twice has twice the influence, so they add": lambda c: {
        "weight": one_hot(c).T @ c.dy / np.maximum(one_hot(c).sum(0), 1)[:, None]
    },
    "the rows are added in the order of the batch, not at the rows of W that the ids name": lambda c: {
        "weight": np.pad(c.dy, ((0, len(c.p.weight) - len(c.dy)), (0, 0)))
    },
    "the rows are multiplied by W; x is a row of W itself, so dx arrives as it is": lambda c: {
        "weight": one_hot(c).T @ c.dy * c.p.weight
    },
    "the counts of the tokens are added, without dx": lambda c: {
        "weight": one_hot(c).sum(0)[:, None] * np.ones(c.dy.shape[1])
    },
}


def inner(a, b):
    return np.vecdot(a, b, keepdims=True)


def rms(formula):
    """A mistake in dx of RMSNorm, from (r, n, dn, w, dy, C)."""
    return lambda c: {"input": formula(*c.cache, c.p.weight * c.dy, c.p.weight, c.dy, c.x.shape[-1])}


RMSNORM = {
    "dx: the gain is pulled out of the sum over channels; it varies inside: use dn = w ⊙ dy in ⟨dn, n⟩": rms(
        lambda r, n, dn, w, dy, C: r * w * (dy - n * inner(dy, n) / C)
    ),
    "dx: the term −n ⟨dn, n⟩ / C is missing; r depends on x too": rms(lambda r, n, dn, w, dy, C: r * dn),
    "dx: ⟨n, n⟩ stands where C should: they differ, because of ε": rms(
        lambda r, n, dn, w, dy, C: r * (dn - n * inner(dn, n) / inner(n, n))
    ),
    "dx: ⟨dn, n⟩ is not divided by C": rms(lambda r, n, dn, w, dy, C: r * (dn - n * inner(dn, n))),
    "dx: the second term is added; ∂r/∂x = −r³ x / C is negative": rms(
        lambda r, n, dn, w, dy, C: r * (dn + n * inner(dn, n) / C)
    ),
    "dx: the factor r in front is missing": rms(lambda r, n, dn, w, dy, C: dn - n * inner(dn, n) / C),
    "dx: the gain is forgotten: dn = w ⊙ dy": rms(lambda r, n, dn, w, dy, C: r * (dy - n * inner(dy, n) / C)),
    "dx: x = n / r stands where n should": rms(lambda r, n, dn, w, dy, C: r * (dn - n / r * inner(dn, n / r) / C)),
    "dx: the sum runs over the whole batch; every row has a norm of its own": rms(
        lambda r, n, dn, w, dy, C: r * (dn - n * (dn * n).sum() / C)
    ),
    "dx: the channels are averaged one by one; ⟨dn, n⟩ is one number a row": rms(
        lambda r, n, dn, w, dy, C: r * (dn - n * dn * n / C)
    ),
    "g.weight: x stands where n should: y = w ⊙ n": lambda c: {"weight": (c.dy * c.x).sum(0)},
    "g.weight: the gain is in its own gradient; dy meets n before w does": lambda c: {
        "weight": (c.p.weight * c.dy * c.cache[1]).sum(0)
    },
    "g.weight: a mean over the rows is added; every row uses the same w, so the rows add up": lambda c: {
        "weight": (c.dy * c.cache[1]).mean(0)
    },
    "g.weight: n is missing, dy alone is summed": lambda c: {"weight": c.dy.sum(0)},
}


def swi(da=None, db=None, dh=None, dx=None):
    """A mistake in one line of SwiGLU's backward, and all that follows from it. Each from (a, b, s, dh)."""

    def gradients(c):
        a, b, s = c.cache.a, c.cache.b, c.cache.s
        W = c.p.gate_proj.weight, c.p.up_proj.weight, c.p.down_proj.weight
        d = c.dy @ W[2] if dh is None else dh(c)
        one = (da or (lambda a, b, s, dh: dh * b * (s + a * s * (1 - s))))(a, b, s, d)
        two = (db or (lambda a, b, s, dh: dh * a * s))(a, b, s, d)
        back = dx or (lambda one, two, gate, up: one @ gate + two @ up)
        spoils = {
            "gate_proj.weight": one.T @ c.x if da or dh else None,
            "up_proj.weight": two.T @ c.x if db or dh else None,
        }
        return spoils | {"input": back(one, two, *W[:2])}

    return gradients


SWIGLU = {
    "da: σ′ is σ (1 − σ), not σ": swi(da=lambda a, b, s, dh: dh * b * (s + a * s)),
    "da: the product rule has two branches; a ⊙ σ′(a) is missing, σ is treated as a constant": swi(
        da=lambda a, b, s, dh: dh * b * s
    ),
    "da: the product rule has two branches; the σ of a ⊙ σ(a), with a differentiated, is missing": swi(
        da=lambda a, b, s, dh: dh * b * a * s * (1 - s)
    ),
    "da: the factor b is missing: h = a ⊙ s ⊙ b": swi(da=lambda a, b, s, dh: dh * (s + a * s * (1 - s))),
    "da: in a ⊙ σ′(a) the factor a is missing": swi(da=lambda a, b, s, dh: dh * b * (s + s * (1 - s))),
    "da: σ′ is σ (1 − σ), not 1 − σ": swi(da=lambda a, b, s, dh: dh * b * (s + a * (1 - s))),
    "db: the factor σ(a) is missing: h = a ⊙ s ⊙ b": swi(db=lambda a, b, s, dh: dh * a),
    "db: the factor a is missing: h = a ⊙ s ⊙ b": swi(db=lambda a, b, s, dh: dh * s),
    "db: it is dh ⊙ b; the derivative by b leaves the other factors, a ⊙ s": swi(db=lambda a, b, s, dh: dh * b),
    "da and db are exchanged: da goes into gate, db into up": swi(
        da=lambda a, b, s, dh: dh * a * s, db=lambda a, b, s, dh: dh * b * (s + a * s * (1 - s))
    ),
    "dx: the contribution through up is missing: x is used twice": swi(dx=lambda da, db, gate, up: da @ gate),
    "dx: the contribution through gate is missing: x is used twice": swi(dx=lambda da, db, gate, up: db @ up),
    "dx: the two contributions are multiplied; they add": swi(dx=lambda da, db, gate, up: (da @ gate) * (db @ up)),
    "dx: gate and up are exchanged": swi(dx=lambda da, db, gate, up: da @ up + db @ gate),
    "dh is dy: it has not been taken back through down": swi(dh=lambda c: c.dy),
    "g.down_proj.weight: its input is h = a ⊙ s ⊙ b, the factor b is missing": lambda c: {
        "down_proj.weight": c.dy.T @ (c.cache.a * c.cache.s)
    },
    "g.down_proj.weight: its input is h = a ⊙ s ⊙ b, not x": lambda c: {"down_proj.weight": c.dy.T @ c.x},
}


def soft(formula):
    """A mistake in dz of the objective, from (π, onehot, w as a column, dJ)."""

    def gradients(c):
        onehot = (c.cache.targets[:, None] == np.arange(c.x.shape[-1])).astype(float)
        return {"input": formula(np.exp(c.cache.log_pi), onehot, c.cache.weights[:, None], c.dy)}

    return gradients


OBJECTIVE = {
    "the sign is turned: J is maximised, so dz = w (onehot − π); π − onehot is the gradient of the loss": soft(
        lambda pi, onehot, w, dJ: dJ * w * (pi - onehot)
    ),
    "the weights w are missing: every row counts as 1": soft(lambda pi, onehot, w, dJ: dJ * (onehot - pi)),
    "dJ is ignored: the cotangent of J multiplies everything": soft(lambda pi, onehot, w, dJ: w * (onehot - pi)),
    "it is divided by the number of rows: J is a sum, not a mean": soft(
        lambda pi, onehot, w, dJ: dJ * w * (onehot - pi) / len(pi)
    ),
    "it is divided by the sum of the weights: J is a sum, and w is all the weighting there is": soft(
        lambda pi, onehot, w, dJ: dJ * w * (onehot - pi) / w.sum()
    ),
    "the onehot is missing: z_y itself is in log π(y) too": soft(lambda pi, onehot, w, dJ: -dJ * w * pi),
    "π is missing: the logarithm of the sum pushes every logit down by its probability": soft(
        lambda pi, onehot, w, dJ: dJ * w * onehot
    ),
    "log π stands where π should: take exp": soft(lambda pi, onehot, w, dJ: dJ * w * (onehot - np.log(pi))),
    "only the entry of the target is filled in; the other logits are in the sum too": soft(
        lambda pi, onehot, w, dJ: dJ * w * onehot * (1 - pi)
    ),
    "the weights are applied to onehot only, not to π": soft(lambda pi, onehot, w, dJ: dJ * (w * onehot - pi)),
    "π is subtracted at the target only": soft(lambda pi, onehot, w, dJ: dJ * w * (onehot - pi) * onehot),
    "π is multiplied in once more: that is the gradient of Σ w π(y), without the logarithm": soft(
        lambda pi, onehot, w, dJ: dJ * w * (onehot - pi) * (pi * onehot).sum(-1, keepdims=True)
    ),
    "1 is added in the whole row: onehot is 1 at the target and 0 elsewhere": soft(
        lambda pi, onehot, w, dJ: dJ * w * (1 - pi)
    ),
}


def centred(formula):
    """A mistake in dx of LayerNorm, from (r, n, dn, w, dy), where mean() is that of a row's channels."""
    return lambda c: {"input": formula(*c.cache, c.p.weight * c.dy, c.p.weight, c.dy)}


def mean(a):
    return a.mean(-1, keepdims=True)


LAYERNORM = {
    "dx: the mean is treated as a constant; it hands −(mean of dz) back to every channel of its row": centred(
        lambda r, n, dn, w, dy: r * (dn - n * mean(dn * n))
    ),
    "dx: r is treated as a constant; it depends on x, as in RMSNorm": centred(
        lambda r, n, dn, w, dy: r * (dn - mean(dn))
    ),
    "dx: mean and r are both treated as constants": centred(lambda r, n, dn, w, dy: r * dn),
    "dx: the gain is pulled out of the sums over channels; it varies inside them": centred(
        lambda r, n, dn, w, dy: r * w * (dy - mean(dy) - n * mean(dy * n))
    ),
    "dx: the gain is forgotten: dn = w ⊙ dy": centred(lambda r, n, dn, w, dy: r * (dy - mean(dy) - n * mean(dy * n))),
    "dx: the sums over channels are not divided by C": centred(
        lambda r, n, dn, w, dy: r * (dn - (mean(dn) + n * mean(dn * n)) * n.shape[-1])
    ),
    "dx: the factor r in front is missing": centred(lambda r, n, dn, w, dy: dn - mean(dn) - n * mean(dn * n)),
    "dx: the mean runs over the rows of the batch; that is another norm": centred(
        lambda r, n, dn, w, dy: r * (dn - dn.mean(0) - n * mean(dn * n))
    ),
    "g.weight: n is missing, dy alone is summed": lambda c: {"weight": c.dy.sum(0)},
    "g.weight: x stands where n should": lambda c: {"weight": (c.dy * c.x).sum(0)},
    "g.bias: a mean over the rows is added; every row uses the same b, so the rows add up": lambda c: {
        "bias": c.dy.mean(0)
    },
    "g.bias: the gain is in the gradient of the bias; b is added after w": lambda c: {
        "bias": (c.dy * c.p.weight).sum(0)
    },
    "g.bias: n is in the gradient of the bias; that belongs to the gain": lambda c: {
        "bias": (c.dy * c.cache[1]).sum(0)
    },
}
