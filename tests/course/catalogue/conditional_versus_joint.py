"""Answers to notebook 08."""

import math
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from course.solutions import solution
from minisft import data, model, objective, train
from minisft.course.conditional_versus_joint import worlds
from minisft.course.conditional_versus_joint.long_table import measured
from minisft.course.conditional_versus_joint.outcomes import at_the_end

SOLVED = {
    name: solution("08_conditional_versus_joint", name)[name]
    for name in ("two_gradients", "completion_share", "weigh", "predict_winner", "my_objective")
}


# --- two_gradients ---------------------------------------------------------------------------------------------------


def gradient(theta, config, part, rows, weights=1.0, dJ=1.0, grad=None):
    grad = theta.like() if grad is None else grad
    w = np.full(len(rows), weights) if np.ndim(weights) == 0 else weights
    logits, cache = model.forward(theta, config, part.ids, part.starts, rows)
    _, c = objective.forward(logits, part.targets[rows], w)
    model.backward(theta, grad, config, cache, objective.backward(c, dJ))
    return grad


def degrees(a, b):
    return math.degrees(math.acos(float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))))


def by_weights(theta, config, part):
    """All rows, those that do not count with weight 0."""
    rows = np.arange(len(part.ids))
    x, y = (gradient(theta, config, part, rows, 1.0 * chosen).flat for chosen in (~part.is_y, part.is_y))
    return x, y, degrees(x, y)


def by_difference(theta, config, part):
    """∇ log Pr(x) as what is left of ∇ log Pr(x, y)."""
    y = gradient(theta, config, part, np.flatnonzero(part.is_y)).flat
    joint = gradient(theta, config, part, np.arange(len(part.ids))).flat
    return joint - y, y, degrees(joint - y, y)


def sequence_by_sequence(theta, config, part):
    sums = [theta.like(), theta.like()]
    for begin, end in pairwise(part.starts):
        one = part.ids[begin:end], np.array([0, end - begin])
        for grad, chosen in zip(sums, (~part.is_y[begin:end], part.is_y[begin:end])):
            rows = np.flatnonzero(chosen)
            logits, cache = model.forward(theta, config, *one, rows)
            _, c = objective.forward(logits, part.targets[begin:end][rows], np.ones(len(rows)))
            model.backward(theta, grad, config, cache, objective.backward(c, 1.0))
    x, y = (grad.flat for grad in sums)
    return [x, y, np.float64(degrees(x, y))]


def by_the_trainer(theta, config, part):
    found = []
    for chosen in (~part.is_y, part.is_y):
        grad = theta.like()
        train.value_and_grad(theta, grad, config, replace(part, weights=chosen.astype(float)), 1.0)
        found.append(grad.flat)
    cosine = np.dot(*found) / np.prod([np.linalg.norm(g) for g in found])
    return tuple(found) + (np.rad2deg(np.arccos(cosine)),)  # noqa: RUF005


def down_and_back(theta, config, part):
    """By the loss, and the sign taken back."""
    x, y = (-gradient(theta, config, part, np.flatnonzero(c), dJ=-1.0).flat for c in (~part.is_y, part.is_y))
    return x, y, degrees(x, y)


def changed(change):
    return lambda theta, config, part: change(*SOLVED["two_gradients"](theta, config, part))


def one_buffer(theta, config, part):
    grad = theta.like()
    x = gradient(theta, config, part, np.flatnonzero(~part.is_y), grad=grad).flat
    y = gradient(theta, config, part, np.flatnonzero(part.is_y), grad=grad).flat
    return x, y, 0.0


def not_cleared(theta, config, part):
    grad = theta.like()
    x = gradient(theta, config, part, np.flatnonzero(~part.is_y), grad=grad).flat.copy()
    y = gradient(theta, config, part, np.flatnonzero(part.is_y), grad=grad).flat.copy()
    return x, y, degrees(x, y)


def by_inputs(theta, config, part):
    chosen = np.append(False, part.is_y[:-1])
    x, y = (gradient(theta, config, part, np.flatnonzero(c)).flat for c in (~chosen, chosen))
    return x, y, degrees(x, y)


# --- shares, weights -------------------------------------------------------------------------------------------------


def counted(form, first=1):
    def answer(masks, lam):
        n_y = sum(int(m[first:].sum()) for m in masks)
        return form(sum(len(m) - first for m in masks) - n_y, n_y, lam)

    return answer


def by_collate(masks, lam):
    sequences = [data.Sequence(np.zeros(len(m), int), m, "") for m in masks]
    batch = data.collate(sequences, lam, "token_mean", np.float64)
    return batch.weights[batch.is_y].sum()


def share_loop(masks, prompt_loss_weight):
    of_y = whole = 0.0
    for mask in masks:
        for is_y in mask.tolist()[1:]:
            whole += 1.0 if is_y else prompt_loss_weight
            of_y += is_y
    return of_y / whole


def weigh_loop(mask, starts, lam, reduction):
    m = [1.0 if y else lam for y in mask.tolist()]
    if reduction == "token_mean":
        return [v / math.fsum(m) for v in m]
    if reduction == "sequence_mean":
        sums = [math.fsum(m[a:b]) for a, b in pairwise(starts)]
        count = sum(s > 0 for s in sums)
        return [v / s / count if s else 0.0 for a, b, s in zip(starts[:-1], starts[1:], sums) for v in m[a:b]]
    return m


def weigh_matrix(mask, starts, lam, reduction):
    m = mask + lam * ~mask
    belongs = np.searchsorted(starts, np.arange(len(m)), side="right")[:, None] == np.arange(1, len(starts))
    total = (belongs * m[:, None]).sum(0)
    return {
        "sum": m,
        "token_mean": m / total.sum(),
        "sequence_mean": m / np.maximum(belongs @ total, 1e-300) / np.count_nonzero(total),
    }[reduction]


def weighing(change):
    return lambda mask, starts, lam, reduction: change(mask, starts, lam, reduction, SOLVED["weigh"])


def only(name, change):
    """Another answer in one reduction."""
    return weighing(lambda m, s, lam, r, right: change(m, s, lam, right) if r == name else right(m, s, lam, r))


# --- rules -----------------------------------------------------------------------------------------------------------

MEASURED = [
    (
        f"{form}, {what}",
        worlds.length_ratio(form),
        what == "closed book",
        {
            name: at_the_end(measured("main" if form == "paragraphs" else form), f"{what}, exact")[rule]
            for name, rule in (("conditional", "λ = 0"), ("joint", "λ = 1"))
        },
    )
    for what in ("held out", "closed book")
    for form in ("polite y", "paragraphs", "wordy x")
]


def rule(f):
    return f, MEASURED


def ordinary(ratio, only_in_x):
    if only_in_x:
        return "joint"
    return "conditional"


def rising(mask):
    m = np.zeros(len(mask))
    m[mask] = np.arange(1, mask.sum() + 1)
    return m


RIGHT = {
    "two_gradients": {"the solution": SOLVED["two_gradients"], "by weights of 0": by_weights, "by difference": by_difference, "one sequence at a time": sequence_by_sequence, "by the trainer": by_the_trainer, "by the loss": down_and_back},
    "completion_share": {"the solution": SOLVED["completion_share"], "a loop": share_loop, "by collate": by_collate, "one minus": counted(lambda x, y, lam: 1 - lam * x / (lam * x + y)), "a ratio of ratios": counted(lambda x, y, lam: 1 / (1 + lam * x / y)), "a fraction": counted(lambda x, y, lam: float(Fraction(y) / (Fraction(lam) * x + y)))},
    "weigh": {"the solution": SOLVED["weigh"], "a loop, a list": weigh_loop, "a matrix": weigh_matrix, "the library's": lambda mask, starts, lam, r: data.weights(np.where(mask, 1.0, lam), starts, r), "a product": weighing(lambda m, s, lam, r, right: right(m, np.asarray(s).tolist(), lam, str(r)) * 1.0), "a tuple": lambda *a: tuple(weigh_loop(*a))},
    "predict_winner": {"the solution": rule(SOLVED["predict_winner"]), "two returns": rule(ordinary), "a tuple": rule(lambda r, x: ("conditional", "joint")[x]), "a dict": rule(lambda r, x: {True: "joint", False: "conditional"}[x]), "NumPy's text": rule(lambda r, x: np.where(x, "joint", "conditional")[()]), "the ratio in vain": rule(lambda r, x: "joint" if x and r > 0 else "conditional"), "a product": rule(lambda r, x: "joint" * x + "conditional" * (not x))},
    "my_objective": {"the solution": SOLVED["my_objective"], "rising along y": rising, "λ = 0.5": lambda m: np.where(m, 1, 0.5), "a list": lambda m: [2.0 if y else 0.5 for y in m], "each answer alike": lambda m: m / m.sum(), "whole numbers": lambda m: 3 * m + 1, "the end twice": lambda m: m + 1.0 * (np.arange(len(m)) == len(m) - 1), "falling along x": lambda m: np.where(m, 1.0, 1 / (1 + np.arange(len(m))))},
}  # fmt: skip
WRONG = {
    "two_gradients": {
        "exchanged": changed(lambda x, y, a: (y, x, a)), "of the loss": changed(lambda x, y, a: (-x, -y, a)), "radians": changed(lambda x, y, a: (x, y, np.radians(a))), "the cosine": changed(lambda x, y, a: (x, y, np.cos(np.radians(a)))), "the other angle": changed(lambda x, y, a: (x, y, 180 - a)), "the joint first": changed(lambda x, y, a: (x + y, y, a)), "unit vectors": changed(lambda x, y, a: (x / np.linalg.norm(x), y / np.linalg.norm(y), a)),
        "one buffer": one_buffer, "not cleared": not_cleared, "by inputs": by_inputs, "no angle": changed(lambda x, y, a: (x, y)), "angle first": changed(lambda x, y, a: (a, x, y)), "a dot product": changed(lambda x, y, a: (x, y, x @ y)), "against the joint": changed(lambda x, y, a: (x, y, degrees(x + y, y))), "means": lambda theta, config, part: changed(lambda x, y, a: (x / (~part.is_y).sum(), y / part.is_y.sum(), a))(theta, config, part), "norms": changed(lambda x, y, a: (np.linalg.norm(x), np.linalg.norm(y), a)),
        "float16": changed(lambda x, y, a: (x.astype(np.float16), y.astype(np.float16), a)), "a right angle": changed(lambda x, y, a: (x, y, 90.0)),
    },
    "completion_share": {
        "with the first token": counted(lambda x, y, lam: y / (lam * x + y), 0), "of x": counted(lambda x, y, lam: lam * x / (lam * x + y)), "a ratio": counted(lambda x, y, lam: y / (lam * x)), "no λ": counted(lambda x, y, lam: y / (x + y)), "λ on y": counted(lambda x, y, lam: lam * y / (lam * y + x)), "λ above, too": counted(lambda x, y, lam: lam * y / (lam * x + y)), "a mean of shares": lambda masks, lam: np.mean([share_loop([m], lam) for m in masks]),
        "percent": counted(lambda x, y, lam: 100 * y / (lam * x + y)), "N_y": counted(lambda x, y, lam: y), "the weight of a token": counted(lambda x, y, lam: 1 / (lam * x + y)), "the first sequence alone": lambda masks, lam: share_loop(masks[:1], lam), "the last token dropped": lambda masks, lam: share_loop([np.append(m[:1], m[:-1]) for m in masks], lam), "a list": lambda masks, lam: [share_loop([m], lam) for m in masks], "λ squared": counted(lambda x, y, lam: y / (lam**2 * x + y)), "rounded": counted(lambda x, y, lam: round(y / (lam * x + y), 2)),
    },
    "weigh": {
        "λ on y": weighing(lambda m, s, lam, r, right: right(~m, s, lam, r)), "no λ": weighing(lambda m, s, lam, r, right: right(m, s, 0.0, r)), "λ = 1": weighing(lambda m, s, lam, r, right: right(m, s, 1.0, r)), "λ after the divisor": weighing(lambda m, s, lam, r, right: np.where(m, right(m, s, 0.0, r), lam * right(~m, s, 0.0, r))), "over all rows": only("token_mean", lambda m, s, lam, right: np.where(m, 1.0, lam) / len(m)), "sum, normalised": only("sum", lambda m, s, lam, right: right(m, s, lam, "token_mean")),
        "all sequences": only("sequence_mean", lambda m, s, lam, right: np.concatenate([p / (p.sum() or 1) for p in np.split(np.where(m, 1.0, lam), s[1:-1])]) / (len(s) - 1)), "sequence sums": only("sequence_mean", lambda m, s, lam, right: right(m, s, lam, "sequence_mean") * (len(s) - 1)), "sequence as token": only("sequence_mean", lambda m, s, lam, right: right(m, s, lam, "token_mean")), "token as sequence": only("token_mean", lambda m, s, lam, right: right(m, s, lam, "sequence_mean")), "token as sum": only("token_mean", lambda m, s, lam, right: right(m, s, lam, "sum")),
        "shifted": weighing(lambda m, s, lam, r, right: right(np.append(False, m[:-1]), s, lam, r)), "shifted again": weighing(lambda m, s, lam, r, right: right(np.append(m[1:], False), s, lam, r)), "the sign": weighing(lambda m, s, lam, r, right: -right(m, s, lam, r)), "NaN where nothing counts": only("sequence_mean", lambda m, s, lam, right: np.concatenate([p / (p.sum() or np.nan) for p in np.split(np.where(m, 1.0, lam), s[1:-1])]) / 4), "one number": weighing(lambda m, s, lam, r, right: right(m, s, lam, r).sum()), "changes its mask": weighing(lambda m, s, lam, r, right: right(np.logical_not(m, out=m), s, lam, r)),
    },
    "predict_winner": {
        "always the first": rule(lambda r, x: "conditional"), "always the second": rule(lambda r, x: "joint"), "long": rule(lambda r, x: "joint" if r > 2 else "conditional"), "short": rule(lambda r, x: "joint" if r < 2 else "conditional"), "very long": rule(lambda r, x: "joint" if r > 10 else "conditional"), "the wrong way": rule(lambda r, x: "conditional" if x else "joint"), "long and in x": rule(lambda r, x: "joint" if x and r > 1 else "conditional"), "long or in x": rule(lambda r, x: "joint" if x or r > 10 else "conditional"), "truth": rule(lambda r, x: x), "a list": rule(lambda r, x: ["joint"] if x else ["conditional"]),
        "other words": rule(lambda r, x: "Joint" if x else "Conditional"), "not decided": rule(lambda r, x: "joint" if x else "not decided"), "λ": rule(lambda r, x: "λ = 1" if x else "λ = 0"), "nothing else": rule(lambda r, x: "joint" if x else None), "it fits six runs": rule(lambda r, x: "joint" if x or 3 < r < 11 else "conditional"), "and beyond them": rule(lambda r, x: "joint" if x and r < 20 else "conditional"),
    },
    "my_objective": {
        "the conditional": lambda m: 1.0 * m, "ten times it": lambda m: 10 * m, "the joint": lambda m: np.ones(len(m)), "λ = 0.1": lambda m: np.where(m, 1, 0.1), "ten times λ = 0.1": lambda m: np.where(m, 10, 1), "the last token": lambda m: 1.0 * (np.arange(len(m)) == len(m) - 1), "x alone": lambda m: 1.0 * ~m, "nothing": lambda m: np.zeros(len(m)), "the first row": lambda m: 1.0 * (np.arange(len(m)) == 0), "away from x": lambda m: np.where(m, 1.0, -0.2), "away from y": lambda m: -1.0 * m,
        "infinite": lambda m: m / 0.0, "one row too few": lambda m: np.arange(len(m) - 1.0), "a number": lambda m: m.mean(), "a column": lambda m: np.linspace(1, 2, len(m))[:, None], "chance": lambda m: np.random.default_rng().uniform(size=len(m)), "texts": lambda m: ["1"] * len(m), "turns its mask": lambda m: np.logical_not(m, out=m) * 1.0,
    },
}  # fmt: skip
