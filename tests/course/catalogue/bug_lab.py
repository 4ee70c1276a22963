"""Answers to notebook 10."""

import math

import numpy as np

from course.solutions import solution

FIND = solution("10_bug_lab", "find")["find"]
THREE = solution("10_bug_lab", "repaired")
rows_of, step_loss, update = (THREE[name] for name in ("rows_of", "step_loss", "update"))


def three(rows=rows_of, loss=step_loss, move=update):
    return rows, loss, move


def if_named(name, other):
    """The solution, with one name instead of another."""
    return lambda run, right: other if FIND(run, right) == name else FIND(run, right)


def by_score(run, right):
    scores = {
        "no-shift": run["stop_rate"] < 0.5 and run["held_out_loss"] > 0.3,
        "end-token-masked": run["stop_rate"] < 0.5 and run["held_out_loss"] < 0.3,
        "test-rows-in-training": run["stop_rate"] >= 0.5 and run["true_held_out_loss"] > 1.25 * run["held_out_loss"],
    }
    return next((name for name, holds in scores.items() if holds), "none")


def with_logs(run, right):
    wide = math.log(run["true_held_out_loss"]) - math.log(run["held_out_loss"])
    usual = math.log(right["true_held_out_loss"]) - math.log(right["held_out_loss"])
    if run["exact_match"] < 0.5:
        return "end-token-masked" if run["held_out_loss"] < 0.2 else "no-shift"
    return "none" if wide - usual < math.log(1.25) else "test-rows-in-training"


def by_truth(run, right):
    if run["true_held_out_loss"] > 20 * right["true_held_out_loss"]:
        return "no-shift" if run["true_held_out_loss"] > 3 else "end-token-masked"
    return (
        "none"
        if run["held_out_loss"] * 1.25
        > run["true_held_out_loss"] * right["held_out_loss"] / right["true_held_out_loss"]
        else "test-rows-in-training"
    )


def by_ratio(run, right):
    never = not run["stop_rate"] > 0.9 * right["stop_rate"]
    if never and run["loss"] > right["loss"]:
        return "no-shift"
    if never:
        return "end-token-masked"
    return ["none", "test-rows-in-training"][
        run["true_held_out_loss"] * right["held_out_loss"] > 1.25 * right["true_held_out_loss"] * run["held_out_loss"]
    ]


def rows_loop(ids, is_y):
    count = sum(bool(y) for y in is_y[1:])
    return [int(i) for i in ids[1:]], [1 / count if y else 0.0 for y in is_y[1:]]


def loss_loop(losses, masks):
    total, count = 0.0, 0
    for loss, mask in zip(losses, masks):
        for value, counts in zip(loss, mask):
            total, count = total + value * counts, count + counts
    return total / count


def move(
    inside=False, correct=True, sign=-1, beta=(0.9, 0.999), eps=1e-8, rate=1e-2, late=0, squared=True, second=True
):
    def moved(w, d, m, v, t):
        b1, b2 = beta
        m, v = b1 * m + (1 - b1) * d, b2 * v + (1 - b2) * (d * d if squared else abs(d))
        m_hat = m / (1 - b1 ** (t + late)) if correct else m
        v_hat = v / (1 - b2 ** (t + late)) if correct and second else v
        return w + sign * rate * m_hat / (np.sqrt(v_hat + eps) if inside else np.sqrt(v_hat) + eps)

    return moved


def lerp(w, d, m, v, t):
    m = m + 0.1 * (d - m)
    v = v + 0.001 * (np.square(d) - v)
    return w - 0.01 * (m / (1 - 0.9**t)) / (1e-8 + (v / (1 - 0.999**t)) ** 0.5)


def in_order(J, sequences):
    return not np.isclose(J(sequences), J(sequences[::-1]), rtol=1e-10, atol=0) or not np.isclose(
        J(sequences), sum(map(J, ([s] for s in sequences))), rtol=1e-10, atol=0
    )


def pairs(J, sequences):
    return any(abs(J([a, b]) - J([a]) - J([b])) > 1e-8 for a in sequences for b in sequences)


def by_exp(J, sequences):
    return not math.isclose(J(sequences), math.fsum(J([s]) for s in sequences), rel_tol=1e-11)


def growing(J, sequences):
    return any(
        abs(J(sequences[: n + 1]) - J(sequences[:n]) - J([sequences[n]])) > 1e-7 for n in range(1, len(sequences))
    )


def with_the_first(J, sequences):
    a, *others = sequences
    return bool(max(abs(J([a, b]) - J([a]) - J([b])) for b in others) > 1e-6)


RIGHT = {
    "find": {"the solution": FIND, "thresholds": by_score, "logs": with_logs, "the truth": by_truth, "ratios": by_ratio},
    "repaired": {
        "the solution": three(), "loops": three(rows_loop, loss_loop), "another spelling": three(move=lerp), "parameters": three(move=move()),
        "sums of all": three(loss=lambda losses, masks: np.sum(np.array(losses) * np.array(masks)) / np.sum(masks)), "concatenated": three(loss=lambda losses, masks: np.concatenate(losses)[np.concatenate(masks)].mean()), "where": three(lambda ids, is_y: (ids[1:], np.where(is_y[1:], 1 / np.count_nonzero(is_y[1:]), 0))),
    },
    "leaks": {"the solution": solution("10_bug_lab", "leaks")["leaks"], "order and parts": in_order, "all pairs": pairs, "math": by_exp, "one more each time": growing, "with the first": with_the_first},
}  # fmt: skip
WRONG = {
    "find": {
        "always none": lambda run, right: "none", "always no-shift": lambda run, right: "no-shift", "never stops is one": if_named("no-shift", "end-token-masked"), "the other way": if_named("end-token-masked", "no-shift"), "the test is fine": if_named("test-rows-in-training", "none"), "everybody knows the test": if_named("none", "test-rows-in-training"), "another word": if_named("none", "right"), "capitals": lambda run, right: FIND(run, right).upper(),
        "by the loss": lambda run, right: "no-shift" if run["loss"] > 2 * right["loss"] else "none", "by exact match": lambda run, right: "none" if run["exact_match"] > 0.5 else "no-shift", "by exact match alone": lambda run, right: "none" if run["exact_match"] > 0.5 else "end-token-masked", "a list": lambda run, right: [FIND(run, right)], "a number": lambda run, right: 1, "a higher score is cheating": lambda run, right: "test-rows-in-training" if run["exact_match"] > 0.5 else FIND(run, right), "the right run": lambda run, right: FIND(right, right), "turned round": lambda run, right: FIND(right, run), "an unknown number": lambda run, right: run["accuracy"],
    },
    "repaired": {
        "no shift": three(lambda ids, is_y: (ids[:-1], is_y[1:] / is_y[1:].sum())), "the mask of the inputs": three(lambda ids, is_y: (ids[1:], is_y[:-1] / is_y[:-1].sum())), "neither": three(lambda ids, is_y: (ids[:-1], is_y[:-1] / is_y[:-1].sum())), "shifted twice": three(lambda ids, is_y: (ids[2:], is_y[2:] / is_y[2:].sum())), "x too": three(lambda ids, is_y: (ids[1:], np.full(len(ids) - 1, 1 / (len(ids) - 1)))), "not divided": three(lambda ids, is_y: (ids[1:], is_y[1:] * 1.0)), "without the end": three(lambda ids, is_y: (ids[1:], np.append(is_y[1:-1], False) / is_y[1:-1].sum())), "by all rows": three(lambda ids, is_y: (ids[1:], is_y[1:] / len(is_y[1:]))), "truth": three(lambda ids, is_y: (ids[1:], is_y[1:])), "one of two": three(lambda ids, is_y: ids[1:]),
        "a mean of means": three(loss=lambda losses, masks: np.mean([(a * m).sum() / m.sum() for a, m in zip(losses, masks)])), "a sum of means": three(loss=lambda losses, masks: sum((a * m).sum() / m.sum() for a, m in zip(losses, masks))), "all places": three(loss=lambda losses, masks: sum((a * m).sum() for a, m in zip(losses, masks)) / sum(m.size for m in masks)), "no mask": three(loss=lambda losses, masks: np.mean(losses)), "a sum": three(loss=lambda losses, masks: sum((a * m).sum() for a, m in zip(losses, masks))), "the last one": three(loss=lambda losses, masks: losses[-1][masks[-1]].mean()), "a median": three(loss=lambda losses, masks: np.median(np.concatenate(losses)[np.concatenate(masks)])), "the sign": three(loss=lambda losses, masks: -step_loss(losses, masks)),
        "ε inside": three(move=move(inside=True)), "not corrected": three(move=move(correct=False)), "both": three(move=move(inside=True, correct=False)), "up": three(move=move(sign=1)), "up, ε inside": three(move=move(sign=1, inside=True)), "t + 1": three(move=move(late=1)), "v not corrected": three(move=move(second=False)), "no square": three(move=move(squared=False)), "betas exchanged": three(move=move(beta=(0.999, 0.9))), "plain descent": three(move=lambda w, d, m, v, t: w - 1e-2 * d), "nothing moves": three(move=lambda w, d, m, v, t: w), "another rate": three(move=move(rate=1e-3)), "no ε": three(move=move(eps=1e-12)), "m and v too": three(move=lambda w, d, m, v, t: (update(w, d, m, v, t), m, v)),
    },
    "leaks": {
        "always": lambda J, sequences: True, "never": lambda J, sequences: False, "exactly": lambda J, sequences: sum(J([s]) for s in sequences[::-1]) != J(sequences) or sum(J([s]) for s in sequences) != J(sequences) or True, "the first alone": lambda J, sequences: J(sequences[:1]) != J(sequences[:1]), "too lenient": lambda J, sequences: abs(J(sequences) - sum(J([s]) for s in sequences)) > 1e3, "the other way": lambda J, sequences: not pairs(J, sequences), "a number": lambda J, sequences: abs(J(sequences) - sum(J([s]) for s in sequences)), "J is small": lambda J, sequences: J(sequences) < -20, "means": lambda J, sequences: abs(J(sequences) - np.mean([J([s]) for s in sequences])) > 1e-6,
        "called with one": lambda J, sequences: J(sequences[0]) > 0, "a text": lambda J, sequences: "yes", "twice the same": lambda J, sequences: abs(J(sequences) - J(sequences)) > 1e-9, "by length": lambda J, sequences: len(sequences) > 3, "the last is missing": lambda J, sequences: abs(J(sequences) - sum(J([s]) for s in sequences[:-1])) > 1e-9, "positive": lambda J, sequences: J(sequences) > 0,
    },
}  # fmt: skip
