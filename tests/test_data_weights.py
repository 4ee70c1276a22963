"""What each row of a batch weighs in the objective, under every reduction and λ."""

import doctest
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from support.examples import plain
from support.refusals import refusal

from minisft import data
from minisft.data import Sequence, collate, weights

# Three sequences of 4, 1 and 5 rows, of which 2, 1 and 1 predict y.
MASK = np.array([0, 0, 1, 1, 1, 0, 0, 0, 0, 1], bool)
STARTS = np.array([0, 4, 5, 10])


def weights_of(prompt_loss_weight, reduction):
    return weights(np.where(MASK, 1.0, prompt_loss_weight), STARTS, reduction)


def fractions(text):
    return [float(Fraction(word)) for word in text.split()]


@pytest.mark.parametrize(
    ("reduction", "prompt_loss_weight", "by_hand"),
    [
        ("sum", 0, "0 0 1 1   1   0 0 0 0 1"),
        ("sum", 0.25, "1/4 1/4 1 1   1   1/4 1/4 1/4 1/4 1"),
        ("sum", 1, "1 1 1 1   1   1 1 1 1 1"),
        ("token_mean", 0, "0 0 1/4 1/4   1/4   0 0 0 0 1/4"),  # 4 targets
        ("token_mean", 0.5, "1/14 1/14 1/7 1/7   1/7   1/14 1/14 1/14 1/14 1/7"),  # 4 + 6/2 = 7
        ("token_mean", 1, "1/10 1/10 1/10 1/10   1/10   1/10 1/10 1/10 1/10 1/10"),
        ("sequence_mean", 0, "0 0 1/6 1/6   1/3   0 0 0 0 1/3"),  # a third each, halved in the first
        ("sequence_mean", 0.5, "1/18 1/18 1/9 1/9   1/3   1/18 1/18 1/18 1/18 1/9"),  # 1/(3·3), 1/(3·1), 1/(3·3)
        ("sequence_mean", 1, "1/12 1/12 1/12 1/12   1/3   1/15 1/15 1/15 1/15 1/15"),
    ],
)
def test_weights_are_m_over_the_sum_of_m_that_the_reduction_names(reduction, prompt_loss_weight, by_hand):
    assert_allclose(weights_of(prompt_loss_weight, reduction), fractions(by_hand), rtol=1e-15)


def test_under_sum_a_weight_is_1_where_the_row_predicts_y_and_lambda_where_it_predicts_x():
    whole = collate([Sequence(np.arange(5), np.array([False, False, True, True, False]), "")], 0.3, "sum", np.float64)
    assert_array_equal(whole.weights, [0.3, 1, 1, 0.3])


@pytest.mark.parametrize("reduction", ["token_mean", "sequence_mean"])
@pytest.mark.parametrize("prompt_loss_weight", [0, 1e-3, 0.7, 1, 5])
def test_the_weights_of_a_mean_sum_to_1(prompt_loss_weight, reduction):
    assert_allclose(weights_of(prompt_loss_weight, reduction).sum(), 1, rtol=1e-14)


@pytest.mark.parametrize("reduction", ["token_mean", "sequence_mean"])
def test_the_weights_of_a_mean_sum_to_1_even_if_all_that_counts_is_x_and_lambda_is_small(reduction):
    assert_array_equal(weights(np.array([0.25, 0.25]), np.array([0, 2]), reduction), [0.5, 0.5])


def test_token_mean_is_continuous_in_lambda():
    """w = m / Σm with Σm ≥ N_y, so |dw/dλ| ≤ 1/N_y + N_x/N_y²; here N_y = 4, N_x = 6. From λ = 0 on, without a jump."""
    slope = 1 / 4 + 6 / 16
    for prompt_loss_weight in (0, 0.2, 1):
        for step in (1e-3, 1e-6, 1e-9):
            one, other = (weights_of(value, "token_mean") for value in (prompt_loss_weight, prompt_loss_weight + step))
            assert np.abs(one - other).max() <= slope * step


def test_sequence_mean_counts_only_sequences_that_have_a_target():
    m = np.array([0.0, 0, 1, 1, 0, 1])
    assert_allclose(weights(m, np.array([0, 2, 4, 6]), "sequence_mean"), fractions("0 0 1/4 1/4 0 1/2"))


@pytest.mark.parametrize("reduction", ["sum", "token_mean", "sequence_mean"])
def test_without_any_target_every_weight_is_0(reduction):
    assert_array_equal(weights(np.zeros(5), np.array([0, 2, 5]), reduction), 0)


def test_the_sum_is_over_the_whole_step_so_every_target_counts_the_same_whatever_the_micro_batch():
    """A sequence with 1 target and one with 9: each of the 10 tokens has weight 1/10, not 1/2 and 1/18."""
    whole = collate(plain(2, 10), 0.0, "token_mean", np.float64)
    one, nine = whole.split(1)
    assert_array_equal(one.weights, [1 / 10])
    assert_array_equal(nine.weights, [1 / 10] * 9)


def test_a_fair_comparison_of_conditional_and_joint_uses_sum():
    """20 tokens of x are predicted and 5 of y. Under token_mean the completion's share of the joint loss shrinks to
    N_y / (N_x + N_y) = 1/5; under sum its weights are the same for λ = 0 and λ = 1."""
    (pair,) = plain(26, prompt=21)

    def share(prompt_loss_weight, reduction):
        whole = collate([pair], prompt_loss_weight, reduction, np.float64)
        return whole.weights[whole.is_y].sum()

    assert_allclose(share(0.0, "token_mean"), 1)
    assert_allclose(share(1.0, "token_mean"), 1 / 5)
    assert share(0.0, "sum") == share(1.0, "sum") == 5


def test_an_unknown_reduction_is_refused_naming_the_choices():
    refusal(lambda: weights(np.ones(2), np.array([0, 2]), "mean"), "--loss-reduction", "mean", "sum", "sequence_mean")


def test_the_examples_in_the_docstrings_are_true():
    found = doctest.testmod(data)
    assert found.attempted >= 1 and found.failed == 0
