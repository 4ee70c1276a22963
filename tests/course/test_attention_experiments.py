"""The experiments of notebook 05: what 1/√D is for, which channels are a pair, and gradients that pass wrongly."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minisft.course import attention_by_hand as check
from minisft.course.attention_by_hand import scale
from minisft.course.attention_by_hand.blind_spots import TRIALS

D, BASE = 6, 50.0


def test_the_variance_of_a_product_of_queries_and_keys_is_the_size_of_a_head():
    for size in check.SIZES:
        variances = [check.sharpness(size, seed)[0] for seed in range(20)]
        assert_allclose(np.mean(variances), size, rtol=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_without_the_scale_large_heads_choose_one_key_and_with_it_none_does(seed):
    without, scaled = zip(*(check.sharpness(size, seed)[1:] for size in check.SIZES))
    assert list(without) == sorted(without) and without[-1] > 0.8 and max(scaled) < 0.2


@pytest.mark.parametrize("seed", range(5))
def test_without_the_scale_rows_lose_their_gradient_and_with_it_none_does(seed):
    dead, alive, norms = zip(*(check.gradients(size, seed) for size in check.SIZES))
    assert list(dead) == sorted(dead) and dead[-1] > 0.2 and not any(alive)
    assert min(norms[:2]) > 1  # all rows together: carried by those that are undecided


def test_a_row_of_the_table_is_the_range_over_the_seeds():
    last = max(scale.SEEDS)
    assert scale.by_size(lambda D, seed: (D + seed, 7)) == [[n, f"{n} to {n + last}", "7"] for n in check.SIZES]


def test_neighbours_and_halves_differ_unless_the_channels_are_put_in_the_other_order():
    x = np.random.default_rng(0).standard_normal((5, D))
    halves = check.side_by_side(check.halves(x, D, BASE))
    assert not np.allclose(check.neighbours(x, D, BASE), check.halves(x, D, BASE))
    assert_allclose(check.neighbours(check.side_by_side(x), D, BASE), halves, rtol=1e-12)


def test_a_position_turns_a_pair_by_its_angle_and_keeps_its_length():
    x = np.zeros((4, D))
    x[:, 1] = 2.0  # the first channel of pair 1
    angle = check.angles(np.arange(4), D, BASE)[:, 1]
    turned = check.halves(x, D, BASE)
    assert_allclose(turned[:, [1, 1 + D // 2]], 2 * np.stack((np.cos(angle), np.sin(angle)), 1), atol=1e-15)
    assert_allclose(angle, np.arange(4) * BASE ** (-2 / D))


def test_every_wrong_gradient_passes_where_it_is_blind_and_is_found_on_honest_inputs():
    rows = list(check.blind_and_honest(seeds=7))  # which asserts it
    assert [row[0] for row in rows] == list(TRIALS) and all(len(row) == 5 for row in rows)
