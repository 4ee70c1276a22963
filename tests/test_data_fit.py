"""What becomes of an example that is empty, too short or too long, and of a document longer than the context."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from support import examples
from support.examples import END, END_OF_TEXT, encoded, marked, plain, said
from support.refusals import refusal

from minisft.data import Sequence, collate, fit, pieces

tokenizer = examples.tokenizer


@pytest.mark.parametrize(
    ("row", "end"),
    [
        ({"messages": said("Hi", "")}, END),
        ({"prompt": said("Hi"), "completion": said("Hi", "")[1:]}, END),
        ({"instruction": "Hi", "output": ""}, END),
        ({"prompt": "Hi", "completion": ""}, END_OF_TEXT),
    ],
)
def test_an_empty_completion_has_the_end_of_turn_as_its_only_target(tokenizer, row, end):
    sequence = encoded(row, tokenizer)
    assert [text for text, is_y in marked(sequence, tokenizer) if is_y] == [end]
    assert (collate([sequence]).weights > 0).sum() == 1


def test_an_example_of_max_length_tokens_is_not_too_long():
    sequences = plain(6, 5)
    for choice in ("cut", "drop", "error"):
        kept, counts = fit(sequences, 6, choice)
        assert [len(sequence.ids) for sequence in kept] == [6, 5]
        assert counts == {"read": 2, "cut": 0, "dropped": 0}


def test_an_example_of_two_tokens_is_long_enough_since_the_second_is_predicted():
    kept, counts = fit(plain(2), 6)
    assert [len(sequence.ids) for sequence in kept] == [2]
    assert counts == {"read": 1, "cut": 0, "dropped": 0}


def test_a_cut_example_has_no_end_token_put_back(tokenizer):
    """A model must not learn to stop in mid-sentence."""
    whole = encoded({"messages": said("Hi", "Which is the capital of France?")}, tokenizer)
    n = len(whole.ids) - 4  # the end token, its newline and more are beyond it
    ((ids, mask, where, *_),), counts = fit([whole], n, "cut")
    assert_array_equal(ids, whole.ids[:n])
    assert_array_equal(mask, whole.is_y[:n])
    assert ids[-1] != tokenizer.end_of_turn_id and mask[-1]
    assert where == "data.jsonl:1"
    assert counts == {"read": 1, "cut": 1, "dropped": 0}


def test_an_example_that_is_too_long_is_cut_by_default_and_counted():
    kept, counts = fit(plain(5, 9, 6, 7), 6)
    assert [len(sequence.ids) for sequence in kept] == [5, 6, 6, 6]
    assert counts == {"read": 4, "cut": 2, "dropped": 0}


def test_drop_leaves_long_examples_out_and_counts_them():
    kept, counts = fit(plain(5, 9, 6, 7), 6, "drop")
    assert [sequence.where for sequence in kept] == ["data.jsonl:1", "data.jsonl:3"]
    assert counts == {"read": 4, "cut": 0, "dropped": 2}


def test_error_stops_at_a_long_example_naming_file_and_line():
    refusal(lambda: fit(plain(5, 9, 6, 7), 6, "error"), "data.jsonl:2", "9 tokens", "--max-length 6", "--on-too-long")


@pytest.mark.parametrize("prompt", [6, 7, 9])
def test_a_prompt_that_fills_the_context_is_an_error_under_cut_too_and_drop_drops_it(prompt):
    sequences = [*plain(5), Sequence(np.arange(10), np.arange(10) >= prompt, "data.jsonl:2")]
    refusal(lambda: fit(sequences, 6, "cut"), "data.jsonl:2", "no room for an answer", "--max-length", "drop")
    assert len(fit(sequences, 6, "drop")[0]) == 1


def test_a_prompt_that_leaves_room_for_one_token_is_cut_to_one_target():
    (sequence,), counts = fit([Sequence(np.arange(10), np.arange(10) >= 5, "")], 6, "cut")
    assert collate([sequence], 0.0, "sum").weights.sum() == 1
    assert counts["cut"] == 1


def test_if_the_only_y_left_is_the_first_token_nothing_can_be_predicted():
    """The first token is given: of a mask 1 0 0 … nothing is left to train."""
    refusal(lambda: fit([Sequence(np.arange(9), np.arange(9) == 0, "data.jsonl:1")], 6), "data.jsonl:1")


def test_if_the_only_y_left_is_the_second_token_it_is_the_one_target():
    (sequence,), _ = fit([Sequence(np.arange(9), np.arange(9) == 1, "")], 6)
    assert_array_equal(collate([sequence], 0.0, "sum").weights, [1, 0, 0, 0, 0])


def test_dropping_every_example_is_an_error():
    refusal(lambda: fit(plain(9, 9), 6, "drop"), "all 2 examples", "--max-length 6")


@pytest.mark.parametrize("row", [{"text": ""}, {"prompt": "", "completion": ""}])
def test_an_example_of_one_token_is_an_error_naming_file_and_line(tokenizer, row):
    refusal(lambda: fit([encoded(row, tokenizer)], 6), "data.jsonl:1", "only one token")


@pytest.mark.parametrize("length", range(1, 14))
@pytest.mark.parametrize("max_length", [2, 3, 4, 5, 12])
def test_pieces_of_a_document_predict_every_token_but_the_first_exactly_once(length, max_length):
    (document,) = plain(length, prompt=0)
    cut = pieces(document, max_length)
    assert all(min(length, 2) <= len(piece.ids) <= max_length for piece in cut)  # each predicts something
    assert all(len(piece.ids) == max_length for piece in cut[:-1])  # none shorter than it could be
    assert_array_equal(np.concatenate([piece.ids[1:] for piece in cut]), np.arange(1, length))
    for one, other in pairwise(cut):
        assert one.ids[-1] == other.ids[0]  # given again, so that what follows can be predicted from it
    assert all(piece.where == document.where and piece.is_y.all() for piece in cut)
    assert all(len(piece.ids) == len(piece.is_y) for piece in cut)
