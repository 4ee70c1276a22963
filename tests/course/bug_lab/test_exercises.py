"""The exercises and predictions of notebook 10."""

import pytest

from course.solutions import solution
from minisft.course import bug_lab as check
from minisft.course.bug_lab import quizzes
from minisft.lab import prices
from minisft.lab.mistakes import MISTAKES

FOUND = {mistake.name: prices.runs()[mistake.name]["found"] for mistake in MISTAKES}


@pytest.mark.parametrize("seed", range(20))
def test_the_solutions_are_praised(seed):
    three = solution("10_bug_lab", "repaired")
    assert check.find(solution("10_bug_lab", "find")["find"], seed=seed).right
    assert check.repaired(three["rows_of"], three["step_loss"], three["update"], seed=seed).right
    assert check.leaks(solution("10_bug_lab", "leaks")["leaks"], seed=seed).right


@pytest.mark.parametrize(
    "answer, said",
    [
        (lambda run, right: "none", "the training loss alone does not tell"),
        (lambda run, right: {"a": 1}, "none of the names"),
    ],
)
def test_a_wrong_name_is_explained(answer, said):
    verdict = check.find(answer, seed=0)
    assert verdict.right is False and said in verdict.text


def test_what_is_wrong_in_each_of_the_three_functions_is_named():
    three = solution("10_bug_lab", "repaired")
    rows, loss, update = three["rows_of"], three["step_loss"], three["update"]
    wrong = lambda ids, is_y: (ids[:-1], is_y[:-1] / is_y[:-1].sum())  # noqa: E731
    assert "both are shifted, once" in check.repaired(wrong, loss, update, seed=1).text
    means = lambda losses, masks: sum((a * m).mean() for a, m in zip(losses, masks)) / len(masks)  # noqa: E731
    assert "divide by the targets" in check.repaired(rows, means, update, seed=1).text
    plain = lambda w, d, m, v, t: w - 1e-2 * (0.9 * m + 0.1 * d) / (0.999 * v + 0.001 * d * d + 1e-8) ** 0.5  # noqa: E731
    assert "not corrected" in check.repaired(rows, loss, plain, seed=1).text


@pytest.mark.parametrize(
    "answer, said",
    [
        (lambda J, sequences: False, "packed into one sequence"),
        (
            lambda J, sequences: abs(J(sequences) - sum(J([s]) for s in sequences)) > 0 or J(sequences) % 1 > 0,
            "last digits",
        ),
        (lambda J, sequences: True, "exactly the sum of its parts"),
        (lambda J, sequences: 1.0, "True or False"),
    ],
)
def test_a_wrong_check_is_told_whom_it_misses_or_accuses(answer, said):
    verdict = check.leaks(answer, seed=0)
    assert verdict.right is False and said in verdict.text


def test_the_predictions_are_settled_by_the_recorded_runs():
    outcomes = [option for option in quizzes.PARTS if check.looks_healthy(option).right]
    assert outcomes == ["more than a half"]
    best = [name for name in next(iter(FOUND.values())) if check.best_check(name, FOUND).right]
    assert len(best) == 1
    assert check.looks_healthy(None).right is None and check.best_check("luck", FOUND).right is None


def test_the_pictures_have_a_row_for_every_mistake():
    for picture in (check.unseen(), check.found_by(FOUND)):
        labels = {label.get_text() for ax in picture.axes for label in ax.get_yticklabels()}
        assert {mistake.name for mistake in MISTAKES} <= labels
