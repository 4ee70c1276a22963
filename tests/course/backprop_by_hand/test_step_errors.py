"""The experiment on the step of a numerical derivative: both costs are as derived, and the complex step has neither."""

import numpy as np
import pytest

from minisft.course.backprop_by_hand import COMPLEX_STEPS, DIFFERENCES, errors_by_step


@pytest.fixture(scope="module")
def errors():
    return errors_by_step(cases=20)


def test_a_large_step_costs_what_the_curve_costs(errors):
    large = (DIFFERENCES < 0.02) & (DIFFERENCES > 2e-4)
    assert np.allclose(errors.differences[large], errors.curve(DIFFERENCES[large]), rtol=0.2)


def test_a_small_step_costs_what_rounding_costs(errors):
    small = DIFFERENCES < 1e-6
    ratio = errors.differences[small] / errors.rounding(DIFFERENCES[small])
    assert ratio.min() > 0.05 and ratio.max() < 5


def test_the_best_step_is_where_the_sum_of_both_is_smallest(errors):
    best, lowest = errors.best()
    steps = best * np.array([0.5, 0.9, 1.1, 2.0])
    assert (errors.curve(steps) + errors.rounding(steps) > lowest).all()
    assert abs(np.log10(DIFFERENCES[errors.differences.argmin()] / best)) <= 1


def test_the_complex_step_is_exact_to_rounding_at_every_small_step(errors):
    assert errors.complex_steps[COMPLEX_STEPS < 2e-8].max() < 1e-15
