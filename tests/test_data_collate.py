"""The shift is made once, and sequences lie end to end: from sequences to a batch and its micro-batches."""

from dataclasses import FrozenInstanceError
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from support.examples import plain

from minisft.data import Sequence, collate


def test_the_first_token_of_a_sequence_is_given_not_predicted():
    whole = collate(plain(4, 2, 3, prompt=0), 0.0, "sum")  # every token is y, the first ones too
    assert_array_equal(whole.targets, [1, 2, 3, 5, 7, 8])  # all but 0, 4 and 6, where the sequences begin
    assert whole.weights.sum() == 3 + 1 + 2


def test_of_n_tokens_the_first_n_minus_1_are_inputs_and_the_last_n_minus_1_are_targets():
    """The shift is made once, here: the target of a row is the token after it, and every row predicts something."""
    sequences = plain(5, 2, 7)
    whole = collate(sequences)
    assert len(whole.ids) == len(whole.targets) == len(whole.weights) == len(whole.is_y) == 4 + 1 + 6
    for sequence, (first, last) in zip(sequences, pairwise(whole.starts), strict=True):
        assert_array_equal(whole.ids[first:last], sequence.ids[:-1])
        assert_array_equal(whole.targets[first:last], sequence.ids[1:])
    assert_array_equal(whole.targets, whole.ids + 1)  # ids count up, so a second shift would give 2


def test_the_target_of_a_row_of_x_is_the_token_that_follows_too_and_only_its_weight_says_that_it_does_not_count():
    whole = collate(plain(6, prompt=4), 0.0, "sum")
    assert_array_equal(whole.targets, [1, 2, 3, 4, 5])
    assert_array_equal(whole.weights, [0, 0, 0, 1, 1])


def test_the_mask_is_cut_with_the_targets_so_the_first_token_of_y_is_predicted_by_the_last_of_x():
    ids = np.arange(6)
    whole = collate([Sequence(ids, np.array([False, False, True, True, True, False]), "")], 0.0, "sum")
    assert_array_equal(whole.targets[whole.weights > 0], [2, 3, 4])
    assert_array_equal(whole.ids[whole.weights > 0], [1, 2, 3])
    assert_array_equal(whole.is_y, [False, True, True, True, False])


def test_sequences_lie_end_to_end_without_padding():
    whole = collate(plain(4, 2, 3))
    assert_array_equal(whole.starts, [0, 3, 4, 6])
    assert whole.starts[-1] == len(whole.ids)
    assert_array_equal(whole.ids, [0, 1, 2, 4, 6, 7])


def test_a_batch_is_cut_into_micro_batches_of_so_many_sequences_which_are_slices_of_the_same_weights():
    whole = collate(plain(4, 2, 3, 6, 2), 0.5, "token_mean", np.float64)
    parts = list(whole.split(2))
    assert [len(part.starts) - 1 for part in parts] == [2, 2, 1]
    for name in ("ids", "targets", "weights", "is_y"):
        assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(whole, name))
    assert [list(part.starts) for part in parts] == [[0, 3, 4], [0, 2, 7], [0, 1]]
    assert len(list(whole.split(5))) == len(list(whole.split(99))) == 1


def test_a_batch_cannot_be_given_other_weights_after_it_was_made():
    whole = collate(plain(4, 2))
    with pytest.raises(FrozenInstanceError):
        whole.weights = whole.weights / 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_of_a_batch_have_the_dtype_of_the_parameters(dtype):
    assert collate(plain(3, 4), dtype=dtype).weights.dtype == dtype
