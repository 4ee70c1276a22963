"""What exactly is trained: from a line of data to ids, mask and weights, with every edge."""

import doctest
import json
from dataclasses import FrozenInstanceError
from fractions import Fraction
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from support.refusals import refusal

from minisft import data
from minisft.data import Example, Sequence, collate, encode, fit, pieces, question, read, weights
from minisft.errors import MinisftError
from minisft.formats.rows import example, read_documents
from minisft.tokenizer import SPECIAL, Tokenizer

REAL_DATA = Path(__file__).parents[2] / "shared" / "data" / "instruction-data.json"
TEXTS = ["user\nWhich is the capital of France?", "assistant\nParis", "system\nBe brief.", "user\n  assistant\n  "] * 10
END_OF_TEXT, START, END = SPECIAL


def said(*contents, system=None):
    """A conversation: user and assistant in turn, after a system turn if there is one."""
    turns = [{"role": ("user", "assistant")[i % 2], "content": content} for i, content in enumerate(contents)]
    return turns if system is None else [{"role": "system", "content": system}, *turns]


CHAT = {"messages": said("Hi", "Hello", "And?", "Bye", system="Be brief.")}
ALPACA = {"instruction": "Add.", "input": "1 2", "output": "3"}


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(TEXTS, 400)


def encoded(row, tokenizer, assistant_turns="all"):
    return encode(example(row, "data.jsonl:1"), tokenizer, assistant_turns)


def marked(sequence, tokenizer):
    """[(text, is it y?)]: neighbouring tokens of the same kind together."""
    pairs = zip(sequence.ids, sequence.is_y, strict=True)
    groups = groupby(pairs, key=lambda pair: bool(pair[1]))
    return [("".join(tokenizer.token_text(int(i)) for i, _ in group), is_y) for is_y, group in groups]


def plain(*lengths, prompt=1):
    """Sequences of these lengths, the first `prompt` tokens of each x; ids count up through all of them."""
    ends = np.cumsum(lengths)
    return [
        Sequence(np.arange(end - n, end), np.arange(n) >= prompt, f"data.jsonl:{line}")
        for line, (n, end) in enumerate(zip(lengths, ends), 1)
    ]


def write(path, *lines):
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
    return path


# What is x, what is y


def test_y_is_every_assistants_content_with_its_end_token_and_x_is_everything_else(tokenizer):
    assert marked(encoded(CHAT, tokenizer), tokenizer) == [
        (f"{START}system\nBe brief.{END}\n{START}user\nHi{END}\n{START}assistant\n", False),
        (f"Hello{END}", True),
        (f"\n{START}user\nAnd?{END}\n{START}assistant\n", False),
        (f"Bye{END}", True),
        ("\n", False),
    ]


def test_the_assistant_header_is_not_a_target(tokenizer):
    """The tokens of the header are given when the model answers, so they are never targets."""
    ids, mask, _ = encoded(CHAT, tokenizer)
    header = [tokenizer.backend.token_to_id(START), *tokenizer.encode("assistant\n")]
    places = [i for i in range(len(ids)) if list(ids[i : i + len(header)]) == header]
    assert len(places) == 2
    for i in places:
        assert not mask[i : i + len(header)].any()
        assert mask[i + len(header)]  # and what follows it is


def test_the_newline_after_an_end_of_turn_is_not_a_target(tokenizer):
    ids, mask, _ = encoded(CHAT, tokenizer)
    ends = np.flatnonzero(ids == tokenizer.end_of_turn_id)
    assert len(ends) == 5
    assert [tokenizer.token_text(int(ids[i + 1])) for i in ends] == ["\n"] * 5
    assert not mask[ends + 1].any()


def test_the_end_token_of_every_answer_is_a_target(tokenizer):
    ids, mask, _ = encoded(CHAT, tokenizer)
    of_each_turn = mask[ids == tokenizer.end_of_turn_id]
    assert_array_equal(of_each_turn, [False, False, True, False, True])  # system, user, assistant, user, assistant


def test_every_assistant_turn_is_a_target_given_all_that_precedes_it(tokenizer):
    """A conversation of two answers begins with the one of its first answer, token by token, with the same targets."""
    both = encoded({"messages": said("Hi", "Hello", "And?", "Bye")}, tokenizer)
    first = encoded({"messages": said("Hi", "Hello")}, tokenizer)
    n = len(first.ids)
    assert_array_equal(both.ids[:n], first.ids)
    assert_array_equal(both.is_y[:n], first.is_y)
    assert both.is_y[n:].any()


def test_with_assistant_turns_last_only_the_last_is_a_target(tokenizer):
    every, last = encoded(CHAT, tokenizer), encoded(CHAT, tokenizer, "last")
    assert_array_equal(every.ids, last.ids)
    assert [text for text, is_y in marked(last, tokenizer) if is_y] == [f"Bye{END}"]


def test_prompt_and_completion_are_concatenated_as_they_are_and_the_end_of_text_follows(tokenizer):
    row = {"prompt": "The capital of", "completion": " France?\n"}
    assert marked(encoded(row, tokenizer), tokenizer) == [("The capital of", False), (f" France?\n{END_OF_TEXT}", True)]
    assert encoded(row, tokenizer).ids[-1] == tokenizer.eos_id


def test_prompt_and_completion_are_encoded_apart_so_no_token_lies_in_both(tokenizer):
    x, y = "Which is the cap", "ital of France?"  # in one piece, " capital" is one token
    assert len(tokenizer.encode(x + y)) < len(tokenizer.encode(x)) + len(tokenizer.encode(y))
    ids, mask, _ = encoded({"prompt": x, "completion": y}, tokenizer)
    assert_array_equal(ids, [*tokenizer.encode(x), *tokenizer.encode(y), tokenizer.eos_id])
    assert mask.sum() == len(tokenizer.encode(y)) + 1


def test_of_lists_of_messages_only_the_completions_assistant_turns_are_targets(tokenizer):
    messages = said("Hi", "Hello", "And?", "Bye", "Well?", "Yes")
    row = {"prompt": messages[:3], "completion": messages[3:]}
    assert_array_equal(encoded(row, tokenizer).ids, encoded({"messages": messages}, tokenizer).ids)
    targets = [text for text, is_y in marked(encoded(row, tokenizer), tokenizer) if is_y]
    assert targets == [f"Bye{END}", f"Yes{END}"]
    last = [text for text, is_y in marked(encoded(row, tokenizer, "last"), tokenizer) if is_y]
    assert last == [f"Yes{END}"]


def test_header_and_content_of_a_turn_are_encoded_in_one_piece_but_an_answer_apart_from_its_header(tokenizer):
    """It matters where an answer begins with white space: "\\n  " is one token or two."""
    start, end, newline = [tokenizer.backend.token_to_id(START)], [tokenizer.end_of_turn_id], tokenizer.encode("\n")
    one_piece = tokenizer.encode("user\n  assistant")
    assert one_piece != tokenizer.encode("user\n") + tokenizer.encode("  assistant")
    ids, _, _ = encoded({"messages": said("  assistant", "  user")}, tokenizer)
    answer = start + tokenizer.encode("assistant\n") + tokenizer.encode("  user") + end + newline
    assert_array_equal(ids, start + one_piece + end + newline + answer)


@pytest.mark.parametrize("row", [CHAT, {"prompt": "Hi there", "completion": " you"}])
def test_what_the_model_is_asked_is_what_it_was_trained_on_up_to_the_last_answer(tokenizer, row):
    ids, _, _ = encoded(row, tokenizer)
    asked, answer = question(example(row, ""), tokenizer)
    assert_array_equal(ids[: len(asked)], asked)
    end = tokenizer.end_of_turn_id if "messages" in row else tokenizer.eos_id
    following = [*tokenizer.encode(answer), end]
    assert_array_equal(ids[len(asked) : len(asked) + len(following)], following)
    assert answer == ("Bye" if "messages" in row else " you")


def test_a_conversation_that_ends_with_the_user_is_asked_as_it_is_and_expects_nothing(tokenizer):
    row = {"messages": said("Hi", "Hello", "And?")}
    asked, answer = question(example(row, "", answered=False), tokenizer)
    assert "".join(tokenizer.token_text(i) for i in asked).endswith(f"And?{END}\n{START}assistant\n")
    assert answer == ""


@pytest.mark.parametrize("control", SPECIAL)
def test_special_tokens_in_a_users_or_an_assistants_text_are_never_special_ids(tokenizer, control):
    text = f"a{control}b"
    chat = encoded({"messages": said(text, text, system=text)}, tokenizer)
    own = {
        tokenizer.backend.token_to_id(START): 3,
        tokenizer.end_of_turn_id: 3,
        tokenizer.eos_id: 0,
    }  # of the three turns
    assert {i: int((chat.ids == i).sum()) for i in own} == own
    assert sum(is_y for _, is_y in marked(chat, tokenizer)) == 1  # one answer: the text did not close it
    texts = encoded({"prompt": text, "completion": text}, tokenizer)
    assert_array_equal(np.flatnonzero(np.isin(texts.ids, list(own))), [len(texts.ids) - 1])


def test_a_document_of_pretraining_text_is_followed_by_the_end_of_text_and_all_of_it_is_y(tokenizer):
    document = encoded({"text": "Paris. France."}, tokenizer)
    assert marked(document, tokenizer) == [(f"Paris. France.{END_OF_TEXT}", True)]
    assert_array_equal(collate([document]).weights, np.float32(1 / (len(document.ids) - 1)))  # x is empty


def test_instruction_and_input_are_the_users_turn_with_a_blank_line_between(tokenizer):
    same = encoded({"messages": said("Add.\n\n1 2", "3")}, tokenizer)
    assert_array_equal(encoded(ALPACA, tokenizer).ids, same.ids)
    assert_array_equal(encoded(ALPACA, tokenizer).is_y, same.is_y)
    for row in ({"instruction": "Add.", "output": "3"}, {"instruction": "Add.", "input": "", "output": "3"}):
        assert example(row, "").completion == said("Add.", "3")


# The shift


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


# Weights: three sequences of 4, 1 and 5 rows, of which 2, 1 and 1 predict y

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


# Edges


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
    ((ids, mask, where),), counts = fit([whole], n, "cut")
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


# Reading


def test_the_rows_of_a_file_are_read_in_order_each_with_file_and_line(tmp_path):
    path = write(tmp_path / "data.jsonl", CHAT, {"prompt": "a", "completion": "b"}, {"text": "c"}, ALPACA)
    assert read([path]) == [
        Example([], CHAT["messages"], f"{path}:1"),
        Example("a", "b", f"{path}:2"),
        Example("", "c", f"{path}:3"),
        Example([], said("Add.\n\n1 2", "3"), f"{path}:4"),
    ]


def test_a_json_array_is_read_as_its_records(tmp_path):
    path = tmp_path / "data.json"
    path.write_text(json.dumps([ALPACA, {"text": "c"}], indent=2))
    assert [read_example.where for read_example in read([path])] == [f"{path}: record 1", f"{path}: record 2"]
    path.write_text(json.dumps([ALPACA, {"output": "c"}]))
    refusal(lambda: read([path]), f"{path}: record 2")


def test_several_files_are_read_one_after_the_other(tmp_path):
    paths = [write(tmp_path / f"{n}.jsonl", {"text": f"{n} first"}, {"text": f"{n} last"}) for n in (2, 1)]
    read_examples = read(paths)
    assert [one.completion for one in read_examples] == ["2 first", "2 last", "1 first", "1 last"]
    assert read_examples[-1].where == f"{paths[1]}:2"


def test_blank_lines_a_byte_order_mark_and_crlf_are_accepted(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "a"}\r\n\r\n   \n{"text": "b\xe2\x80\xa8c"}\r\n\n')
    one, other = read([path])
    assert (one.completion, one.where) == ("a", f"{path}:1")
    assert (other.completion, other.where) == ("b\u2028c", f"{path}:4")  # only \n ends a line
    array = tmp_path / "data.json"
    array.write_bytes(b'\xef\xbb\xbf\r\n[\r\n{"text": "a"}\r\n]\r\n')
    assert [one.completion for one in read([array])] == ["a"]


def test_other_keys_of_a_row_do_not_matter():
    assert example(CHAT | {"id": 7, "messages": [m | {"name": "x"} for m in CHAT["messages"]]}, "").prompt == []


U, A, S = "user", "assistant", "system"


@pytest.mark.parametrize("roles", [[U, A], [S, U, A], [U, A, U, A], [S, U, A, U, A, U, A]])
def test_a_conversation_is_an_optional_system_turn_then_user_and_assistant_in_turn(roles):
    messages = [{"role": role, "content": "x"} for role in roles]
    assert example({"messages": messages}, "").completion == messages
    for cut in range(len(messages)):
        assert example({"prompt": messages[:cut], "completion": messages[cut:]}, "").prompt == messages[:cut]


@pytest.mark.parametrize(
    "roles",
    [[], [A], [S], [U], [S, A], [S, U], [A, U], [U, U, A], [U, A, A], [U, S, A], [U, A, S], [S, S, U, A], [U, A, U]],
)
def test_any_other_conversation_is_an_error_naming_file_and_line(roles):
    messages = [{"role": role, "content": "x"} for role in roles]
    refusal(lambda: example({"messages": messages}, "data.jsonl:7"), "data.jsonl:7")
    for cut in range(len(messages)):
        row = {"prompt": messages[:cut], "completion": messages[cut:]}
        refusal(lambda row=row: example(row, "data.jsonl:7"), "data.jsonl:7")


@pytest.mark.parametrize("roles", [[U], [S, U], [U, A, U]])
def test_for_generate_a_conversation_may_end_with_the_user(roles):
    messages = [{"role": role, "content": "x"} for role in roles]
    assert example({"messages": messages}, "", answered=False).completion == messages
    assert example({"prompt": messages}, "", answered=False) == Example(messages, [], "")
    assert example({"prompt": "x"}, "", answered=False) == Example("x", "", "")
    assert example({"instruction": "x"}, "", answered=False).completion == said("x")
    refusal(lambda: example({"messages": messages}, ""), "assistant")


@pytest.mark.parametrize("roles", [[], [A], [S], [S, A], [U, U]])
def test_for_generate_the_turns_must_alternate_all_the_same(roles):
    messages = [{"role": role, "content": "x"} for role in roles]
    refusal(lambda: example({"messages": messages}, "data.jsonl:7", answered=False), "data.jsonl:7")


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ([], "object"),
        ("text", "object"),
        (None, "object"),
        (3, "object"),
        ({}, "none of the keys"),
        ({"content": "a"}, "'content'"),
        ({"messages": "a"}, "list of messages"),
        ({"messages": None}, "list of messages"),
        ({"messages": {}}, "list of messages"),
        ({"messages": []}, "no message"),
        ({"messages": ["a"]}, "message 1"),
        ({"messages": [{"role": "user"}]}, "message 1"),
        ({"messages": [{"role": "user", "content": None}]}, "message 1"),
        ({"messages": [{"role": "user", "content": ["a"]}]}, "message 1"),
        ({"messages": [*said("a"), {"content": "b"}]}, "message 2"),
        ({"messages": [*said("a"), {"role": "tool", "content": "b"}]}, "message 2 has the unknown role 'tool'"),
        ({"messages": said("a", "\ud800")}, "surrogate"),
        ({"prompt": "a"}, "completion"),
        ({"prompt": "a", "completion": None}, "two texts"),
        ({"prompt": "a", "completion": said("a", "b")}, "two texts"),
        ({"prompt": said("a"), "completion": "b"}, "two texts"),
        ({"prompt": 1, "completion": 2}, "two texts"),
        ({"prompt": said("a"), "completion": []}, "assistant"),
        ({"prompt": said("a", "b"), "completion": []}, "assistant"),
        ({"prompt": "a", "completion": "\udc00"}, "surrogate"),
        ({"prompt": "\udc00", "completion": "b"}, "surrogate"),
        ({"instruction": "a"}, '"output"'),
        ({"instruction": "a", "output": None}, '"output"'),
        ({"instruction": 1, "output": "b"}, '"instruction"'),
        ({"instruction": "a", "input": None, "output": "b"}, '"input"'),
        ({"instruction": "\ud800", "output": "b"}, "surrogate"),
        ({"text": None}, '"text"'),
        ({"text": ["a"]}, '"text"'),
        ({"text": "\ud800"}, "surrogate"),
    ],
)
def test_a_row_that_is_none_of_the_forms_is_refused_with_file_and_line(row, word):
    assert refusal(lambda: example(row, "data.jsonl:7"), word).startswith("data.jsonl:7: ")


@pytest.mark.parametrize(
    "line",
    [
        b'{"text": "a"',
        b"{'text': 'a'}",
        b'{"text": "a"} {"text": "b"}',
        b'{"text": "caf\xe9"}',  # Latin-1
        b'"\xed\xa0\x80"',  # a surrogate as bytes is no UTF-8
        b"[" * 100_000,
        b'{"text": ' + b"1" * 5000 + b"}",
        b"\x00",
    ],
    ids=["cut off", "quotes", "two objects", "latin-1", "surrogate", "nested", "digits", "zero"],
)
def test_a_line_that_is_not_json_in_utf8_is_refused_with_file_and_line(tmp_path, line):
    path = write(tmp_path / "data.jsonl", {"text": "a"}, b"", line, {"text": "b"})
    assert refusal(lambda: read([path])).startswith(f"{path}:3: ")


@pytest.mark.parametrize("content", [b"", b"\n \r\n", b"\xef\xbb\xbf", b"[]"])
def test_a_file_without_an_example_is_refused(tmp_path, content):
    path = write(tmp_path / "data.jsonl", content)
    refusal(lambda: read([path]), path, "no example")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    refusal(lambda: read([tmp_path / "data.jsonl"]), tmp_path / "data.jsonl", "--data")
    refusal(lambda: read([tmp_path]), tmp_path, "--data")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
MESSAGE = st.fixed_dictionaries({}, optional={"role": st.sampled_from([U, A, S]) | JSON, "content": st.text() | JSON})
VALUE = st.lists(MESSAGE, max_size=3) | st.text(max_size=5) | JSON
ROW = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(["messages", "prompt", "completion", "instruction", "input", "output", "text"], VALUE)
)


@settings(max_examples=200, deadline=None)
@given(row=ROW | JSON, answered=st.booleans())
def test_any_row_is_an_example_that_can_be_encoded_or_refused_in_one_line(tokenizer, row, answered):
    try:
        made = example(row, "data.jsonl:7", answered)
    except MinisftError as error:
        assert str(error).startswith("data.jsonl:7: ") and "\n" not in str(error)
        return
    ids, mask, where = encode(made, tokenizer)
    assert len(ids) == len(mask) and where == "data.jsonl:7"
    assert mask.any() or not answered
    assert question(made, tokenizer)[0] is not None


@settings(max_examples=100, deadline=None)
@given(raw=st.binary(max_size=40) | st.text(max_size=40).map(str.encode) | JSON.map(json.dumps).map(str.encode))
def test_any_file_is_read_or_refused_in_one_line(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("any") / "data.jsonl"
    path.write_bytes(raw)
    try:
        assert read([path])
    except MinisftError as error:
        assert str(path) in str(error) and "\n" not in str(error)


def test_a_text_file_is_one_document_and_a_json_file_as_many_as_it_has_rows(tmp_path):
    text = tmp_path / "book.txt"
    text.write_bytes(b'\xef\xbb\xbf{"text": 1}\nParis\n')
    assert read_documents(text) == [Example("", '{"text": 1}\nParis\n', str(text))]
    lines = write(tmp_path / "book.jsonl", {"text": "a"}, {"text": "b"})
    assert [document.completion for document in read_documents(lines)] == ["a", "b"]


def test_a_text_file_that_is_empty_or_not_utf8_is_refused_with_its_line(tmp_path):
    path = write(tmp_path / "book.txt", b" \n")
    refusal(lambda: read_documents(path), path, "no text")
    path.write_bytes(b"one\ntwo\ncaf\xe9\n")
    refusal(lambda: read_documents(path), f"{path}:3", "UTF-8")


# Real data


@pytest.mark.skipif(not REAL_DATA.exists(), reason="no instruction data beside the repository")
def test_every_record_of_real_instruction_data_is_read_encoded_and_batched_with_one_run_of_targets():
    records = json.loads(REAL_DATA.read_text())
    examples = read([REAL_DATA])
    assert len(examples) == len(records) > 1000
    tokenizer = Tokenizer.train([str(one.completion) for one in examples], 500)
    sequences = [encode(one, tokenizer) for one in examples]
    longest = max(len(sequence.ids) for sequence in sequences)
    kept, counts = fit(sequences, longest, "error")
    assert counts == {"read": len(records), "cut": 0, "dropped": 0}
    for record, sequence in zip(records, kept, strict=True):
        ((text, _),) = [(text, is_y) for text, is_y in marked(sequence, tokenizer) if is_y]
        assert text.endswith(END)
        targets = [int(i) for i in sequence.ids[sequence.is_y]]
        assert tokenizer.decode(targets[:-1]) == record["output"]
    for first in range(0, len(kept), 8):
        whole = collate(kept[first : first + 8])
        assert whole.starts[-1] == len(whole.ids) == sum(len(sequence.ids) - 1 for sequence in kept[first : first + 8])
        assert_allclose(whole.weights.sum(dtype=float), 1, rtol=1e-5)
