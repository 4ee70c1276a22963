"""Answers to notebook 04."""

import numpy as np

from course.solutions import solution

SOLVED = {
    name: solution("04_backprop_by_hand", name)[f"{name}_backward"]
    for name in ("linear", "embedding", "rmsnorm", "swiglu", "objective", "layer_norm")
}


def linear(dW=lambda dy, x, W: dy.T @ x, dx=lambda dy, x, W: dy @ W, add=np.add):
    def backward(p, g, cache, dy):
        g.weight[...] = add(g.weight, dW(dy, cache, p.weight))
        return dx(dy, cache, p.weight)

    return backward


def linear_loops(p, g, cache, dy):
    dx = np.zeros_like(cache)
    for n in range(len(cache)):
        for o in range(len(p.weight)):
            g.weight[o] += dy[n, o] * cache[n]
            dx[n] += dy[n, o] * p.weight[o]
    return dx


def rebinding(p, g, cache, dy):
    g.weight = g.weight + dy.T @ cache
    return dy @ p.weight


def zeroing(p, g, cache, dy):
    g.weight[...] = 0
    g.weight += dy.T @ cache
    return dy @ p.weight


def changing_dy(p, g, cache, dy):
    g.weight += dy.T @ cache
    dy *= 2
    return dy / 2 @ p.weight


def changing_p(p, g, cache, dy):
    g.weight += dy.T @ cache
    dx = dy @ p.weight
    p.weight -= 0.1 * g.weight
    return dx


def changing_x(p, g, cache, dy):
    g.weight += dy.T @ cache
    cache[...] = dy @ p.weight
    return cache


def embedding(rows=lambda ids, dx: (ids, dx), add=np.add.at, result=None):
    def backward(p, g, cache, dx):
        add(g.weight, *rows(cache, dx))
        return result

    return backward


def embedding_loop(p, g, cache, dx):
    for i, row in zip(cache.tolist(), dx):
        g.weight[i] += row


def embedding_onehot(p, g, cache, dx):
    g.weight += np.eye(len(g.weight))[cache].T @ dx


def embedding_unique(p, g, cache, dx):
    for token in np.unique(cache):
        g.weight[token] = g.weight[token] + dx[cache == token].sum(0)


def fancy(p, g, cache, dx):
    g.weight[cache] += dx


def assigned(p, g, cache, dx):
    g.weight[cache] = dx


def rmsnorm(dw=lambda dy, n, r, dn: (dy * n).sum(0), dx=None, dn=lambda w, dy: w * dy):
    def backward(p, g, cache, dy):
        r, n = cache
        cot = dn(p.weight, dy)
        g.weight += dw(dy, n, r, cot)
        return dx(r, n, cot) if dx else r * (cot - n * (cot * n).mean(-1, keepdims=True))

    return backward


def rmsnorm_rows(p, g, cache, dy):
    r, n = cache
    out = np.empty_like(n)
    for i in range(len(n)):
        dn = dy[i] * p.weight
        g.weight += dy[i] * n[i]
        out[i] = r[i] * (dn - n[i] * np.dot(dn, n[i]) / n.shape[1])
    return out


def rmsnorm_jacobian(p, g, cache, dy):
    r, n = cache
    g.weight += np.add.reduce(n * dy)
    C = n.shape[1]
    F = r[:, :, None] * (np.eye(C) - n[:, :, None] * n[:, None] / C)
    return np.squeeze(F @ (p.weight * dy)[:, :, None], -1)


def by_x(p, g, cache, dy):
    r, n = cache
    x = n / r
    g.weight += (dy * n).sum(0)
    dn = p.weight * dy
    return r * dn - r**3 * x * (dn * x).sum(-1, keepdims=True) / x.shape[1]


def swiglu(dh=lambda dy, Wd: dy @ Wd, db=lambda dh, a, b, s: dh * a * s, da=lambda dh, a, b, s: dh * b * (s + a * s * (1 - s)),
           down=lambda dy, h: dy.T @ h, dx=lambda da, db, p: da @ p.gate_proj.weight + db @ p.up_proj.weight,
           which=lambda da, db: (da, db)):  # fmt: skip
    def backward(p, g, cache, dy):
        x, a, b, s = cache
        g.down_proj.weight += down(dy, a * s * b)
        h = dh(dy, p.down_proj.weight)
        da_, db_ = da(h, a, b, s), db(h, a, b, s)
        first, second = which(da_, db_)
        g.gate_proj.weight += first.T @ x
        g.up_proj.weight += second.T @ x
        return dx(da_, db_, p)

    return backward


def swiglu_chain(p, g, cache, dy):
    x, a, b, s = cache
    u = a * s
    dh = dy @ p.down_proj.weight
    du, db = dh * b, dh * u
    ds = du * a
    da = du * s + ds * s * (1 - s)
    for name, d, inp in (("down_proj", dy, u * b), ("gate_proj", da, x), ("up_proj", db, x)):
        getattr(g, name).weight[:] += np.tensordot(d, inp, (0, 0))
    return np.concatenate((da, db), 1) @ np.concatenate((p.gate_proj.weight, p.up_proj.weight))


def objective(formula):
    def backward(cache, dJ):
        pi = np.exp(cache.log_pi)
        return formula(np.eye(pi.shape[1])[cache.targets], pi, cache.weights[:, None], dJ)

    return backward


def objective_in_place(cache, dJ):
    dz = -np.exp(cache.log_pi)
    dz[np.arange(len(dz)), cache.targets] += 1
    dz *= dJ * cache.weights[:, None]
    return dz


def objective_loops(cache, dJ):
    M, V = cache.log_pi.shape
    return [
        [dJ * cache.weights[i] * ((v == cache.targets[i]) - np.exp(cache.log_pi[i, v])) for v in range(V)]
        for i in range(M)
    ]


def objective_jacobian(cache, dJ):
    pi = np.exp(cache.log_pi)
    d = np.zeros_like(pi)
    d[np.arange(len(pi)), cache.targets] = dJ * cache.weights
    return d - pi * d.sum(-1, keepdims=True)


def spoiling_objective(cache, dJ):
    pi = np.exp(cache.log_pi, out=cache.log_pi)
    return dJ * cache.weights[:, None] * (np.eye(pi.shape[1])[cache.targets] - pi)


def layer_norm(dw=lambda dy, n: (dy * n).sum(0), db=lambda dy, n: dy.sum(0), dx=None):
    def backward(p, g, cache, dy):
        r, n = cache
        dn = p.weight * dy
        g.weight += dw(dy, n)
        g.bias += db(dy, n)
        return dx(r, n, dn) if dx else r * (dn - dn.mean(-1, keepdims=True) - n * (dn * n).mean(-1, keepdims=True))

    return backward


def m(a):
    return a.mean(-1, keepdims=True)


def layer_norm_matrix(p, g, cache, dy):
    r, n = cache
    g.weight += np.add.reduce(dy * n)
    g.bias += np.add.reduce(dy)
    C = n.shape[1]
    centre = np.eye(C) - np.ones((C, C)) / C
    return np.stack(
        [centre @ (r[i] * (np.eye(C) - np.outer(n[i], n[i]) / C) @ (p.weight * dy[i])) for i in range(len(n))]
    )


RIGHT = {
    "linear": {"as derived": SOLVED["linear"], "loops": linear_loops, "written in place": linear(),
               "tensordot": linear(lambda dy, x, W: np.tensordot(dy, x, (0, 0)), lambda dy, x, W: np.inner(dy, W.T)),
               "outer products": linear(lambda dy, x, W: sum(np.outer(a, b) for a, b in zip(dy, x))),
               "a list of rows": linear(dx=lambda dy, x, W: [list(row @ W) for row in dy])},
    "embedding": {"add.at": SOLVED["embedding"], "a loop": embedding_loop, "one-hot": embedding_onehot,
                  "unique": embedding_unique, "backwards": embedding(lambda i, d: (i[::-1], d[::-1]))},
    "rmsnorm": {"as derived": SOLVED["rmsnorm"], "means": rmsnorm(), "row by row": rmsnorm_rows, "the Jacobian": rmsnorm_jacobian, "by x": by_x},
    "swiglu": {"as derived": SOLVED["swiglu"], "parts": swiglu(), "step by step": swiglu_chain,
               "another form": swiglu(da=lambda dh, a, b, s: dh * b * s * (1 + a * (1 - s))),
               "through h / b": swiglu(db=lambda dh, a, b, s: dh * (a * s))},
    "objective": {"as derived": SOLVED["objective"], "in place": objective_in_place, "loops": objective_loops, "the Jacobian": objective_jacobian,
                  "expanded": objective(lambda y, pi, w, dJ: dJ * w * y - dJ * w * pi)},
    "layer_norm": {"as derived": SOLVED["layer_norm"], "one line": layer_norm(), "matrices": layer_norm_matrix,
                   "centred first": layer_norm(dx=lambda r, n, dn: r * (dn - m(dn) - n * m((dn - m(dn)) * n))),
                   "sums": layer_norm(dx=lambda r, n, dn: r * (dn - (dn.sum(1, keepdims=True) + n * (dn * n).sum(1, keepdims=True)) / n.shape[1]))},
}  # fmt: skip
WRONG = {
    "linear": {
        "dW transposed": linear(lambda dy, x, W: (x.T @ dy).reshape(W.shape)),
        "dx by Wᵀ": linear(dx=lambda dy, x, W: (dy[:, : W.shape[0]] @ W.T[: W.shape[0], : x.shape[1]] if W.shape[0] == W.shape[1] else dy @ W * 2)),
        "overwritten": zeroing, "rebound": rebinding, "subtracted": linear(add=np.subtract),
        "a mean over rows": linear(lambda dy, x, W: dy.T @ x / len(x)),
        "no dW": linear(lambda dy, x, W: 0 * W), "no dx": linear(dx=lambda dy, x, W: None),
        "dx is dy": linear(dx=lambda dy, x, W: dy), "dx is 0": linear(dx=lambda dy, x, W: 0 * x),
        "the forward": linear(dx=lambda dy, x, W: x @ W.T), "summed over rows": linear(dx=lambda dy, x, W: (dy @ W).sum(0)),
        "the first row alone": linear(lambda dy, x, W: np.outer(dy[0], x[0])),
        "twice": linear(lambda dy, x, W: 2 * dy.T @ x), "float32": linear(dx=lambda dy, x, W: (dy.astype(np.float32) @ W.astype(np.float32))),
        "changes dy": changing_dy, "changes p": changing_p, "changes x": changing_x,
        "returns dW": linear(dx=lambda dy, x, W: dy.T @ x), "a tuple": linear(dx=lambda dy, x, W: (dy @ W, dy.T @ x)),
    },
    "embedding": {
        "+= with ids": fancy, "assigned": assigned,
        "the sign": embedding(lambda i, d: (i, -d)), "a mean": embedding(lambda i, d: (i, d / len(i))),
        "divided by how often": embedding(lambda i, d: (i, d / (i[:, None] == i).sum(1, keepdims=True))),
        "one token further": embedding(lambda i, d: ((i + 1) % 7, d)), "nothing": embedding(lambda i, d: (i[:0], d[:0])),
        "the first of each": embedding(lambda i, d: (np.unique(i), d[np.unique(i, return_index=True)[1]])),
        "rows in another order": embedding(lambda i, d: (i, d[::-1])), "sorted ids": embedding(lambda i, d: (np.sort(i), d)),
        "the sum to all": embedding(lambda i, d: (i, np.broadcast_to(d.sum(0), d.shape))),
        "twice": embedding(lambda i, d: (i, 2 * d)), "by subtraction": embedding(add=np.subtract.at),
        "float32": embedding(lambda i, d: (i, d.astype(np.float32))), "all rows": lambda p, g, c, d: g.weight.__iadd__(d.sum(0)) is None,
        "rebound": lambda p, g, c, d: setattr(g, "weight", np.eye(7)[c].T @ d),
        "by the weights": embedding(lambda i, d: (i, d * 1.0 + i[:, None])),
    },
    "rmsnorm": {
        "the second term is missing": rmsnorm(dx=lambda r, n, dn: r * dn), "its sign": rmsnorm(dx=lambda r, n, dn: r * (dn + n * m(dn * n))),
        "a sum for a mean": rmsnorm(dx=lambda r, n, dn: r * (dn - n * (dn * n).sum(-1, keepdims=True))),
        "r is missing": rmsnorm(dx=lambda r, n, dn: dn - n * m(dn * n)), "divided by r": rmsnorm(dx=lambda r, n, dn: (dn - n * m(dn * n)) / r),
        "w is missing": rmsnorm(dn=lambda w, dy: dy), "a mean over everything": rmsnorm(dx=lambda r, n, dn: r * (dn - n * (dn * n).mean())),
        "a mean over rows": rmsnorm(dx=lambda r, n, dn: r * (dn - n * (dn * n).mean(0))),
        "centred": rmsnorm(dx=lambda r, n, dn: r * (dn - m(dn) - n * m(dn * n))), "n is missing": rmsnorm(dx=lambda r, n, dn: r * (dn - m(dn * n))),
        "ε forgotten": rmsnorm(dx=lambda r, n, dn: r * (dn - n * (dn * n).sum(-1, keepdims=True) / (n * n).sum(-1, keepdims=True))),
        "dw by dn": rmsnorm(lambda dy, n, r, dn: (dn * n).sum(0)), "dw by x": rmsnorm(lambda dy, n, r, dn: (dy * n / r).sum(0)),
        "dw a mean": rmsnorm(lambda dy, n, r, dn: (dy * n).mean(0)), "dw is dy": rmsnorm(lambda dy, n, r, dn: dy.sum(0)),
        "dw is 0": rmsnorm(lambda dy, n, r, dn: 0 * n[0]), "dw of the last row": rmsnorm(lambda dy, n, r, dn: (dy * n)[-1]),
        "float32": rmsnorm(dx=lambda r, n, dn: (r * (dn - n * m(dn * n))).astype(np.float32)),
    },
    "swiglu": {
        "no σ′": swiglu(da=lambda dh, a, b, s: dh * b * s), "only σ′": swiglu(da=lambda dh, a, b, s: dh * b * s * (1 - s)),
        "σ′ without a": swiglu(da=lambda dh, a, b, s: dh * b * (s + s * (1 - s))), "the sign of σ′": swiglu(da=lambda dh, a, b, s: dh * b * (s - a * s * (1 - s))),
        "1 − s²": swiglu(da=lambda dh, a, b, s: dh * b * (s + a * (1 - s**2))), "b missing": swiglu(da=lambda dh, a, b, s: dh * (s + a * s * (1 - s))),
        "db by a": swiglu(db=lambda dh, a, b, s: dh * a), "db by s": swiglu(db=lambda dh, a, b, s: dh * s), "db by h": swiglu(db=lambda dh, a, b, s: dh * a * s * b),
        "gate alone": swiglu(dx=lambda da, db, p: da @ p.gate_proj.weight), "up alone": swiglu(dx=lambda da, db, p: db @ p.up_proj.weight),
        "exchanged": swiglu(dx=lambda da, db, p: db @ p.gate_proj.weight + da @ p.up_proj.weight), "dW exchanged": swiglu(which=lambda da, db: (db, da)),
        "half": swiglu(dx=lambda da, db, p: (da @ p.gate_proj.weight + db @ p.up_proj.weight) / 2),
        "down by u": swiglu(down=lambda dy, h: dy.T @ np.abs(h)), "no down": swiglu(down=lambda dy, h: 0.0),
        "ReLU": swiglu(da=lambda dh, a, b, s: dh * b * (a > 0)), "float32": swiglu(dx=lambda da, db, p: (da @ p.gate_proj.weight + db @ p.up_proj.weight).astype(np.float32)),
        "no dx": swiglu(dx=lambda da, db, p: None),
    },
    "objective": {
        "the sign": objective(lambda y, pi, w, dJ: dJ * w * (pi - y)), "no weights": objective(lambda y, pi, w, dJ: dJ * (y - pi)),
        "no dJ": objective(lambda y, pi, w, dJ: w * (y - pi)), "only the targets": objective(lambda y, pi, w, dJ: dJ * w * y), "only π": objective(lambda y, pi, w, dJ: -dJ * w * pi),
        "weights on y alone": objective(lambda y, pi, w, dJ: dJ * (w * y - pi)), "divided": objective(lambda y, pi, w, dJ: dJ * w * (y - pi) / len(pi)),
        "divided by Σw": objective(lambda y, pi, w, dJ: dJ * w * (y - pi) / w.sum()), "by π": objective(lambda y, pi, w, dJ: dJ * w * y / pi),
        "squared error": objective(lambda y, pi, w, dJ: dJ * w * pi * (y - pi)), "log π": objective(lambda y, pi, w, dJ: dJ * w * (y - np.log(pi))),
        "the mean taken off": objective(lambda y, pi, w, dJ: dJ * w * (y - 1 / pi.shape[1])), "w²": objective(lambda y, pi, w, dJ: dJ * w**2 * (y - pi)),
        "−1 for dJ": objective(lambda y, pi, w, dJ: -w * (y - pi)), "summed": objective(lambda y, pi, w, dJ: (dJ * w * (y - pi)).sum(0)),
        "transposed": objective(lambda y, pi, w, dJ: (dJ * w * (y - pi)).T), "changes the cache": spoiling_objective,
        "float32": objective(lambda y, pi, w, dJ: (dJ * w * (y - pi)).astype(np.float32)), "1 − π everywhere": objective(lambda y, pi, w, dJ: dJ * w * (1 - pi)),
    },
    "layer_norm": {
        "as RMSNorm": layer_norm(dx=lambda r, n, dn: r * (dn - n * m(dn * n))), "the mean alone": layer_norm(dx=lambda r, n, dn: r * (dn - m(dn))),
        "neither": layer_norm(dx=lambda r, n, dn: r * dn), "no r": layer_norm(dx=lambda r, n, dn: dn - m(dn) - n * m(dn * n)),
        "the mean added": layer_norm(dx=lambda r, n, dn: r * (dn + m(dn) - n * m(dn * n))), "n added": layer_norm(dx=lambda r, n, dn: r * (dn - m(dn) + n * m(dn * n))),
        "a sum": layer_norm(dx=lambda r, n, dn: r * (dn - m(dn) - n * (dn * n).sum(-1, keepdims=True))), "the mean over rows": layer_norm(dx=lambda r, n, dn: r * (dn - dn.mean(0) - n * m(dn * n))),
        "ε forgotten": layer_norm(dx=lambda r, n, dn: r * (dn - m(dn) - n * m(dn * n) / m(n * n))), "r³": layer_norm(dx=lambda r, n, dn: r**3 * (dn - m(dn) - n * m(dn * n))),
        "db by n": layer_norm(db=lambda dy, n: n.sum(0)), "db a mean": layer_norm(db=lambda dy, n: dy.mean(0)), "db is 0": layer_norm(db=lambda dy, n: 0 * n[0]),
        "db over channels": layer_norm(db=lambda dy, n: dy.sum()), "dw is dy": layer_norm(dw=lambda dy, n: dy.sum(0)), "dw a mean": layer_norm(dw=lambda dy, n: (dy * n).mean(0)),
        "dw and db exchanged": layer_norm(dw=lambda dy, n: dy.sum(0), db=lambda dy, n: (dy * n).sum(0)),
    },
}  # fmt: skip
