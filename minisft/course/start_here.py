"""The checks of notebook 00: what forty steps do, and exact match."""

import numpy as np

from minisft import data, shipped
from minisft.course.grading.verdict import Verdict, kindly, run, same, settle

STEPS_DO = ("continue", "form only", "answer")


def forty_steps(prediction, exact: float, stopped: float):
    """What the fine-tuned model does with held-out questions, decided by its exact match and stop rate."""
    outcome = "answer" if exact > 0.5 else "form only" if stopped > 0.5 else "continue"
    why = {
        "answer": "The facts came from pre-training; what to do with a question came from 40 steps on other countries.",
        "form only": "It has learned to end an answer, but the right fact is missing in most.",
        "continue": "It does not even end its answers: these were too few steps, or too small ones.",
    }[outcome]
    measured = f"{exact:.0%} of the held-out questions are answered exactly, {stopped:.0%} of the answers end. "
    return settle(prediction, STEPS_DO, outcome, measured + why)


# --- exact match ------------------------------------------------------------------------------------------------------


def equal(p, e):
    return p.strip() == e.strip()


def mean(right):
    """A way to count, as a share of the pairs at the same place."""
    return lambda predicted, expected: float(np.mean([right(p, e) for p, e in zip(predicted, expected)]))


def characters(predicted, expected):
    hits = [a == b for p, e in zip(predicted, expected) for a, b in zip(p.strip(), e.strip())]
    return float(np.mean(hits)) if hits else 0.0


def count(predicted, expected):
    return sum(map(equal, predicted, expected))


def of_those_answered(predicted, expected):
    answered = [(p, e) for p, e in zip(predicted, expected) if p.strip()]
    return sum(equal(p, e) for p, e in answered) / len(answered)


def anywhere(predicted, expected):
    return float(np.mean([p.strip() in [e.strip() for e in expected] for p in predicted]))


MISTAKES = {
    "it is the number of right answers: divide by how many there are": count,
    "it is in per cent: a share is a number from 0 to 1": lambda p, e: 100 * count(p, e) / len(e),
    "it is the share of wrong answers": mean(lambda p, e: not equal(p, e)),
    "a space or a line break at an end makes an answer wrong for you: strip both texts": mean(lambda p, e: p == e),
    "you strip what the model answered, but not the expected answer": mean(lambda p, e: p.strip() == e),
    "you strip the expected answer, but not what the model answered": mean(lambda p, e: p == e.strip()),
    "you strip only the end of the texts, not their beginning": mean(lambda p, e: p.rstrip() == e.rstrip()),
    "you strip only the beginning of the texts, not their end": mean(lambda p, e: p.lstrip() == e.lstrip()),
    "capital letters count: word for word means letter for letter": mean(lambda p, e: equal(p.lower(), e.lower())),
    "spaces inside an answer count: only those at its ends do not": mean(lambda p, e: p.split() == e.split()),
    "an answer that goes on after the right one counts as right for you: equal, not contained": mean(
        lambda p, e: e.strip() in p
    ),
    "an unfinished answer counts as right for you, even an empty one: equal, not contained": mean(
        lambda p, e: p.strip() in e
    ),
    "only the first pair is compared: is the `return` inside the loop?": lambda p, e: float(equal(p[0], e[0])),
    "it says whether all answers are right, not how many": lambda p, e: all(map(equal, p, e)),
    "an empty answer is an answer too, a wrong one: divide by the number of questions": of_those_answered,
    "the right answer to another question counts for you: compare the texts at the same place": anywhere,
    "it is the share of right characters: an answer is right as a whole, or it is wrong": characters,
}

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
    "spaces inside": lambda y, other: (y.replace(" ", "  "), y),
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
    """(predicted, expected, the share of right answers, known from how they were made), four times."""
    ys = sorted({example.completion[1]["content"] for example in data.read([shipped.path("atlas_test.jsonl")])})
    right, wrong = (case(rng, ys[half::2], kinds) for half, kinds in enumerate((RIGHT, WRONG)))
    for first, second in ((right, wrong), (wrong, right)):
        yield *(a + b for a, b in zip(first, second)), len(right[0]) / len(right[0] + wrong[0])
    yield *right, 1.0
    yield *wrong, 0.0


@kindly
def exact_match(answer, seed=None):
    """Is it the share of answers that are right word for word? The right share is known from how the cases are made."""
    made = list(cases(np.random.default_rng(seed)))
    given = [run(answer, predicted, expected) for predicted, expected, _ in made]
    if all(same(value, share) for value, (_, _, share) in zip(given, made)):
        answers = sum(len(expected) for _, expected, _ in made)
        return Verdict(True, f"it agrees on {answers} answers: some right, some spoilt in one of {len(WRONG)} ways")
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
                return Verdict(False, f"of one answer, {p!r}, where {e!r} is expected, it says {value!r}")
    value, (_, expected, share) = next((v, m) for v, m in zip(given, made) if not same(v, m[2]))
    return Verdict(
        False, f"of {len(expected)} answers it says {value!r} where {share:.4g} is right; of one alone it is right"
    )
