"""What the tests of notebook 07 share: the solutions as functions, and how a wrong answer is told."""

import pytest

from course.solutions import solution

NOTEBOOK = "07_three_states"
each_seed = pytest.mark.parametrize("seed", range(2))


def solved(exercise):
    namespace = solution(NOTEBOOK, exercise)
    names = ("save", "go_on") if exercise == "stop_and_go" else (exercise,)
    return [namespace[name] for name in names]


def not_written(*arguments):
    raise NotImplementedError


def told(verdict, words):
    assert verdict.right is False and words in verdict.text, verdict
