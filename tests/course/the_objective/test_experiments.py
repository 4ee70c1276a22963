"""The plumbing of notebook 02: sums of the tiny model, gradients pair by pair and token by token, tables."""

import numpy as np
import pytest

from minisft import checkpoint, data, objective
from minisft.course import the_objective as check
from minisft.formats import resources

TINY = check.tiny_theta(1)


@pytest.fixture(scope="module")
def eight():
    theta, config, tokenizer = checkpoint.load(resources.path("atlas"), np.float64)
    return theta, config, tokenizer, check.eight_pairs(tokenizer)[1]


def test_log_pr_by_prefixes_is_that_of_the_whole_string_given_x():
    x, y = [2, 3], [1, 3, 0]
    by_hand = np.log(check.pr_of_string(TINY, [*x, *y]) / check.pr_of_string(TINY, x))
    assert abs(check.by_prefixes(TINY, check.TINY, check.as_sequence(x, y)) - by_hand) < 1e-12


def test_pr_is_weighted_pair_by_pair_so_that_the_gradient_of_a_sum_of_probabilities_comes_out():
    sequences = [check.as_sequence([2, 3], [1, 0]), check.as_sequence([1], [3, 3, 0])]
    whole = data.collate(sequences, 0.0, "sum", np.float64)
    rows = np.flatnonzero(whole.weights)
    log_pi = np.log(np.array([[0.5, 0.25, 0.25]] * len(rows)))
    cache = objective.Cache(log_pi, np.array([0, 1, 1, 1, 0]), whole.weights[rows])
    assert np.allclose(check.weighted_by_pr(cache, whole.starts, rows).weights, [1 / 8] * 2 + [1 / 32] * 3)


def test_the_tokens_dot_products_add_up_to_that_of_the_pairs(eight):
    theta, config, _, sequences = eight
    _, g = check.terms(theta, config, sequences[:2])
    products = check.by_token(theta, config, *sequences[:2])
    assert products.shape == tuple(int(s.is_y.sum()) for s in sequences[:2])
    assert abs(products.sum() - g[0] @ g[1]) < 1e-9 * abs(g[0] @ g[0])


def test_a_small_step_on_one_pair_moves_another_by_the_dot_product_of_their_gradients(eight):
    theta, config, _, sequences = eight
    values, g = check.terms(theta, config, sequences[3:5])
    moved = check.changes(theta, config, sequences[3:5], values, g, 1e-8)
    assert np.allclose(moved, 1e-8 * g @ g.T, rtol=1e-3)


def test_the_hard_tokens_are_those_below_the_bound(eight):
    theta, config, tokenizer, sequences = eight
    found = check.hard_tokens(theta, config, tokenizer, sequences[0], below=-10.0)
    assert [text for text, _ in found] == ["<|im_end|>"] and found[0][1] < -10


def test_the_losses_of_the_table_have_their_gradients_and_its_frequencies_sum_to_1():
    assert all(
        check.gradient_error(kind, lam) < 1e-6 for kind in ("cross-entropy", "squared error") for lam in (0, 0.5)
    )
    assert np.allclose(check.FREQUENCY.sum(1), 1)
    assert check.steps_to(np.array([0.5, 0.009, 0.02])) == 1 and check.steps_to(np.array([0.5])) is None


def test_cross_entropy_is_likelihood_per_answer_and_kl_is_0_at_the_frequencies_alone():
    nll, cross, kl = check.three_distances(np.array([0.6, 0.3, 0.1]), np.array([6, 3, 1]))
    assert abs(nll - cross) < 1e-12 and abs(kl) < 1e-12
    assert check.three_distances(np.array([0.3, 0.6, 0.1]), np.array([6, 3, 1]))[2] > 0.1
