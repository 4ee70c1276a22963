"""Answers to notebook 01."""

import math
from itertools import product

import numpy as np


def log_softmax(z):
    z = z - z.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


def looped(logits, ids, is_y):
    total = 0.0
    for i in range(1, len(ids)):
        if is_y[i]:
            row = [float(z) for z in logits[i - 1]]
            top = max(row)
            total += row[int(ids[i])] - top - math.log(math.fsum(math.exp(z - top) for z in row))
    return total


def by_logaddexp(logits, ids, is_y):
    log_pi = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    return float(np.where(is_y[1:], np.take_along_axis(log_pi[:-1], ids[1:, None], -1)[:, 0], 0).sum())


def by_rows(logits, ids, is_y, shift=1, when=None, reduce=np.sum, log_pi=log_softmax):
    """The solution with something replaced."""
    places = np.flatnonzero(is_y) if when is None else when(is_y)
    return reduce(log_pi(logits)[places - shift, ids[places]])


def naive(logits, log=np.log):
    e = np.exp(logits)
    return log(e / e.sum(-1, keepdims=True))


def changing(logits, ids, is_y):
    logits -= logits.max(-1, keepdims=True)
    return by_rows(logits, ids, is_y)


def product_of_pr(logits, ids, is_y):
    return np.log(np.exp(log_softmax(logits))[np.flatnonzero(is_y) - 1, ids[is_y]].prod())


LOG_PR_WRONG = {
    "not shifted": lambda z, i, m: by_rows(z, i, m, shift=0),
    "shifted the other way": lambda z, i, m: by_rows(np.vstack([z, z[:1]]), i, m, shift=-1),
    "x too": lambda z, i, m: by_rows(z, i, m, when=lambda m: np.arange(1, len(m))),
    "x only": lambda z, i, m: by_rows(z, i, m, when=lambda m: np.flatnonzero(~m)[1:]),
    "without the end token": lambda z, i, m: by_rows(z, i, m, when=lambda m: np.flatnonzero(m)[:-1]),
    "without the first of y": lambda z, i, m: by_rows(z, i, m, when=lambda m: np.flatnonzero(m)[1:]),
    "to the end of the sequence": lambda z, i, m: by_rows(z, i, m, when=lambda m: np.arange(m.argmax(), len(m))),
    "the first token of y alone": lambda z, i, m: by_rows(z, i, m, when=lambda m: np.flatnonzero(m)[:1]),
    "a mean": lambda z, i, m: by_rows(z, i, m, reduce=np.mean),
    "the sign": lambda z, i, m: -by_rows(z, i, m),
    "no log": lambda z, i, m: np.exp(by_rows(z, i, m)),
    "bits": lambda z, i, m: by_rows(z, i, m) / np.log(2),
    "the logits themselves": lambda z, i, m: by_rows(z, i, m, log_pi=lambda z: z),
    "softmax along the rows": lambda z, i, m: by_rows(z, i, m, log_pi=lambda z: log_softmax(z.T).T),
    "a sum of Pr": lambda z, i, m: by_rows(z, i, m, log_pi=lambda z: np.exp(log_softmax(z))),
    "overflow": lambda z, i, m: by_rows(z, i, m, log_pi=naive),
    "the product underflows": product_of_pr,
    "a floor under Pr": lambda z, i, m: by_rows(z, i, m, log_pi=lambda z: naive(z, lambda p: np.log(p + 1e-12))),
    "clipped Pr": lambda z, i, m: by_rows(z, i, m, log_pi=lambda z: np.log(np.exp(log_softmax(z)).clip(1e-300))),
    "float32": lambda z, i, m: by_rows(z.astype(np.float32), i, m),
    "greedy tokens": lambda z, i, m: by_rows(z, i, m, log_pi=lambda z: np.broadcast_to(log_softmax(z).max(-1, keepdims=True), z.shape)),
    "one row of y is one too far": lambda z, i, m: log_softmax(z)[:-1][m[1:]][:, 0].sum(),
    "changes the logits": changing,
    "a vector": lambda z, i, m: log_softmax(z)[np.flatnonzero(m) - 1, i[m]],
    "the largest logit of everything is taken off": lambda z, i, m: by_rows(z, i, m, log_pi=lambda z: (z - z.max()) - np.log(np.exp(z - z.max()).sum(-1, keepdims=True) + 1e-300)),
}  # fmt: skip


def mean_of(select):
    return lambda v, m: float(np.exp(-np.mean(v[select(m)])))


def grown(next_pr, length, stop_at=0):
    done, open_now = {}, [((), 1.0)]
    for _ in range(length):
        nxt = []
        for y, p in open_now:
            for token, q in enumerate(next_pr(y)):
                if token == stop_at:
                    done[(*y, token)] = p * float(q)
                else:
                    nxt.append(((*y, token), p * float(q)))
        open_now = nxt
    return done, sum(p for _, p in open_now)


def recursive(next_pr, length, y=(), p=1.0):
    if y and y[-1] == 0:
        return {y: p}, 0.0
    if len(y) == length:
        return {}, p
    found, left = {}, 0.0
    for token, q in enumerate(next_pr(y)):
        more, rest = recursive(next_pr, length, (*y, token), p * q)
        found |= more
        left += rest
    return found, left


def by_product(next_pr, length):
    V, found = len(next_pr(())), {}
    for n in range(length):
        for head in product(range(1, V), repeat=n):
            y, p = (*head, 0), 1.0
            for i, token in enumerate(y):
                p *= next_pr(y[:i])[token]
            found[y] = p
    return found, 1 - sum(found.values())


def with_logs(next_pr, length):
    found, left = recursive(next_pr, length)
    return {tuple(np.array(y).tolist()): np.exp(np.log(p)) for y, p in found.items()}, np.exp(np.log(left))


def backwards(next_pr, length):
    found, left = recursive(next_pr, length)
    return dict(reversed(found.items())), left


def of_answers(change=lambda f, u: (f, u), shorter=0):
    return lambda next_pr, length: change(*recursive(next_pr, length - shorter))


def by_choice(next_pr, rng, length):
    y = []
    for _ in range(length):
        p = next_pr(tuple(y))
        y.append(int(rng.choice(len(p), p=p)))
        if y[-1] == 0:
            break
    return y


def by_inverse(next_pr, rng, length):
    y = []
    while len(y) < length:
        y.append(int(np.searchsorted(np.cumsum(next_pr(tuple(y))), rng.random(), side="right")))
        if not y[-1]:
            return y
    return y


def by_gumbel(next_pr, rng, length):
    y = []
    while len(y) < length and 0 not in y:
        with np.errstate(divide="ignore"):
            y.append(int(np.argmax(np.log(next_pr(tuple(y))) + rng.gumbel(size=len(next_pr(()))))))
    return y


def by_recursion(next_pr, rng, length, y=()):
    if len(y) == length or 0 in y:
        return list(y)
    p = next_pr(y)
    return by_recursion(next_pr, rng, length, (*y, int(rng.choice(len(p), p=p))))


def by_multinomial(next_pr, rng, length):
    y = []
    while len(y) < length and (not y or y[-1] != 0):
        y.append(int(rng.multinomial(1, next_pr(tuple(y))).argmax()))
    return y


def drawing(pick=lambda p, rng: rng.choice(len(p), p=p), end=lambda y, length: len(y) >= length or 0 in y,
            given=tuple, made=list):  # fmt: skip
    def draw(next_pr, rng, length):
        y = []
        while not end(y, length) and len(y) < 50:
            y.append(int(pick(np.asarray(next_pr(given(y))), rng)))
        return made(y)

    return draw


def tempered(p, rng, power):
    q = p**power / (p**power).sum()
    return rng.choice(len(p), p=q)


RIGHT = {
    "log_pr": {
        "a loop over tokens": looped,
        "logaddexp and where": by_logaddexp,
        "rows": by_rows,
        "an array without axes": lambda z, i, m: np.array(by_rows(z, i, m)),
        "longdouble": lambda z, i, m: by_rows(z.astype(np.longdouble), i, m),
        "a weighted sum": lambda z, i, m: m[1:] @ log_softmax(z)[np.arange(len(i) - 1), i[1:]],
        "one-hot": lambda z, i, m: (np.eye(z.shape[1])[i[1:]] * m[1:, None] * log_softmax(z[:-1])).sum(),
    },
    "perplexity": {
        "boolean index": lambda v, m: np.exp(-v[m[1:]].mean()),
        "a loop": lambda v, m: math.exp(-sum(a for a, b in zip(v, m[1:]) if b) / sum(bool(b) for b in m[1:])),
        "a power": lambda v, m: np.e ** -np.average(v, weights=m[1:]),
        "one over the geometric mean": lambda v, m: 1 / np.exp(v[m[1:]].sum() / m[1:].sum()),
        "flatnonzero": lambda v, m: np.exp(-v[np.flatnonzero(m) - 1]).prod() ** (1 / m.sum()),
        "two to the bits": lambda v, m: 2 ** -(v[m[1:]] / np.log(2)).mean(),
    },
    "answers": {"a list of open ones": grown, "recursion": recursive, "product": by_product, "logs": with_logs,
                "another order": backwards},
    "draw": {"choice": by_choice, "inverse": by_inverse, "Gumbel": by_gumbel, "recursion": by_recursion,
             "multinomial": by_multinomial},
}  # fmt: skip
WRONG = {
    "log_pr": LOG_PR_WRONG,
    "perplexity": {
        "not shifted": mean_of(lambda m: m[:-1]),
        "x too": mean_of(lambda m: slice(None)),
        "x only": mean_of(lambda m: ~m[1:]),
        "without the last": mean_of(lambda m: np.flatnonzero(m[1:])[:-1]),
        "without the first": mean_of(lambda m: np.flatnonzero(m[1:])[1:]),
        "the sign": lambda v, m: np.exp(v[m[1:]].mean()),
        "no exp": lambda v, m: -v[m[1:]].mean(),
        "a sum": lambda v, m: np.exp(-v[m[1:]].sum()),
        "divided by all": lambda v, m: np.exp(-v[m[1:]].sum() / len(v)),
        "divided by n": lambda v, m: np.exp(-v[m[1:]].sum() / len(m)),
        "the mean of exp": lambda v, m: np.exp(-v[m[1:]]).mean(),
        "one over the mean of Pr": lambda v, m: 1 / np.exp(v[m[1:]]).mean(),
        "two to the nats": lambda v, m: 2 ** -v[m[1:]].mean(),
        "the median": lambda v, m: np.exp(-np.median(v[m[1:]])),
        "zeros for x": lambda v, m: np.exp(-(v * m[1:]).mean()),
        "one less in the mean": lambda v, m: np.exp(-v[m[1:]].sum() / (m[1:].sum() - 1)),
        "float32": lambda v, m: np.exp(-v[m[1:]].astype(np.float32).mean()),
    },
    "answers": {
        "one token too few": of_answers(shorter=1),
        "one token too many": of_answers(shorter=-1),
        "only the finished": lambda f, n: recursive(f, n)[0],
        "unfinished is 0": of_answers(lambda f, u: (f, 0.0)),
        "unfinished is 1 minus twice": of_answers(lambda f, u: (f, 1 - u)),
        "log Pr": of_answers(lambda f, u: ({y: np.log(p) for y, p in f.items()}, u)),
        "without the end token in y": of_answers(lambda f, u: ({y[:-1]: p for y, p in f.items()}, u)),
        "lists of digits as text": of_answers(lambda f, u: ({str(y): p for y, p in f.items()}, u)),
        "normalised": of_answers(lambda f, u: ({y: p / sum(f.values()) for y, p in f.items()}, u)),
        "not the empty answer": of_answers(lambda f, u: ({y: p for y, p in f.items() if len(y) > 1}, u)),
        "the longest only": lambda f, n: ({y: p for y, p in recursive(f, n)[0].items() if len(y) == n}, recursive(f, n)[1]),
        "the other way round": of_answers(lambda f, u: (u, f)),
        "always the first distribution": lambda f, n: recursive(lambda y: f(()), n),
        "only the last token is given": lambda f, n: recursive(lambda y: f(y[-1:]), n),
        "another end token": lambda f, n: grown(f, n, stop_at=1),
        "the end token does not end": lambda f, n: ({y: np.prod([f(y[:i])[t] for i, t in enumerate(y)]) for y in product(range(len(f(()))), repeat=n)}, 0.0),
        "NumPy scalars of float32": of_answers(lambda f, u: ({y: np.float32(p) for y, p in f.items()}, np.float32(u))),
        "a list of pairs": of_answers(lambda f, u: (list(f.items()), u)),
    },
    "draw": {
        "greedy": drawing(lambda p, rng: p.argmax()),
        "uniform": drawing(lambda p, rng: rng.integers(len(p))),
        "always the first distribution": drawing(given=lambda y: ()),
        "the last token only": drawing(given=lambda y: tuple(y[-1:])),
        "never ends": drawing(end=lambda y, length: len(y) >= length),
        "no cut": drawing(end=lambda y, length: 0 in y),
        "one too long": drawing(end=lambda y, length: len(y) > length or 0 in y),
        "one too short": drawing(end=lambda y, length: len(y) >= length - 1 or 0 in y),
        "without the end token": drawing(made=lambda y: [t for t in y if t]),
        "an end token at the cut": drawing(made=lambda y: y if 0 in y else [*y[:-1], 0]),
        "sharper": drawing(lambda p, rng: tempered(p, rng, 2)),
        "flatter": drawing(lambda p, rng: tempered(p, rng, 0.5)),
        "not the end token": drawing(lambda p, rng: tempered(p * (np.arange(len(p)) > 0), rng, 1)),
        "its own generator": drawing(lambda p, rng: np.random.default_rng(0).choice(len(p), p=p)),
        "ends with 1": drawing(end=lambda y, length: len(y) >= length or 1 in y),
        "a text": drawing(made=str),
        "drawn backwards": drawing(made=lambda y: y[::-1]),
        "one token": drawing(made=lambda y: y[:1]),
    },
}  # fmt: skip
