"""What is x and what is y: from a line of data to ids and `is_y`."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from support import examples
from support.examples import ALPACA, CHAT, END, END_OF_TEXT, START, encoded, marked, said

from minisft.data import collate, encode, fit, question, read
from minisft.formats.rows import example
from minisft.tokenizer import SPECIAL, Tokenizer

REAL_DATA = Path(__file__).parents[2] / "shared" / "data" / "instruction-data.json"
tokenizer = examples.tokenizer


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
    ids, mask, *_ = encoded(CHAT, tokenizer)
    header = [tokenizer.backend.token_to_id(START), *tokenizer.encode("assistant\n")]
    places = [i for i in range(len(ids)) if list(ids[i : i + len(header)]) == header]
    assert len(places) == 2
    for i in places:
        assert not mask[i : i + len(header)].any()
        assert mask[i + len(header)]  # and what follows it is


def test_the_newline_after_an_end_of_turn_is_not_a_target(tokenizer):
    ids, mask, *_ = encoded(CHAT, tokenizer)
    ends = np.flatnonzero(ids == tokenizer.end_of_turn_id)
    assert len(ends) == 5
    assert [tokenizer.token_text(int(ids[i + 1])) for i in ends] == ["\n"] * 5
    assert not mask[ends + 1].any()


def test_the_end_token_of_every_answer_is_a_target(tokenizer):
    ids, mask, *_ = encoded(CHAT, tokenizer)
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
    ids, mask, *_ = encoded({"prompt": x, "completion": y}, tokenizer)
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
    ids, _, *_ = encoded({"messages": said("  assistant", "  user")}, tokenizer)
    answer = start + tokenizer.encode("assistant\n") + tokenizer.encode("  user") + end + newline
    assert_array_equal(ids, start + one_piece + end + newline + answer)


@pytest.mark.parametrize("row", [CHAT, {"prompt": "Hi there", "completion": " you"}])
def test_what_the_model_is_asked_is_what_it_was_trained_on_up_to_the_last_answer(tokenizer, row):
    ids, _, *_ = encoded(row, tokenizer)
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
