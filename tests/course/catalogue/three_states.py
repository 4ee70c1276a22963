"""Answers to notebook 07."""

import numpy as np

from course.solutions import solution
from minisft import train

SOLVED = {name: solution("07_three_states", name)[name] for name in ("flip_step", "divergence", "identify", "climb")}
SAVED = solution("07_three_states", "stop_and_go")
save, go_on = SAVED["save"], SAVED["go_on"]


def flip_loop(right):
    T1, n = right.shape
    found = []
    for j in range(n):
        t = T1
        while t > 0 and right[t - 1, j]:
            t -= 1
        found.append(t)
    return found


def flip(change):
    return lambda right: change(SOLVED["flip_step"](right), right)


def kl(log_pi, log_pi_hat):
    return sum(float(np.exp(a) @ (a - b)) for a, b in zip(log_pi, log_pi_hat)) / len(log_pi)


def of_kl(rows=np.mean, weight=lambda a, b: np.exp(a), inner=lambda a, b: a - b):
    return lambda a, b: rows((weight(a, b) * inner(a, b)).sum(-1))


def named(change):
    def identify(things, log_pi, prompt):
        return change(dict(SOLVED["identify"](things, log_pi, prompt)))

    return identify


def exchanged(a, b):
    return named(lambda found: {letter: {a: b, b: a}.get(s, s) for letter, s in found.items()})


def by_likelihood(things, log_pi, prompt):
    """ŷ: the rows whose tokens are likeliest under any of the vectors."""
    v = [k for k, a in things.items() if a.dtype.kind == "f"]
    t = [k for k, a in things.items() if a.dtype.kind != "f"]

    def J(vector, rows):
        return np.take_along_axis(log_pi(things[vector], things[rows]), things[rows][:, prompt:, None], -1).sum()

    own = {k: max(np.mean(log_pi(things[a], things[k]).argmax(-1) == things[k][:, prompt:]) for a in v) for k in t}
    replies = max(own, key=own.get)
    D = next(k for k in t if k != replies)
    order = sorted(v, key=lambda a: J(a, D))
    return dict(zip([*order, D, replies], ("θ̂", "θ_t", "θ̃", "D", "ŷ")))


def by_place(things, log_pi, prompt):
    """θ_t: the vector with the smallest sum of distances; the greater J of the two others is that of θ̃."""
    v = [k for k, a in things.items() if np.issubdtype(a.dtype, np.floating)]
    t = [k for k in things if k not in v]
    moving = min(v, key=lambda a: sum(float(np.abs(things[a] - things[b]).sum()) for b in v))
    hits = [np.count_nonzero(log_pi(things[moving], things[k]).argmax(-1) == things[k][:, prompt:]) for k in t]
    replies, D = t[int(np.argmax(hits))], t[int(np.argmin(hits))]
    x = things[D]
    J = {k: sum(log_pi(things[k], x)[i, j, x[i, prompt + j]] for i, j in np.ndindex(x[:, prompt:].shape)) for k in v}
    ends = sorted(set(v) - {moving}, key=J.get)
    return {moving: "θ_t", replies: "ŷ", D: "D", ends[0]: "θ̂", ends[1]: "θ̃"}


def first_of_any(things, log_pi, prompt):
    """ŷ: the first rows that any of the vectors would have answered, and J for the order."""
    v = [k for k, a in things.items() if a.dtype.kind == "f"]
    t = [k for k, a in things.items() if a.dtype.kind != "f"]
    own = [k for k in t if any((log_pi(things[a], things[k]).argmax(-1) == things[k][:, prompt:]).all() for a in v)]
    replies = (own or t)[0]
    D = t[1 - t.index(replies)]
    order = sorted(
        v, key=lambda a: np.take_along_axis(log_pi(things[a], things[D]), things[D][:, prompt:, None], -1).sum()
    )
    return dict(zip([*order, D, replies], ("θ̂", "θ_t", "θ̃", "D", "ŷ")))


def climbing(start=lambda t: t.copy(), step=lambda th, g, r: th + r * g, at=lambda th, hat: th, keep=lambda th: th.copy(),
             value=lambda th, hat: th, steps=lambda T: T, end=lambda th, path: th, extra=True):  # fmt: skip
    def climb(theta_hat, J, gradient, rate, T):
        th = start(theta_hat)
        path, values = [keep(th)], [J(value(th, theta_hat))]
        for _ in range(steps(T)):
            th = step(th, gradient(at(th, theta_hat)), rate)
            path.append(keep(th))
            values.append(J(value(th, theta_hat)))
        return end(th, path), path if extra else path[1:], values if extra else values[1:]

    return climb


def in_place(th, g, r):
    th += r * g
    return th


def climb_recursive(theta_hat, J, gradient, rate, T):
    def on(th, t):
        return [th] if t == T else [th, *on(th + rate * gradient(th), t + 1)]

    path = on(np.array(theta_hat), 0)
    return path[-1], path, list(map(J, path))


def climb_arrays(theta_hat, J, gradient, rate, T):
    path = np.empty((T + 1, len(theta_hat)))
    path[0] = theta_hat
    for t in range(T):
        path[t + 1] = path[t] + rate * gradient(path[t])
    return path[-1], list(path), [float(J(row)) for row in path]


def saving(change):
    return lambda state: change(save(state), state)


def without(name, value):
    def resume(saved, config, sequences, settings):
        return go_on(saved | {name: value(saved)}, config, sequences, settings)

    return save, resume


def from_theta(saved, config, sequences, settings):
    *_, state = train.finetune(saved["theta"], config, sequences, settings)
    return state


def deep(state):
    from copy import deepcopy

    return deepcopy(state)


def go_deep(saved, config, sequences, settings):
    from copy import deepcopy

    state = deepcopy(saved)
    for _ in train.train(state, config, sequences, settings):
        pass
    return state


def as_tuple(state):
    return (
        state.theta.copy(),
        {k: v.copy() for k, v in state.optimizer.moments.items()},
        state.optimizer.updates,
        state.step,
        state.num_tokens,
    )


def from_tuple(saved, *rest):
    return go_on(dict(zip(("theta", "moments", "updates", "step", "num_tokens"), saved)), *rest)


def last_of(saved, config, sequences, settings):
    state = go_deep(saved, config, sequences, settings)
    return state


RIGHT = {
    "flip_step": {"a loop": flip_loop, "the solution": SOLVED["flip_step"], "the last wrong one": lambda r: [int(np.flatnonzero(np.r_[True, ~r[:, j]])[-1]) for j in range(r.shape[1])],
                  "argmin from the end": lambda r: np.where(r.all(0), 0, len(r) - r[::-1].argmin(0)), "minimum.accumulate": lambda r: (~np.minimum.accumulate(r[::-1], 0)).sum(0)},
    "divergence": {"a loop": kl, "the solution": SOLVED["divergence"], "a trace": lambda a, b: np.trace(np.exp(a) @ (a - b).T) / len(a), "vecdot": lambda a, b: np.vecdot(np.exp(a), a - b).mean(),
                   "cross-entropy minus entropy": lambda a, b: float((-(np.exp(a) * b).sum(1) + (np.exp(a) * a).sum(1)).mean())},
    "identify": {"the solution": SOLVED["identify"], "by the sum of distances": by_place, "in another order": named(lambda f: dict(reversed(f.items()))), "texts of NumPy": named(lambda f: {k: np.str_(v) for k, v in f.items()}), "sorted": named(lambda f: dict(sorted(f.items())))},
    "climb": {"the solution": SOLVED["climb"], "new arrays": climbing(), "in place, with copies": climbing(step=in_place), "recursion": climb_recursive, "one array": climb_arrays, "a tuple of tuples": lambda *a: tuple(climbing()(*a))},
    "stop_and_go": {"the solution": (save, go_on), "deepcopy": (deep, go_deep), "a tuple": (as_tuple, from_tuple), "a list": (lambda s: list(as_tuple(s)), from_tuple), "a state": (lambda s: {"s": deep(s)}, lambda saved, *rest: go_deep(saved["s"], *rest))},
}  # fmt: skip
WRONG = {
    "flip_step": {
        "the first right step": lambda r: np.where(r.any(0), r.argmax(0), len(r)), "argmax": lambda r: r.argmax(0), "one early": flip(lambda f, r: f - 1), "one late": flip(lambda f, r: f + 1), "T for never": flip(lambda f, r: np.minimum(f, len(r) - 1)), "−1 for never": flip(lambda f, r: np.where(f == len(r), -1, f)), "0 for never": flip(lambda f, r: np.where(f == len(r), 0, f)),
        "how long": flip(lambda f, r: len(r) - f), "how often wrong": lambda r: (~r).sum(0), "how often right": lambda r: r.sum(0), "by rows": lambda r: SOLVED["flip_step"](r.T), "the last change": lambda r: [int(np.flatnonzero(np.diff(r[:, j].astype(int)) > 0).max(initial=-1) + 1) for j in range(r.shape[1])], "truth": flip(lambda f, r: f < len(r)), "NaN for never": flip(lambda f, r: np.where(f == len(r), np.nan, f)),
        "one number": flip(lambda f, r: f.mean()), "a column": flip(lambda f, r: f[:, None]), "not the first question": flip(lambda f, r: f[1:]), "changes the film": lambda r: len(r) - np.cumprod(np.logical_and(r, r, out=r)[::-1], axis=0).sum(0) if not r.fill(True) else 0,
    },
    "divergence": {
        "turned round": lambda a, b: kl(b, a), "by π̂": of_kl(weight=lambda a, b: np.exp(b)), "the sign": lambda a, b: -kl(a, b), "a sum": of_kl(np.sum), "not averaged": of_kl(lambda v: v), "a mean over V, too": lambda a, b: (np.exp(a) * (a - b)).mean(), "no weight": lambda a, b: (a - b).sum(-1).mean(), "a mean difference": lambda a, b: (a - b).mean(),
        "bits": lambda a, b: kl(a, b) / np.log(2), "cross-entropy": of_kl(inner=lambda a, b: -b), "entropy": of_kl(inner=lambda a, b: -a), "squared": lambda a, b: ((a - b) ** 2).sum(-1).mean(), "symmetric": lambda a, b: (kl(a, b) + kl(b, a)) / 2, "Jensen and Shannon": lambda a, b: (kl(a, np.logaddexp(a, b) - np.log(2)) + kl(b, np.logaddexp(a, b) - np.log(2))) / 2,
        "the likeliest alone": lambda a, b: np.mean([x[x.argmax()] - y[x.argmax()] for x, y in zip(a, b)]), "total variation": lambda a, b: 0.5 * np.abs(np.exp(a) - np.exp(b)).sum(-1).mean(), "log weights": of_kl(weight=lambda a, b: a), "the estimator": lambda a, b: (np.exp(b - a) - 1 - (b - a)).mean(), "float32": lambda a, b: np.float32(kl(a, b)), "absolute": of_kl(inner=lambda a, b: np.abs(a - b)),
        "difference of Pr": of_kl(inner=lambda a, b: np.exp(a) - np.exp(b)),
    },
    "identify": {
        "ŷ is the first that any gave": first_of_any, "ŷ is what any gave": by_likelihood,
        **{f"{a} and {b}": exchanged(a, b) for a, b in (("θ̂", "θ̃"), ("θ̂", "θ_t"), ("θ_t", "θ̃"), ("D", "ŷ"), ("θ̂", "D"))}, "one missing": named(lambda f: dict(list(f.items())[1:])), "the alphabet": lambda things, log_pi, prompt: dict(zip(things, ("θ̂", "θ_t", "θ̃", "D", "ŷ"))), "turned over": named(lambda f: {v: k for k, v in f.items()}), "a list": named(list), "one for all": named(lambda f: dict.fromkeys(f, "θ̂")), "empty": lambda *a: {},
        "by length": lambda things, log_pi, prompt: dict(zip(sorted((k for k, a in things.items() if a.dtype.kind == "f"), key=lambda k: -np.linalg.norm(things[k])), ("θ̂", "θ_t", "θ̃"))) | dict(zip((k for k, a in things.items() if a.dtype.kind != "f"), ("D", "ŷ"))), "small letters": named(lambda f: {k.lower(): v for k, v in f.items()}), "y for ŷ": named(lambda f: {k: v.replace("ŷ", "y") for k, v in f.items()}),
    },
    "climb": {
        "θ̂ is moved": climbing(start=lambda t: t, step=in_place), "the gradient at θ̂": climbing(at=lambda th, hat: hat), "J at θ̂": climbing(value=lambda th, hat: hat), "down": climbing(step=lambda th, g, r: th - r * g), "one array": climbing(step=in_place, keep=lambda th: th), "one step too many": climbing(steps=lambda T: T + 1), "one step too few": climbing(steps=lambda T: T - 1), "without the start": climbing(extra=False),
        "no rate": climbing(step=lambda th, g, r: th + g), "from 0": climbing(start=lambda t: 0 * t), "θ̃ is θ̂": climbing(end=lambda th, path: path[0]), "θ̃ is the last but one": climbing(end=lambda th, path: path[-2]), "from θ̂ each time": lambda hat, J, gradient, rate, T: climbing(step=lambda th, g, r: hat + r * g)(hat, J, gradient, rate, T), "by its sign": climbing(step=lambda th, g, r: th + r * np.sign(g)), "a unit step": climbing(step=lambda th, g, r: th + r * g / np.linalg.norm(g)),
        "two things": lambda *a: climbing()(*a)[:2], "another order": lambda *a: climbing()(*a)[::-1], "float32": climbing(start=lambda t: t.astype(np.float32)), "values late": lambda hat, J, gradient, rate, T: (lambda a, p, v: (a, p, [*v[1:], v[-1]]))(*climbing()(hat, J, gradient, rate, T)), "the best of the path": climbing(start=lambda t: t.copy(), end=lambda th, path: path[0] + 1e-3),
    },
    "stop_and_go": {
        "no moments": without("moments", lambda s: {k: 0 * v for k, v in s["moments"].items()}), "no updates": without("updates", lambda s: 0), "no step": without("step", lambda s: 0), "θ alone": (save, from_theta), "tokens forgotten": without("num_tokens", lambda s: 0), "one update too many": without("updates", lambda s: s["updates"] + 1), "one step too far": without("step", lambda s: s["step"] + 1),
        "live θ": (saving(lambda d, s: d | {"theta": s.theta}), go_on), "live moments": (saving(lambda d, s: d | {"moments": s.optimizer.moments}), go_on), "the state itself": (lambda s: s, go_deep), "one moment": without("moments", lambda s: s["moments"] | {next(iter(s["moments"])): 0 * s["moments"][next(iter(s["moments"]))]}), "float16": (saving(lambda d, s: d), lambda saved, *r: go_on(saved | {"theta": saved["theta"].astype(np.float16).astype(np.float32)}, *r)),
        "moments exchanged": without("moments", lambda s: dict(zip(s["moments"], reversed(list(s["moments"].values()))))), "nothing is done": (deep, lambda saved, *r: saved), "from the end": (save, lambda saved, config, sequences, settings: go_on(saved, config, sequences[::-1], settings)), "only θ̃": (save, lambda *a: go_on(*a).theta),
    },
}  # fmt: skip
