"""Answers of every kind, written from the text of a notebook alone: each wrong one is refused, each right one praised.

One file for each notebook: RIGHT and WRONG, {exercise: {what it is: the answer}}; an exercise of several functions has a
tuple of them.
"""

import importlib
from pathlib import Path

import pytest

PLACES = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if not path.stem.startswith("test_"))


def answers(kind):
    for package in PLACES:
        catalogue = getattr(importlib.import_module(f"course.catalogue.{package}"), kind)
        check = importlib.import_module(f"minisft.course.{package}")
        for exercise, several in catalogue.items():
            for name, answer in several.items():
                parts = answer if isinstance(answer, tuple) else (answer,)
                yield pytest.param(getattr(check, exercise), parts, id=f"{package}-{exercise}-{name}")


@pytest.mark.parametrize("seed", [0, 1, None])
@pytest.mark.parametrize("check, answer", list(answers("WRONG")))
def test_a_wrong_answer_is_refused(check, answer, seed):
    verdict = check(*answer, seed=seed)
    assert verdict.right is False, verdict


@pytest.mark.parametrize("seed", [0, 1, None])
@pytest.mark.parametrize("check, answer", list(answers("RIGHT")))
def test_a_right_answer_is_praised_however_it_is_written(check, answer, seed):
    verdict = check(*answer, seed=seed)
    assert verdict.right is True, verdict


@pytest.mark.parametrize("package", PLACES)
def test_an_exercise_has_at_least_ten_wrong_answers_and_five_right_ones(package):
    module = importlib.import_module(f"course.catalogue.{package}")
    for exercise in module.WRONG:
        assert len(module.WRONG[exercise]) >= 10 and len(module.RIGHT[exercise]) >= 5, exercise
