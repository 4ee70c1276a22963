"""The checks of notebook 08: the solutions pass, a stub is open, and nonsense is wrong."""

import numpy as np
import pytest

from course.solutions import solution

from .conftest import EXERCISES

NOTEBOOK = "08_conditional_versus_joint"


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


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("answer", [lambda *a: "so", lambda *a: None, lambda *a: 1 / 0, lambda: 1, lambda *a: np.nan])
def test_nonsense_is_wrong_and_never_a_traceback(name, answer):
    assert EXERCISES[name](answer).right is False
