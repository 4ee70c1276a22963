"""The checks of notebook 07: right answers pass, and stubs are met kindly."""

import pytest

from minisft.course.three_states import climb, divergence, flip_step, identify, stop_and_go

from .conftest import not_written, solved

CHECKS = {
    "flip_step": flip_step,
    "divergence": divergence,
    "identify": identify,
    "climb": climb,
    "stop_and_go": stop_and_go,
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("exercise", CHECKS)
def test_the_solution_is_right(exercise, seed):
    verdict = CHECKS[exercise](*solved(exercise), seed=seed)
    assert verdict.right is True, verdict


@pytest.mark.parametrize("exercise", CHECKS)
def test_without_a_seed_the_cases_are_fresh_and_the_solution_is_right(exercise):
    assert CHECKS[exercise](*solved(exercise)).right


@pytest.mark.parametrize("exercise", CHECKS)
def test_a_stub_is_met_kindly(exercise):
    stubs = [not_written] * len(solved(exercise))
    assert repr(CHECKS[exercise](*stubs, seed=0)).startswith("◌ not written yet")


def test_a_go_on_that_is_not_written_is_met_kindly():
    assert stop_and_go(solved("stop_and_go")[0], not_written, seed=0).right is None
