"""The checks of notebook 02: the solutions pass, and a stub is open."""

import pytest

from course.solutions import solution
from minisft.course import the_objective as check

from .conftest import NOTEBOOK

EXERCISES = {name: getattr(check, name) for name in ("J", "match", "missing", "optimum", "one_step", "own_loss")}


def unwritten(*arguments):
    raise NotImplementedError


@pytest.mark.parametrize("seed", [0, 1, 2, None])
@pytest.mark.parametrize("name", EXERCISES)
def test_the_solution_is_right_whatever_the_seed(name, seed):
    verdict = EXERCISES[name](solution(NOTEBOOK, name)[name], seed)
    assert verdict.right, verdict


@pytest.mark.parametrize("name", EXERCISES)
def test_a_stub_is_not_written_yet(name):
    assert EXERCISES[name](unwritten).right is None
