"""J(θ) = Σᵢ wᵢ log π(yᵢ): its value and its gradient, against fractions by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minisft import objective

# π of three rows as fractions; their logarithms are logits of which the softmax is again π.
PI = np.array([[1 / 2, 1 / 4, 1 / 4], [1 / 10, 8 / 10, 1 / 10], [1 / 3, 1 / 3, 1 / 3]])
TARGETS = np.array([0, 2, 1])
WEIGHTS = np.array([1.0, 0.25, 2.0])


@pytest.fixture
def random_case():
    rng = np.random.default_rng(0)
    return 3 * rng.standard_normal((6, 9)), rng.integers(0, 9, 6), rng.uniform(0, 2, 6)


def test_the_objective_is_the_weighted_sum_of_the_log_probabilities_of_the_targets():
    J, cache = objective.forward(np.log(PI), TARGETS, WEIGHTS)
    assert_allclose(J, np.log(1 / 2) + 0.25 * np.log(1 / 10) + 2 * np.log(1 / 3), rtol=1e-14)
    assert_allclose(cache.log_pi, np.log(PI), rtol=1e-13)


def test_its_gradient_by_the_logits_is_the_weight_times_one_at_the_target_minus_the_probabilities():
    _, cache = objective.forward(np.log(PI), TARGETS, WEIGHTS)
    by_hand = [
        [1 / 2, -1 / 4, -1 / 4],  # 1 · ((1, 0, 0) − π)
        [-0.25 / 10, -0.25 * 8 / 10, 0.25 * 9 / 10],
        [-2 / 3, 4 / 3, -2 / 3],
    ]
    assert_allclose(objective.backward(cache, 1.0), by_hand, rtol=1e-13)


def test_the_gradient_is_the_complex_step_of_the_objective(random_case):
    """Im J(z + ihu) / h has no subtraction, so it agrees to rounding: value and gradient have the same scale."""
    logits, targets, weights = random_case
    _, cache = objective.forward(logits, targets, weights)
    gradient = objective.backward(cache, 1.0)
    for i, v in np.ndindex(logits.shape):
        z = logits.astype(complex)
        z[i, v] += 1e-30j
        assert_allclose(objective.forward(z, targets, weights)[0].imag / 1e-30, gradient[i, v], rtol=1e-12)


def test_a_constant_added_to_the_logits_of_a_row_changes_nothing(random_case):
    logits, targets, weights = random_case
    shifted = logits + np.arange(-3, 3)[:, None]
    one, other = (objective.forward(z, targets, weights) for z in (logits, shifted))
    assert_allclose(one[0], other[0], rtol=1e-12)
    assert_allclose(objective.backward(one[1], 1.0), objective.backward(other[1], 1.0), rtol=1e-10)


def test_the_gradient_of_every_row_sums_to_zero(random_case):
    _, cache = objective.forward(*random_case)
    assert_allclose(objective.backward(cache, 1.0).sum(-1), 0, atol=1e-14)


def test_the_gradient_is_exactly_zero_at_rows_of_weight_0_and_nowhere_else(random_case):
    logits, targets, weights = random_case
    weights[[1, 4]] = 0
    J, cache = objective.forward(logits, targets, weights)
    zero = (objective.backward(cache, 1.0) == 0).all(-1)
    assert_array_equal(np.flatnonzero(zero), [1, 4])
    kept = [0, 2, 3, 5]
    assert_allclose(J, objective.forward(logits[kept], targets[kept], weights[kept])[0], rtol=1e-14)


def test_the_seed_of_backward_is_a_factor_and_minus_one_makes_the_gradient_of_the_loss(random_case):
    _, cache = objective.forward(*random_case)
    assert_array_equal(objective.backward(cache, -1.0), -objective.backward(cache, 1.0))
    assert_allclose(objective.backward(cache, 3.0), 3 * objective.backward(cache, 1.0), rtol=1e-14)


def test_huge_logits_neither_overflow_nor_vanish():
    logits = np.array([[1e4, 0.0, -1e4], [0.0, 1e300, 0.0]])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        J, cache = objective.forward(logits, np.array([1, 1]), np.ones(2))
        gradient = objective.backward(cache, 1.0)
    assert J == -1e4  # log (1 / (1 + e^1e4 + …)) = −1e4 to rounding, and log 1 = 0
    assert_array_equal(gradient, [[-1, 1, 0], [0, 0, 0]])


def test_no_row_at_all_is_an_objective_of_0():
    J, cache = objective.forward(np.empty((0, 5)), np.empty(0, int), np.empty(0))
    assert J == 0
    assert objective.backward(cache, -1.0).shape == (0, 5)
