"""The checks of notebook 00: exact match, and the quiz about forty steps."""

import numpy as np
import pytest

from course.solutions import solution
from minisft.course import start_here as check

SEEDS = range(5)


@pytest.mark.parametrize("seed", [None, *SEEDS])
def test_the_solution_is_right(seed):
    verdict = check.exact_match(solution("00_start_here", "exact_match")["exact_match"], seed)
    assert verdict.right is True and "it agrees on" in verdict.text


def stub(predicted, expected):
    raise NotImplementedError


def test_the_stub_is_not_written_yet():
    assert check.exact_match(stub).right is None


def by_numpy(predicted, expected):
    return np.mean([p.strip() == e.strip() for p, e in zip(predicted, expected, strict=True)])


def test_another_right_way_is_right():
    assert check.exact_match(by_numpy).right is True


def strict(predicted, expected):
    return sum(p == e for p, e in zip(predicted, expected)) / len(expected)


def number(predicted, expected):
    hits = 0
    for p, e in zip(predicted, expected):
        hits += p.strip() == e.strip()
    return hits


def per_cent(predicted, expected):
    return number(predicted, expected) / len(expected) * 100


def error_rate(predicted, expected):
    return 1 - number(predicted, expected) / len(expected)


def contained(predicted, expected):
    return sum(e.strip() in p.strip() for p, e in zip(predicted, expected)) / len(expected)


def begun(predicted, expected):
    return sum(e.strip().startswith(p.strip()) for p, e in zip(predicted, expected)) / len(expected)


def small(predicted, expected):
    return sum(p.lower().strip() == e.lower().strip() for p, e in zip(predicted, expected)) / len(expected)


def first_only(predicted, expected):
    for p, e in zip(predicted, expected):
        return float(p.strip() == e.strip())


def all_of_them(predicted, expected):
    return [p.strip() for p in predicted] == [e.strip() for e in expected]


def as_sets(predicted, expected):
    return sum(p.strip() in {e.strip() for e in expected} for p in predicted) / len(expected)


def without_empty(predicted, expected):
    pairs = [(p, e) for p, e in zip(predicted, expected) if p]
    return sum(p.strip() == e.strip() for p, e in pairs) / len(pairs)


def squeezed(predicted, expected):
    return sum(" ".join(p.split()) == " ".join(e.split()) for p, e in zip(predicted, expected)) / len(expected)


def left_only(predicted, expected):
    return sum(p.lstrip() == e.lstrip() for p, e in zip(predicted, expected)) / len(expected)


def right_only(predicted, expected):
    return sum(p.rstrip() == e.rstrip() for p, e in zip(predicted, expected)) / len(expected)


def strips_predicted(predicted, expected):
    return sum(p.strip() == e for p, e in zip(predicted, expected)) / len(expected)


def strips_expected(predicted, expected):
    return sum(p == e.strip() for p, e in zip(predicted, expected)) / len(expected)


def by_character(predicted, expected):
    right = total = 0
    for p, e in zip(predicted, expected):
        for a, b in zip(p.strip(), e.strip()):
            right += a == b
            total += 1
    return right / total


NAMED = {
    strict: "strip both texts",
    number: "divide by how many there are",
    per_cent: "in per cent",
    error_rate: "the fraction of wrong answers",
    contained: "goes on after the right one",
    begun: "an unfinished answer counts as right",
    small: "capital letters count",
    first_only: "is the `return` inside the loop?",
    all_of_them: "whether all answers are right",
    as_sets: "at the same place",
    without_empty: "an empty answer is an answer too",
    squeezed: "spaces inside an answer count",
    left_only: "not their end",
    right_only: "not their beginning",
    strips_predicted: "but not the expected answer",
    strips_expected: "but not what the model answered",
    by_character: "right as a whole",
}


@pytest.mark.parametrize("answer", NAMED, ids=lambda answer: answer.__name__)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_wrong_answer_is_told_which_mistake_it_makes(answer, seed):
    verdict = check.exact_match(answer, seed)
    assert verdict.right is False and NAMED[answer] in verdict.text


def forgiving(predicted, expected):  # two mistakes at once
    return sum(e.strip().lower() in p.lower() for p, e in zip(predicted, expected)) / len(expected)


def less_one(predicted, expected):
    return number(predicted, expected) / (len(expected) - 1)


def always_one(predicted, expected):
    return 1.0


def per_answer(predicted, expected):
    return [p.strip() == e.strip() for p, e in zip(predicted, expected)]


def rounded(predicted, expected):
    return round(number(predicted, expected) / len(expected), 1)


OTHERS = {
    forgiving: "of one answer",
    less_one: "stops with ZeroDivisionError",
    always_one: "of one answer",
    per_answer: "of one answer",
    rounded: "of one alone it is right",
}


@pytest.mark.parametrize("answer", OTHERS, ids=lambda answer: answer.__name__)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_mistake_that_no_catalogue_has_is_shown_on_a_case(answer, seed):
    verdict = check.exact_match(answer, seed)
    assert verdict.right is False and OTHERS[answer] in verdict.text


@pytest.mark.parametrize(
    "exact, stopped, outcome", [(0.8, 1.0, "answer"), (0.1, 1.0, "form only"), (0.0, 0.1, "continue")]
)
def test_the_quiz_is_decided_by_what_was_measured(exact, stopped, outcome):
    assert check.forty_steps(None, exact, stopped).right is None
    for prediction in check.STEPS_DO:
        assert check.forty_steps(prediction, exact, stopped).right is (prediction == outcome)
    assert f"{exact:.0%} of the held-out" in check.forty_steps(outcome, exact, stopped).text


@pytest.mark.parametrize(
    "y, beginning, fact",
    [
        ("The capital of Peru is Lima.", "The capital of Peru is", " Lima."),
        ("The currency of Peru is the sol.", "The currency of Peru is the", " sol."),
        ("On the map, Peru is found in South America.", "On the map, Peru is found in", " South America."),
    ],
)
def test_an_answer_is_cut_where_its_fact_begins(y, beginning, fact):
    assert check.beginning_and_fact(y) == (beginning, fact)


def test_the_table_of_steps_has_the_means_over_the_seeds():
    shown = str(check.score_table({5: [(0.5, 1.0), (1.0, 0.5)]}, {5: "Lima." * 99}, "Where?"))
    assert "| 5 | 75% | 75% | 50%, 100% | " in shown and "Where?" in shown
