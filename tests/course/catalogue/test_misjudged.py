"""Answers that a check has once misjudged: praised though wrong, refused though right, or told what is not true of them.

One list for each: WRONG, (package, exercise, what it is, the answer, words of the sentence), and RIGHT. An exercise of
several functions has a tuple of them.
"""

import importlib

import numpy as np
import pytest

from course.catalogue.bug_lab import pairs, three
from course.catalogue.conditional_versus_joint import SOLVED, changed, counted, only, rule
from course.solutions import solution
from minisft.course import conditional_versus_joint, the_objective

# --- 00 --------------------------------------------------------------------------------------------------------------


def mean(equal):
    return lambda predicted, expected: float(np.mean([equal(p, e) for p, e in zip(predicted, expected)]))


def bare(text):
    return text.strip().translate(str.maketrans("áàâãäéèêíïóôõöúüçñ", "aaaaaeeeiioooouucn"))


def hits(predicted, expected):
    return sum(p.strip() == e.strip() for p, e in zip(predicted, expected))


EXACT = [
    ("its end is enough", mean(lambda p, e: p.strip().endswith(e.strip())), "ends with the right one"),
    ("different questions", lambda p, e: hits(p, e) / len({t.strip() for t in e}), "the different questions"),
    ("quotes stripped", mean(lambda p, e: p.strip(" \n\"'") == e.strip(" \n\"'")), "quotes"),
    ("no line breaks", mean(lambda p, e: p.replace("\n", "").strip() == e.replace("\n", "").strip()), "line breaks inside"),
    ("no accents", mean(lambda p, e: bare(p) == bare(e)), "accents"),
    ("spaces alone stripped", mean(lambda p, e: p.strip(" ") == e.strip(" ")), "spaces, but not line breaks"),
    ("line breaks alone stripped", mean(lambda p, e: p.strip("\n") == e.strip("\n")), "line breaks, but not spaces"),
    ("as long", mean(lambda p, e: len(p.strip()) == len(e.strip())), "lengths"),
    ("the same words", mean(lambda p, e: sorted(p.split()) == sorted(e.split())), "any order"),
    ("full stops stripped", mean(lambda p, e: p.strip(" \n.") == e.strip(" \n.")), "full stop"),
    ("no spaces", mean(lambda p, e: p.replace(" ", "").strip() == e.replace(" ", "").strip()), "spaces inside"),
    ("runs of spaces", mean(lambda p, e: p.split() == e.split()), "spaces inside"),
]  # fmt: skip

# --- 02 --------------------------------------------------------------------------------------------------------------

MATCH = solution("02_the_objective", "match")["match"]


def likelihood(things, log_pr, flat):
    D = next(thing for thing in things.values() if isinstance(thing, list))
    return sum(log_pr(flat, x, y) for x, y in D)


def theta_by(score):
    """The solution, but that θ is the vector with the higher score."""

    def match(things, log_pr):
        vectors = [k for k, thing in things.items() if isinstance(thing, np.ndarray) and thing.dtype.kind == "f"]
        return MATCH(things, log_pr) | {"θ": max(vectors, key=lambda k: score(things, log_pr, things[k]))}

    return match


def each_pair_once(theta, config, D):
    J = solution("02_the_objective", "J")["J"]
    return J(theta, config, list({(tuple(x), tuple(y)): (x, y) for x, y in D}.values()))


def missing_by(place):
    """The solution, but that Σ is looked for at one pair."""

    def missing(f, n):
        x, y, at = np.full(n, -3.0), np.linspace(-2.0, -1.0, n), np.zeros(n)
        at[place] = 1
        base, lower = f(x, y), f(x, y - at)
        if f(x - 1, y) != base:
            return "y|x"
        if lower >= base:
            return "Σ" if lower == base else "argmax"
        return "nothing" if abs(base - lower - 1) < 1e-9 else "log"

    return missing


def of_four(f, n):
    y = np.log([0.1, 0.2, 0.3, 0.4])
    names = {y.sum(): "nothing", -y.sum(): "argmax", 1.0: "log", y.sum() - 8: "y|x"}
    return next((name for value, name in names.items() if np.isclose(f(y - 2, y), value)), "Σ")


# --- 08 --------------------------------------------------------------------------------------------------------------


def turns_the_mask(theta, config, part):
    x, y, angle = SOLVED["two_gradients"](theta, config, part)
    np.logical_not(part.is_y, out=part.is_y)
    return x, y, angle


def only_y_on(change):
    """completion_share of other masks."""
    return lambda masks, lam: SOLVED["completion_share"]([change(mask) for mask in masks], lam)


def clears(masks, lam):
    for mask in masks:
        mask[0] = False
    return SOLVED["completion_share"](masks, lam)


def floored(m, starts, lam, right):
    """sequence_mean with a divisor of 1 or more in each sequence."""
    parts = np.split(np.where(m, 1.0, lam), starts[1:-1])
    return np.concatenate([p / max(p.sum(), 1) for p in parts]) / sum(p.any() for p in parts)


def until_the_end_of_y(mask):
    return mask[: np.flatnonzero(mask).max() + 1] if mask.any() else mask


def capped(mask, starts, lam, reduction):
    return SOLVED["weigh"](mask, starts, min(lam, 1), reduction)


# --- 10 --------------------------------------------------------------------------------------------------------------


def part_of(selected):
    """rows_of with another choice of rows."""
    return lambda ids, is_y: (ids[1:], selected(is_y) / max(selected(is_y).sum(), 1))


def not_zero(losses, masks):
    values = np.concatenate([loss * mask for loss, mask in zip(losses, masks)])
    return values.sum() / np.count_nonzero(values)


def by_counts(losses, masks):
    with np.errstate(all="ignore"):
        counts = np.array([mask.sum() for mask in masks])
        means = np.array([(loss * mask).sum() for loss, mask in zip(losses, masks)]) / counts
    return (means * counts).sum() / counts.sum()


def uncorrected_root(w, d, m, v, t):
    m, v = 0.9 * m + 0.1 * d, 0.999 * v + 0.001 * d * d
    return w - 1e-2 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-8)


def difference(J, sequences):
    return J(sequences) - sum(J([s]) for s in sequences)


def by_a_whole_one(run, right):
    if run["stop_rate"] < 0.5:
        return "end-token-masked" if run["loss"] < right["loss"] else "no-shift"
    return "test-rows-in-training" if run["exact_match"] == 1 else "none"


# --- 11 and 12 -------------------------------------------------------------------------------------------------------


def labelled(sequences, pad):
    result = np.full((len(sequences), max(len(ids) for ids, _ in sequences)), -100)
    for row, (ids, mask) in zip(result, sequences):
        row[: len(ids)] = np.where(mask, ids, -100)
    return result


def without_the_first_column(sequences, pad):
    result = labelled(sequences, pad)
    result[:, 0] = -100
    return result


def one_pad_is_the_end(sequences, pad):
    result = labelled(sequences, pad)
    for row, (ids, _) in zip(result, sequences):
        end = len(ids)
        while ids[end - 1] == pad:
            end -= 1
        row[end:] = -100
        if end < len(row):
            row[end] = pad
    return result


def only_ended(sequences, pad):
    return labelled([(ids, mask & (ids[mask][-1:] == pad).all()) for ids, mask in sequences], pad)


def by_rank(W, A, B, alpha):
    return W + alpha / max(np.linalg.matrix_rank(B @ A), 1) * B @ A


WRONG = [
    *(("start_here", "exact_match", *rest) for rest in EXACT),
    ("the_objective", "J", "each pair once", each_pair_once, "twice is counted once"),
    ("the_objective", "match", "θ is the shorter", theta_by(lambda t, log_pr, v: -np.linalg.norm(v)), "the gradient"),
    ("the_objective", "match", "θ is the likelier", theta_by(likelihood), "the gradient"),
    ("the_objective", "missing", "the first pair alone", missing_by(0), "it is 'Σ'"),
    ("the_objective", "missing", "the last pair alone", missing_by(-1), "it is 'Σ'"),
    ("the_objective", "missing", "always four", of_four, "f takes two arrays of"),
    ("conditional_versus_joint", "two_gradients", "between lines", changed(lambda x, y, a: (x, y, min(a, 180 - a))), "two lines"),
    ("conditional_versus_joint", "two_gradients", "turns the mask of the batch", turns_the_mask, "argument number 3"),
    ("conditional_versus_joint", "two_gradients", "one sign", changed(lambda x, y, a: (-x, y, a)), "one of them"),
    ("conditional_versus_joint", "completion_share", "changes a mask", clears, "argument number 1"),
    ("conditional_versus_joint", "completion_share", "a first y counts", lambda masks, lam: sum(m.sum() for m in masks) / sum(m.sum() + lam * (~m[1:]).sum() for m in masks), "even where it is y"),
    ("conditional_versus_joint", "completion_share", "nothing behind y", only_y_on(until_the_end_of_y), "behind y|after y"),
    ("conditional_versus_joint", "completion_share", "λ at most 1", lambda masks, lam: SOLVED["completion_share"](masks, min(lam, 1)), "at most 1"),
    ("conditional_versus_joint", "completion_share", "only with y", lambda masks, lam: SOLVED["completion_share"]([m for m in masks if m.any()], lam), "without y is left out"),
    ("conditional_versus_joint", "completion_share", "of x", counted(lambda x, y, lam: lam * x / (lam * x + y)), "fraction of x"),
    ("conditional_versus_joint", "weigh", "token_mean, floored", only("token_mean", lambda m, s, lam, right: np.where(m, 1.0, lam) / max(np.where(m, 1.0, lam).sum(), 1)), "1 or more"),
    ("conditional_versus_joint", "weigh", "sequence_mean, floored", only("sequence_mean", floored), "1 or more"),
    ("conditional_versus_joint", "weigh", "λ at most 1", capped, "at most 1"),
    ("conditional_versus_joint", "predict_winner", "by chance", rule(lambda r, x: str(np.random.default_rng().choice(["joint", "conditional"]))), "two things"),
    ("conditional_versus_joint", "my_objective", "x alone", lambda mask: 1.0 * ~mask, "no weight on y"),
    ("bug_lab", "repaired", "a first y counts", three(lambda ids, is_y: (ids[1:], is_y[1:] / is_y.sum())), "given and no target"),
    ("bug_lab", "repaired", "two at least", three(lambda ids, is_y: (ids[1:], is_y[1:] / max(is_y[1:].sum(), 2))), "0.5 where 1"),
    ("bug_lab", "repaired", "all behind the first y", three(part_of(lambda is_y: np.cumsum(is_y[1:]) > 0)), "x again"),
    ("bug_lab", "repaired", "losses of 0 are none", three(loss=not_zero), "count the mask"),
    ("bug_lab", "repaired", "0 / 0", three(loss=by_counts), "without a target"),
    ("bug_lab", "repaired", "ε at the uncorrected root", three(move=uncorrected_root), "before v is corrected"),
    ("bug_lab", "find", "another word", lambda run, right: "without", "none of the names"),
    ("bug_lab", "find", "by the loss", lambda run, right: "no-shift" if run["loss"] > 0.05 else "end-token-masked" if run["loss"] < 0.01 else "test-rows-in-training" if run["loss"] > right["loss"] else "none", ""),
    ("bug_lab", "leaks", "a leak that helps", lambda J, sequences: difference(J, sequences) > 1e-8, "it says False"),
    ("bug_lab", "leaks", "a leak that harms", lambda J, sequences: difference(J, sequences) < -1e-8, "it says False"),
    ("bug_lab", "leaks", "always", lambda J, sequences: True, "exactly the sum of its parts"),
    ("bug_lab", "leaks", "to the last bit", lambda J, sequences: any(J(sequences[i:] + sequences[:i]) != sum(J([s]) for s in sequences) for i in range(4)), "last digits"),
    ("real_model", "labels", "no first column", without_the_first_column, "first column"),
    ("real_model", "labels", "real numbers", lambda *a: labelled(*a).astype(float), "float64"),
    ("real_model", "labels", "objects", lambda *a: labelled(*a).astype(object), "object"),
    ("real_model", "labels", "as long as the last", lambda s, pad: labelled(s, pad)[:, : len(s[-1][0])], "shape"),
    ("real_model", "labels", "one pad is the end", one_pad_is_the_end, "ends in x gets a label"),
    ("real_model", "labels", "only what ended", only_ended, "where"),
    ("real_model", "labels", "nothing", lambda *a: np.full_like(labelled(*a), -100), "nothing is labelled"),
    ("lora", "merge", "the rank of B A", by_rank, "not the rank"),
]  # fmt: skip
RIGHT = [
    ("bug_lab", "find", "an exact match of 1", by_a_whole_one),
    ("bug_lab", "leaks", "all pairs", pairs),
    ("real_model", "labels", "int32", lambda *a: labelled(*a).astype(np.int32)),
    ("conditional_versus_joint", "two_gradients", "a list", changed(lambda x, y, a: [x, y, a])),
]


def judged(package, exercise, answer, seed):
    check = getattr(importlib.import_module(f"minisft.course.{package}"), exercise)
    return check(*(answer if isinstance(answer, tuple) else (answer,)), seed=seed)


@pytest.mark.parametrize("seed", [0, 1, 2, 3, None])
@pytest.mark.parametrize("package, exercise, what, answer, words", WRONG, ids=["-".join(row[:3]) for row in WRONG])
def test_a_wrong_answer_is_refused_with_a_sentence_that_is_true_of_it(package, exercise, what, answer, words, seed):
    verdict = judged(package, exercise, answer, seed)
    assert verdict.right is False and any(part in verdict.text for part in words.split("|")), verdict


@pytest.mark.parametrize("seed", [0, 1, 2, 3, None])
@pytest.mark.parametrize("package, exercise, what, answer", RIGHT, ids=["-".join(row[:3]) for row in RIGHT])
def test_a_right_answer_is_praised(package, exercise, what, answer, seed):
    verdict = judged(package, exercise, answer, seed)
    assert verdict.right is True, verdict


@pytest.mark.parametrize("seed", range(5))
def test_of_two_batches_one_has_gradients_at_an_acute_angle_and_one_at_an_obtuse_one(seed):
    angles = []

    def spy(theta, config, part):
        result = SOLVED["two_gradients"](theta, config, part)
        angles.append(result[2])
        return result

    assert conditional_versus_joint.two_gradients(spy, seed=seed).right and min(angles) < 89 and max(angles) > 91


def test_a_loss_that_is_no_function_of_pi_is_told_so():
    def plain(z, y):
        return -z[y], -1.0 * (np.arange(len(z)) == y)

    assert "no function of π" in the_objective.own_loss(plain, seed=0).text
    assert (
        "no function of π"
        not in the_objective.own_loss(solution("02_the_objective", "own_loss")["own_loss"], seed=0).text
    )
