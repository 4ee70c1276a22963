"""Answers to notebook 02."""

import math

import numpy as np

from course.solutions import solution
from minisft import data, evaluate, model

SOLVED = {name: solution("02_the_objective", name)[name] for name in ("J", "match", "missing", "own_loss")}


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def log_softmax(z):
    return np.log(softmax(z))


def terms(theta, config, x, y, first=None, last=None, start=None):
    """log Pr of some tokens of x, y laid end to end."""
    ids = np.concatenate((x, y)) if start is None else np.concatenate((start, x, y))
    z, _ = model.forward(theta, config, ids, np.array([0, len(ids)]), np.arange(len(ids) - 1))
    every = log_softmax(z)[np.arange(len(ids) - 1), ids[1:]]
    return every[len(x) - 1 if first is None else first : last]


def J_by(pair=np.sum, pairs=sum, **rows):
    return lambda theta, config, several: pairs([pair(terms(theta, config, x, y, **rows)) for x, y in several])


def all_at_once(theta, config, pairs):
    ids = np.concatenate([np.concatenate(pair) for pair in pairs])
    starts = np.cumsum([0, *(len(x) + len(y) for x, y in pairs)])
    rows = np.concatenate([s + len(x) - 1 + np.arange(len(y)) for s, (x, y) in zip(starts, pairs)])
    z, _ = model.forward(theta, config, ids, starts, rows)
    return log_softmax(z)[np.arange(len(rows)), ids[rows + 1]].sum()


def by_evaluate(theta, config, pairs):
    several = [data.Sequence(np.r_[x, y], np.r_[np.zeros(len(x), bool), np.ones(len(y), bool)], "") for x, y in pairs]
    return sum(values[s.is_y[1:]].sum() for (values, _), s in zip(evaluate.log_probs(theta, config, several), several))


def token_by_token(theta, config, pairs):
    total = 0.0
    for x, y in pairs:
        for i in range(len(y)):
            ids = np.concatenate((x, y[:i])).astype(int)
            z, _ = model.forward(theta, config, ids, np.array([0, len(ids)]), np.array([len(ids) - 1]))
            total += math.log(softmax(z)[0, y[i]])
    return total


def one_sequence(theta, config, pairs):
    ids = np.concatenate([np.concatenate(pair) for pair in pairs])
    starts = np.cumsum([0, *(len(x) + len(y) for x, y in pairs)])
    rows = np.concatenate([s + len(x) - 1 + np.arange(len(y)) for s, (x, y) in zip(starts, pairs)])
    z, _ = model.forward(theta, config, ids, np.array([0, len(ids)]), rows)
    return log_softmax(z)[np.arange(len(rows)), ids[rows + 1]].sum()


def matched(change):
    return lambda things, log_pr: change(SOLVED["match"](things, log_pr))


def swapped(a, b):
    return matched(lambda found: found | {a: found[b], b: found[a]})


def probing(f, n, size=0.1, x=-2.0):
    """The slopes of f by every entry of log_pr_y, and of log_pr_x."""
    log_x, log_y = np.full(n, x), -np.arange(1.0, n + 1)

    def slope(which, k):
        up = [log_x.copy(), log_y.copy()]
        up[which][k] += size
        return (f(*up) - f(log_x, log_y)) / size

    return np.array([[slope(which, k) for k in range(n)] for which in (0, 1)])


def by_slopes(f, n):
    on_x, on_y = probing(f, n)
    if np.any(on_x) and not np.any(on_y):
        return "y|x"
    if on_y.sum() < 0:
        return "argmax"
    if (np.abs(on_y) < 1e-12).any():
        return "Σ"
    return "nothing" if np.allclose(on_y, 1) else "log"


def by_candidates(f, n):
    rng = np.random.default_rng(5)
    a, b = -rng.uniform(0.5, 3, (2, n))
    value = f(a, b)
    known = {"nothing": b.sum(), "log": np.exp(b).sum(), "y|x": a.sum(), "argmax": -b.sum()}
    close = [name for name, number in known.items() if np.isclose(value, number)]
    return close[0] if close else "Σ"


def by_moving_all(f, n):
    rng = np.random.default_rng(1)
    x, y = -rng.random((2, n)) - 1
    if f(x, y) == f(x, y - 1):
        return "y|x"
    if f(x, y) < f(x, y - 1):
        return "argmax"
    if np.isclose(f(x, y) - f(x, y - 1), n):
        return "nothing"
    return "Σ" if np.isclose(f(x, y) - f(x, y - 1), 1) else "log"


def stepped(direction, of=lambda counts: counts / counts.sum()):
    return lambda z, counts, eta: z + eta * direction(of(counts), softmax(z))


def loss(value, slope):
    """A loss that is a function of p = π(y), and its slope by p."""

    def own(z, y):
        pi = softmax(z)
        p = pi[y]
        return value(p), slope(p) * p * (np.eye(len(z))[y] - pi)

    return own


def cross_entropy(z, y):
    pi = softmax(z)
    return -np.log(pi[y]), pi - np.eye(len(z))[y]


def squared(z, y):
    pi = softmax(z)
    d = pi - np.eye(len(z))[y]
    return 0.5 * (d**2).sum(), pi * (d - (pi * d).sum())


def smoothed(z, y, eps=0.1):
    pi, q = softmax(z), np.full(len(z), eps / len(z))
    q[y] += 1 - eps
    return -(q * np.log(pi)).sum(), pi - q


def hinge(z, y):
    others = np.where(np.arange(len(z)) == y, -np.inf, z)
    worst = int(others.argmax())
    gap = 1 + z[worst] - z[y]
    g = np.zeros(len(z))
    if gap > 0:
        g[worst], g[y] = 1, -1
    return max(0.0, gap), g


def changes_z(z, y):
    z -= z.max()
    return cross_entropy(z, y)


RIGHT = {
    "J": {"all at once": all_at_once, "evaluate": by_evaluate, "token by token": token_by_token, "terms": J_by(),
          "a dot product": lambda t, c, ps: math.fsum(terms(t, c, x, y) @ np.ones(len(y)) for x, y in ps)},
    "match": {
        "the solution": SOLVED["match"],
        "in another order": matched(lambda f: dict(reversed(f.items()))),
        "with a note of its own": matched(lambda f: dict(f)),
        "letters as texts of NumPy": matched(lambda f: {k: np.str_(v) for k, v in f.items()}),
        "after a look at everything": lambda things, log_pr: [repr(v) for v in things.values()] and SOLVED["match"](things, log_pr),
    },
    "missing": {"the solution": SOLVED["missing"], "slopes": by_slopes, "candidates": by_candidates,
                "all moved together": by_moving_all,
                "slopes by a small step": lambda f, n: by_slopes(lambda x, y: f(x, y), n)},
    "optimum": {
        "shares": lambda c: c / c.sum(),
        "a list": lambda c: [k / sum(c.tolist()) for k in c.tolist()],
        "exp of log": lambda c: np.exp(np.log(c) - np.log(c.sum())),
        "softmax of log": lambda c: softmax(np.log(c)),
        "bincount": lambda c: np.bincount(np.repeat(np.arange(len(c)), c)) / c.sum(),
        "a tuple": lambda c: tuple(c / np.add.reduce(c)),
    },
    "one_step": {
        "shares minus π": stepped(lambda f, pi: f - pi),
        "a list": lambda z, c, eta: [a + eta * (k / c.sum() - p) for a, k, p in zip(z, c, softmax(z))],
        "through the counts": lambda z, c, eta: z + eta / c.sum() * (c - c.sum() * softmax(z)),
        "one-hot": lambda z, c, eta: z + eta * sum(k * (np.eye(len(z))[i] - softmax(z)) for i, k in enumerate(c)) / c.sum(),
        "the Jacobian": lambda z, c, eta: z + eta * (np.eye(len(z)) - softmax(z)[None]).T @ (c / c.sum()),
    },
    "own_loss": {
        "the focal loss": SOLVED["own_loss"],
        "squared error": squared,
        "label smoothing": smoothed,
        "one minus p": loss(lambda p: 1 - p, lambda p: -1.0),
        "minus the root": loss(lambda p: -np.sqrt(p), lambda p: -0.5 / np.sqrt(p)),
        "generalised cross-entropy": loss(lambda p: (1 - p**0.7) / 0.7, lambda p: -(p**-0.3)),
    },
}  # fmt: skip
WRONG = {
    "J": {
        "a mean over tokens": J_by(pair=np.mean),
        "a mean over pairs": J_by(pairs=np.mean),
        "the sign": J_by(pairs=lambda v: -sum(v)),
        "a product": J_by(pairs=np.prod),
        "one pair": J_by(pairs=lambda v: v[0]),
        "x too": J_by(first=0),
        "not shifted": lambda t, c, ps: sum(terms(t, c, x, np.r_[y, y[-1:]], first=len(x)).sum() for x, y in ps),
        "without the end token": lambda t, c, ps: sum(terms(t, c, x, y)[:-1].sum() for x, y in ps),
        "without the first token": lambda t, c, ps: sum(terms(t, c, x, y)[1:].sum() for x, y in ps),
        "the probability": J_by(pair=lambda v: np.exp(v.sum())),
        "the mean of Pr": J_by(pair=lambda v: np.exp(v).sum()),
        "y alone": lambda t, c, ps: sum(terms(t, c, y[:1], y[1:]).sum() for x, y in ps),
        "x given y": lambda t, c, ps: sum(terms(t, c, y, x).sum() for x, y in ps),
        "all in one sequence": one_sequence,
        "bits": J_by(pairs=lambda v: sum(v) / np.log(2)),
        "one number a pair": J_by(pairs=list),
        "float32": lambda t, c, ps: np.float32(all_at_once(t.astype(np.float32), c, ps)),
        "the last pair is left out": lambda t, c, ps: all_at_once(t, c, ps[:-1]),
        "the first pair counts twice": lambda t, c, ps: all_at_once(t, c, ps + ps[:1]),
    },
    "match": {
        **{f"{a} and {b} exchanged": swapped(a, b) for a, b in (("x", "y"), ("Σ", "argmax"), ("θ", "D"), ("D", "x"), ("Σ", "θ"))},
        "one is missing": matched(lambda f: {k: v for k, v in f.items() if k != "x"}),
        "the other way round": matched(lambda f: {v: k for k, v in f.items()}),
        "always the alphabet": lambda things, log_pr: dict(zip(("Σ", "D", "x", "y", "θ", "argmax"), things)),
        "things instead of letters": lambda things, log_pr: {k: things[v] for k, v in SOLVED["match"](things, log_pr).items()},
        "a list of letters": matched(lambda f: list(f.values())),
        "letters in lower case": matched(lambda f: {k: v.lower() for k, v in f.items()}),
        "one letter for all": lambda things, log_pr: dict.fromkeys(("Σ", "D", "x", "y", "θ", "argmax"), next(iter(things))),
        "the gradient for θ": lambda things, log_pr: SOLVED["match"](things, log_pr) | {"θ": next(k for k, v in things.items() if getattr(v, "dtype", np.dtype(int)).kind == "f" and k != SOLVED["match"](things, log_pr)["θ"])},
        "empty": lambda things, log_pr: {},
    },
    "missing": {
        **{f"always {name}": lambda f, n, name=name: name for name in ("nothing", "Σ", "log", "y|x", "argmax")},
        "the first entry only": lambda f, n: "Σ" if probing(f, n)[1, 0] == 0 else by_slopes(f, n) if by_slopes(f, n) != "Σ" else "nothing",
        "by sign alone": lambda f, n: "argmax" if f(-np.ones(n), -np.ones(n)) > 0 else "nothing",
        "log taken for Σ": lambda f, n: {"log": "Σ"}.get(by_slopes(f, n), by_slopes(f, n)),
        "argmax taken for nothing": lambda f, n: {"argmax": "nothing"}.get(by_slopes(f, n), by_slopes(f, n)),
        "lower case": lambda f, n: by_slopes(f, n).upper(),
        "a number": lambda f, n: ["nothing", "Σ", "log", "y|x", "argmax"].index(by_slopes(f, n)),
        "by its name": lambda f, n: f.__name__,
        "y|x taken for Σ": lambda f, n: {"y|x": "Σ"}.get(by_slopes(f, n), by_slopes(f, n)),
    },
    "optimum": {
        "uniform": lambda c: np.full(len(c), 1 / len(c)),
        "the counts": lambda c: c,
        "softmax of the counts": lambda c: softmax(c.astype(float)),
        "the largest only": lambda c: np.eye(len(c))[c.argmax()],
        "squares": lambda c: c**2 / (c**2).sum(),
        "roots": lambda c: np.sqrt(c) / np.sqrt(c).sum(),
        "one more each": lambda c: (c + 1) / (c + 1).sum(),
        "divided by the largest": lambda c: c / c.max(),
        "divided by the norm": lambda c: c / np.linalg.norm(c),
        "whole numbers": lambda c: c // c.sum(),
        "turned round": lambda c: (c / c.sum())[::-1],
        "sorted": lambda c: np.sort(c) / c.sum(),
        "log": lambda c: np.log(c / c.sum()),
        "float32": lambda c: (c / c.sum()).astype(np.float32),
        "a column": lambda c: (c / c.sum())[:, None],
        "changes the counts": lambda c: np.divide(c, c.sum(), out=c, casting="unsafe"),
    },
    "one_step": {
        "down": stepped(lambda f, pi: pi - f),
        "not divided": stepped(lambda f, pi: f - f.sum() * pi, of=lambda c: c),
        "counts against π": stepped(lambda f, pi: f - pi, of=lambda c: c),
        "only the targets": stepped(lambda f, pi: f),
        "only π": stepped(lambda f, pi: -pi),
        "by π": stepped(lambda f, pi: f / pi),
        "in π": stepped(lambda f, pi: pi * (f - pi)),
        "squared error": stepped(lambda f, pi: pi * (f - pi - (pi * (f - pi)).sum())),
        "only the step": lambda z, c, eta: eta * (c / c.sum() - softmax(z)),
        "π instead of z": lambda z, c, eta: softmax(z) + eta * (c / c.sum() - softmax(z)),
        "eta forgotten": lambda z, c, eta: z + (c / c.sum() - softmax(z)),
        "twice": lambda z, c, eta: z + 2 * eta * (c / c.sum() - softmax(z)),
        "a mean over K": lambda z, c, eta: z + eta * (c / c.sum() - softmax(z)) / len(z),
        "overflow": lambda z, c, eta: z + eta * (c / c.sum() - np.exp(z) / np.exp(z).sum()) * (z + 1e-3),
        "changes z": lambda z, c, eta: np.add(z, eta * (c / c.sum() - softmax(z)), out=z),
        "the optimum": lambda z, c, eta: np.log(c / c.sum()),
    },
    "own_loss": {
        "the slope has the other sign": lambda z, y: (squared(z, y)[0], -squared(z, y)[1]),
        "the slope of another loss": lambda z, y: (squared(z, y)[0], cross_entropy(z, y)[1]),
        "half of it": lambda z, y: (squared(z, y)[0], 0.5 * squared(z, y)[1]),
        "without π": lambda z, y: (squared(z, y)[0], softmax(z) - np.eye(len(z))[y]),
        "the value alone": lambda z, y: squared(z, y)[0],
        "the slope alone": lambda z, y: squared(z, y)[1],
        "the other way round": lambda z, y: squared(z, y)[::-1],
        "constant": lambda z, y: (0.0, np.zeros(len(z))),
        "it rises where the target is likelier": loss(lambda p: p, lambda p: 1.0),
        "another target": lambda z, y: squared(z, (y + 1) % len(z)),
        "a column": lambda z, y: (squared(z, y)[0], squared(z, y)[1][:, None]),
        "NaN": lambda z, y: (np.nan, squared(z, y)[1]),
        "changes z": changes_z,
        "the target is left out of the slope": lambda z, y: (squared(z, y)[0], squared(z, y)[1] * (np.arange(len(z)) != y)),
        "a difference in float32": lambda z, y: (squared(z, y)[0], squared(z.astype(np.float32), y)[1]),
    },
}  # fmt: skip
