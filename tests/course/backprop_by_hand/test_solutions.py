"""Each check of notebook 04 praises the solution; its prediction and its figure."""

import numpy as np
import pytest

from course.solutions import sections, solution
from minisft import gradcheck
from minisft.course import backprop_by_hand as check
from minisft.course.backprop_by_hand import layernorm

NOTEBOOK = "04_backprop_by_hand"
EXERCISES = ("linear", "embedding", "rmsnorm", "swiglu", "objective", "layer_norm")


@pytest.mark.parametrize("seed", [0, 1, 2, None])
@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_solution_is_right(exercise, seed):
    answer = solution(NOTEBOOK, exercise)[f"{exercise}_backward"]
    verdict = getattr(check, exercise)(answer, seed)
    assert verdict.right is True, verdict


def test_every_exercise_has_one_solution():
    assert tuple(sections(NOTEBOOK)) == EXERCISES


@pytest.mark.parametrize("exercise", EXERCISES)
def test_a_stub_is_not_written_yet(exercise):
    def stub(*arguments):
        raise NotImplementedError

    assert getattr(check, exercise)(stub).right is None


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_of_layer_norm_is_right(seed):
    assert max(gradcheck.layer_errors(layernorm, np.random.default_rng(seed), exact=True).values()) < 1e-12


def test_the_best_step_is_the_one_with_the_smallest_error():
    errors = {1e-1: 1e-4, 1e-5: 1e-11, 1e-12: 1e-4}
    assert check.best_step(1e-5, errors, 3e-5).right is True
    assert "it is 1e-05" in check.best_step(1e-12, errors, 3e-5).text
    assert check.best_step(None, errors, 3e-5).right is None


def test_the_picture_of_error_against_step_shows_every_number_even_zero():
    h = 10.0 ** -np.arange(1, 6)
    figure = check.error_against_step({"a": (h, h**2), "b": (h, 0 * h)}, {"curve": (h, h**2)}, (1e-3, 1e-6), "V")
    figure.draw_without_rendering()
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    assert np.array_equal(lines["a"], h**2) and np.array_equal(lines["b"], np.full(5, 1e-17))
