"""Notebook 03: the checks let the solutions pass, and tell the mistakes of the catalogues apart."""

import numpy as np
import pytest

from course.solutions import sections
from minisft.course import concatenated_sequences as check
from minisft.course.concatenated_sequences import mistakes

from .conftest import NOTEBOOK, solved

CHECKS = {"build": check.build, "step_weights": check.step_weights, "layout": check.layout, "passes": check.passes}


def test_every_exercise_has_a_solution():
    assert set(sections(NOTEBOOK)) == set(CHECKS)


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
@pytest.mark.parametrize("exercise", CHECKS)
def test_the_solution_is_right(exercise, seed):
    assert CHECKS[exercise](solved(exercise), seed=seed).right is True


@pytest.mark.parametrize("exercise", CHECKS)
def test_a_stub_is_not_written_yet(exercise):
    def stub(*arguments):
        raise NotImplementedError

    assert CHECKS[exercise](stub).right is None


@pytest.mark.parametrize("exercise", CHECKS)
@pytest.mark.parametrize("nonsense", [None, 3, "text", [], [None], (1, 2, 3), [(1, 2)], np.zeros((3, 2)), [[[]]], {}])
def test_nonsense_is_wrong_and_never_a_traceback(exercise, nonsense):
    verdict = CHECKS[exercise](lambda *arguments: nonsense, seed=0)
    assert verdict.right is False and verdict.text


@pytest.mark.parametrize(
    "exercise, catalogue",
    [
        ("build", mistakes.BUILD),
        ("step_weights", mistakes.STEP),
        ("layout", mistakes.LAYOUT),
        ("passes", mistakes.TURNS),
    ],
)
def test_each_mistake_of_the_catalogue_is_told_apart_from_the_others(exercise, catalogue):
    for sentence, mistake in catalogue.items():
        assert CHECKS[exercise](mistake, seed=3) == (False, sentence)
