"""What nobody can mean is refused where data comes in: `encode`, `fit`, `pieces`, `weights`, `collate`, a Batch."""

import numpy as np
import pytest
from support.examples import CHAT, TEXTS, encoded, plain
from support.refusals import refusal

from minisft import data
from minisft.config import TrainConfig
from minisft.data import Sequence, collate, weights
from minisft.tokenizer import Tokenizer

IDS, IS_Y = np.array([1, 2, 3, 4]), np.array([False, False, True, True])
ONES, NAN = np.ones(4), float("nan")


def one(ids=IDS, is_y=IS_Y):
    return [Sequence(ids, is_y, "data.jsonl:7")]


# --- is_y and ids ----------------------------------------------------------------------------------------------------


def test_a_mask_of_0_and_1_is_refused_since_the_not_of_an_integer_is_no_not():
    """~0 is −1 and ~1 is −2, both true: every row would count as one of x."""
    refusal(lambda: collate(one(is_y=np.array([0, 0, 1, 1]))), "data.jsonl:7: is_y", "int64", "astype(bool)")


def test_a_mask_of_floats_is_refused():
    refusal(lambda: collate(one(is_y=np.array([0.0, 0, 1, 1]))), "data.jsonl:7: is_y", "float64")


def test_a_mask_of_another_length_than_ids_is_refused_and_the_line_is_named():
    refusal(lambda: collate(one(is_y=IS_Y[1:])), "data.jsonl:7", "(4, 3)")


def test_masks_whose_lengths_are_wrong_but_add_up_are_refused():
    """Laid end to end, they would be as long as the ids, and every row of y would be shifted."""
    long = np.append(IS_Y, True)
    refusal(lambda: collate([*one(is_y=IS_Y[1:]), *one(is_y=long)]), "data.jsonl:7", "(4, 3)")


@pytest.mark.parametrize("wrong", [-1, -100])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_negative_ids_are_refused_since_they_would_count_from_the_end_of_the_vocabulary(wrong, place):
    ids = IDS.copy()
    ids[place] = wrong
    refusal(lambda: collate(one(ids)), "ids", wrong)


@pytest.mark.parametrize(
    "ids",
    [IDS * 1.0, IDS > 2, IDS[:, None], np.array([1, 2, 3, None]), np.array(list("1234"))],
    ids=["floats", "booleans", "two dimensions", "objects", "letters"],
)
def test_ids_that_are_not_whole_numbers_in_one_dimension_are_refused(ids):
    refusal(lambda: collate(one(ids)), "ids", "whole numbers", ids.dtype)


@pytest.mark.parametrize("length", [0, 1])
def test_a_sequence_in_which_nothing_can_be_predicted_is_refused_and_its_line_is_named(length):
    short = Sequence(IDS[:length], IS_Y[:length], "data.jsonl:9")
    refusal(lambda: collate([*one(), short, *one()]), "data.jsonl:9", f"({length}, {length})")


def test_no_sequences_a_single_one_and_a_generator_are_refused():
    for given in ([], *one(), iter(one())):
        refusal(lambda given=given: collate(given), "sequences", "list of at least one")


def test_examples_that_nobody_encoded_are_refused():
    refusal(lambda: collate([data.example(CHAT, "data.jsonl:1")]), "sequences", "data.encode")


def test_lists_of_numbers_are_as_good_as_arrays():
    listed = collate([Sequence(IDS.tolist(), IS_Y.tolist(), "")])
    for name in ("ids", "targets", "weights", "starts", "is_y"):
        np.testing.assert_array_equal(getattr(listed, name), getattr(collate(one()), name))


# --- λ and weights ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [NAN, np.inf, -1.0, 1001, 1e45, "0.5", None, np.full(3, 0.5)], ids=str)
def test_lambda_is_a_number_from_0_to_1000_in_collate_as_in_the_settings(wrong):
    """From 1e45 on y would have weight 0, and with ∞ every weight of x would be NaN."""
    refusal(lambda: collate(one(), wrong), "prompt_loss_weight")


@pytest.mark.parametrize("right", [0, 1000, np.float32(0.5), np.array(0.5)], ids=str)
def test_lambda_may_be_any_kind_of_number(right):
    assert collate(one(), right, "sum", np.float64).weights[0] == right


def test_lambda_has_the_same_bounds_in_collate_and_in_the_settings():
    for value in (0, 1000, -1e-9, 1000.1, NAN):
        raised = []
        for call in (lambda v: collate(one(), v), lambda v: TrainConfig(prompt_loss_weight=v)):
            try:
                raised.append(call(value) is None)
            except data.MinisftError:
                raised.append(True)
        assert raised[0] == raised[1]


@pytest.mark.parametrize("dtype", [int, bool, complex, np.uint8])
def test_weights_of_a_dtype_that_cannot_hold_them_are_refused(dtype):
    """As integers all of 1/2 would be 0, and nothing would be trained."""
    refusal(lambda: collate(one(), 0.5, "token_mean", dtype), "dtype", "real")


@pytest.mark.parametrize("reduction", ["sum", "token_mean", "sequence_mean"])
def test_m_in_a_column_is_refused_since_it_would_be_broadcast(reduction):
    refusal(lambda: weights(ONES[:, None], np.array([0, 4]), reduction), "m:", "(4, 1)")


@pytest.mark.parametrize("wrong", [-1.0, NAN, np.inf])
def test_m_that_is_negative_or_not_finite_is_refused(wrong):
    refusal(lambda: weights(np.array([1, wrong, 0]), np.array([0, 3])), "m:", wrong)


@pytest.mark.parametrize("starts", [[0, 3, 2, 4], [0, 2, 2, 4], [0, 3], [0, 5], [1, 4], [-1, 4], []], ids=str)
@pytest.mark.parametrize("reduction", ["sum", "token_mean", "sequence_mean"])
def test_starts_that_do_not_increase_from_0_to_the_number_of_rows_are_refused(starts, reduction):
    refusal(lambda: weights(ONES, np.array(starts, int), reduction), "starts")


def test_starts_that_are_not_whole_are_refused():
    refusal(lambda: weights(ONES, np.array([0.0, 4.0]), "sum"), "starts", "whole numbers")


# --- a batch, and parts of it ----------------------------------------------------------------------------------------


def test_sequences_of_a_batch_are_chosen_by_true_and_false_not_by_their_numbers():
    """[0, 1] would be taken as rows, repeated: the first two tokens, many times over."""
    batch = collate(plain(4, 2))
    for wrong in ([0, 1], [1, 0], [True], np.array([1, 1])):
        refusal(lambda wrong=wrong: batch.only(wrong), "chosen", "2 times true or false")
    assert len(batch.only([False, True]).ids) == len(batch.only(np.array([False, True])).ids) == 1


@pytest.mark.parametrize("size", [-1, 0, 1.5, NAN, None])
def test_micro_batches_of_fewer_than_one_sequence_are_refused(size):
    """Of −1, none would be made, and nothing would be trained."""
    refusal(lambda: list(collate(plain(4, 2)).split(size)), "size")


# --- examples and lengths --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(TEXTS, 400)


@pytest.mark.parametrize("turns", ["first", "Last", None, True, 1, []], ids=str)
def test_assistant_turns_that_are_unknown_are_refused_not_taken_for_all(turns, tokenizer):
    refusal(lambda: encoded(CHAT, tokenizer, turns), "assistant_turns", "all or last")


def test_a_row_that_is_not_yet_an_example_is_refused(tokenizer):
    refusal(lambda: data.encode(CHAT, tokenizer), "example", "data.example")


@pytest.mark.parametrize("length", [-1, 0, 2.5, NAN, None, "9"], ids=str)
def test_a_length_that_is_not_a_whole_number_above_0_is_refused(length):
    """−1 would cut off the last token; NaN would compare as shorter than nothing."""
    refusal(lambda: data.fit(one(), length), "max_length")


@pytest.mark.parametrize("word", ["Cut", "truncate", None, True])
def test_on_too_long_that_is_unknown_is_refused_not_taken_for_cut(word):
    refusal(lambda: data.fit(one(), 3, word), "on_too_long", "cut, drop or error")


@pytest.mark.parametrize("length", [1, 0, -3, 2.5])
def test_pieces_in_which_nothing_can_be_predicted_are_refused(length):
    """Of 0 or less, a document would have no pieces, and vanish."""
    refusal(lambda: data.pieces(one()[0], length), "max_length")
