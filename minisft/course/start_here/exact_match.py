"""Exact match: the fraction of answers that are right word for word.

The right fraction of a case is known from how the case is made: some answers are right, some are spoilt in one way or
another.
"""

import numpy as np

from minisft import data
from minisft.course.grading.excerpts import described
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict, run, same
from minisft.course.start_here.mistakes import MISTAKES, equal
from minisft.formats import resources

RIGHT = {  # what may happen to an answer that is still right, …
    "as it is": lambda y, other: (y, y),
    "space before": lambda y, other: (f" {y}", y),
    "line break after": lambda y, other: (f"{y}\n", y),
    "spaces around y": lambda y, other: (y, f" {y}\n"),
}
WRONG = {  # … and what makes it wrong
    "another fact": lambda y, other: (other, y),
    "small letters": lambda y, other: (y.lower(), y),
    "goes on": lambda y, other: (f"{y}\n{other}", y),
    "unfinished": lambda y, other: (y[: len(y) // 2], y),
    "empty": lambda y, other: ("", y),
    "full stop": lambda y, other: (y.rstrip("."), y),
    "spaces inside": lambda y, other: (y.replace(" ", "  "), y),
}


FURTHER = {  # and where one right and one spoilt answer are enough
    "something before": lambda y, other: (f"{other} {y}", y),
    "in quotes": lambda y, other: (f'"{y}"', y),
    "a line break inside": lambda y, other: (y.replace(" ", "\n", 1), y),
    "a line break too many": lambda y, other: (y.replace(" ", " \n", 1), y),
    "no space inside": lambda y, other: (y.replace(" ", "", 1), y),
    "other words": lambda y, other: (" ".join(reversed(y.split())), y),
    "an accent": lambda y, other: (y.replace("e", "é", 1), y),
    "as long": lambda y, other: (y[:-2] + ("x" if y[-2] != "x" else "z") + y[-1], y),
}


def case(rng, ys, kinds):
    """(predicted, expected) with 1, 2, 4, 8, … answers of the kinds in random order, which none of the mistakes can mix
    up; then in random order, with an answer of the first kind in front."""
    many = {name: 2**i for i, name in enumerate(rng.permutation(list(kinds)))}
    names = [name for name in kinds for _ in range(many[name])]
    drawn = [str(y) for y in rng.choice(ys, len(names), replace=False)]
    made = [{**RIGHT, **WRONG}[name](y, other) for name, y, other in zip(names, drawn, drawn[1:] + drawn[:1])]
    return tuple(map(list, zip(*[made[0], *(made[1 + i] for i in rng.permutation(len(made) - 1))])))


def cases(rng):
    """(predicted, expected, the fraction of right answers, known from how they were made)."""
    ys = sorted({example.completion[1]["content"] for example in data.read([resources.path("atlas_test.jsonl")])})
    right, wrong = (case(rng, ys[half::2], kinds) for half, kinds in enumerate((RIGHT, WRONG)))
    for first, second in ((right, wrong), (wrong, right)):
        yield *(a + b for a, b in zip(first, second)), len(right[0]) / len(right[0] + wrong[0])
    yield *right, 1.0
    yield *wrong, 0.0
    for number, spoil in enumerate(FURTHER.values()):
        y, other = map(str, rng.choice(ys, 2, replace=False))
        right = (f"\n{other}", other) if number % 2 else (f"{other} ", other)
        predicted, expected = zip(right, spoil(y, other), right)
        yield list(predicted), list(expected), 2 / 3  # two right ones, to the same question


@exercise
def exact_match(answer, seed=None):
    """Is it the fraction of answers right word for word? The right one is known from how the cases are made."""
    made = list(cases(np.random.default_rng(seed)))
    given = [run(answer, predicted, expected) for predicted, expected, _ in made]
    if all(same(value, share) for value, (_, _, share) in zip(given, made)):
        answers = sum(len(expected) for _, expected, _ in made)
        ways = len(WRONG) + len(FURTHER)
        return Verdict(True, f"it agrees on {answers} answers: some right, some spoilt in one of {ways} ways")
    for sentence, mistake in MISTAKES.items():
        if all(same(mistake(predicted, expected), value) for value, (predicted, expected, _) in zip(given, made)):
            return Verdict(False, sentence)
    return one_pair(answer, made, given)


def one_pair(answer, made, given):
    """A mistake that no catalogue has, on one pair if it shows there."""
    for predicted, expected, _ in made:
        for p, e in zip(predicted, expected):
            value = run(answer, [p], [e])
            if not same(value, float(equal(p, e))):
                return Verdict(False, f"of one answer, {p!r}, where {e!r} is expected, it says {shown(value)}")
    value, (_, expected, share) = next((v, m) for v, m in zip(given, made) if not same(v, m[2]))
    return Verdict(
        False,
        f"of {len(expected)} answers it says {shown(value)} where {share:.4g} is right; of one alone it is right",
    )


def shown(value):
    """A number as one writes it; anything else as Python shows it."""
    return f"{float(value):.4g}" if isinstance(value, (float, np.floating)) else described(value)
