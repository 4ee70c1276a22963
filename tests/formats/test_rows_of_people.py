"""Rows as people have them are read as they mean them, or refused by name: never misread."""

import math

import pytest
from support import examples
from support.examples import ALPACA, END, START, encoded, marked, said
from support.refusals import refusal

from minisft.data import Example, encode
from minisft.formats.rows import example, unread

tokenizer = examples.tokenizer


def talk(row):
    made = example(row, "data.jsonl:7")
    return made.prompt + made.completion


def refused(row, *words):
    assert refusal(lambda: example(row, "data.jsonl:7"), *words).startswith("data.jsonl:7: ")


@pytest.mark.parametrize("user", ["human", "user"])
@pytest.mark.parametrize("assistant", ["gpt", "assistant", "chatgpt"])
def test_sharegpt_is_the_same_as_messages(user, assistant):
    row = [("system", "Be brief."), (user, "Hi"), (assistant, "Hello")]
    assert talk({"conversations": [{"from": name, "value": text} for name, text in row]}) == said(
        "Hi", "Hello", system="Be brief."
    )


def test_conversations_may_be_spelled_with_role_and_content_too():
    assert talk({"conversations": said("Hi", "Hello")}) == said("Hi", "Hello")
    refused({"conversations": [{"from": "bing", "value": "Hi"}]}, 'message 1 has the unknown role "bing"')


def test_a_list_of_messages_is_a_conversation():
    assert talk(said("Hi", "Hello")) == said("Hi", "Hello")


def test_the_texts_of_a_content_in_parts_are_joined():
    parts = [{"type": "text", "text": "Hi "}, {"type": "text", "text": "there"}]
    assert talk([{"role": "user", "content": parts}, *said("", "Hello")[1:]]) == said("Hi there", "Hello")


@pytest.mark.parametrize("part", [{"type": "image_url", "image_url": "x"}, {"type": "image"}])
def test_a_part_of_a_content_of_any_other_type_is_refused_by_its_name(part):
    row = [{"role": "user", "content": [{"type": "text", "text": "Look:"}, part]}, *said("", "Hello")[1:]]
    refused(row, f'message 1 has a part of type "{part["type"]}"')


@pytest.mark.parametrize("part", ["Hi", {"type": "text"}, {"text": "Hi"}, {"type": "text", "text": 3}, None])
def test_a_part_that_is_not_a_text_part_is_refused(part):
    refused([{"role": "user", "content": [part]}, *said("", "Hello")[1:]], "message 1 has")


@pytest.mark.parametrize("empty", [None, math.nan, ""])
def test_alpacas_input_may_be_null_nan_or_empty(empty):
    assert talk({"instruction": "Add 1 and 2.", "input": empty, "output": "3"}) == said("Add 1 and 2.", "3")


def test_alpacas_system_is_a_system_turn_and_its_history_earlier_turns_whose_answers_are_y_too(tokenizer):
    row = ALPACA | {"system": "Be brief.", "history": [["Hi", "Hello"]]}
    assert talk(row) == said("Hi", "Hello", "Add.\n\n1 2", "3", system="Be brief.")
    assert [text for text, is_y in marked(encoded(row, tokenizer), tokenizer) if is_y] == [f"Hello{END}", f"3{END}"]
    assert talk(ALPACA | {"system": "", "history": []}) == talk(ALPACA)


@pytest.mark.parametrize("history", ["Hi", [["Hi"]], [["Hi", None]], [{"Hi": "Hello"}], {}, 3])
def test_a_history_of_any_other_form_is_refused(history):
    refused(ALPACA | {"history": history}, '"history" must be a list of [question, answer]')


def test_alpacas_own_file_has_a_third_column_with_both_in_one_text_which_nobody_reads():
    assert talk(ALPACA | {"text": "Below is an instruction …"}) == talk(ALPACA)
    assert unread(ALPACA | {"text": "Below is an instruction …"}) == {"text"}


def test_dolly_asks_the_instruction_and_below_a_blank_line_the_context():
    row = {"instruction": "Who?", "context": "It was me.", "response": "You.", "category": "closed_qa"}
    assert talk(row) == said("Who?\n\nIt was me.", "You.")
    assert talk(row | {"context": ""}) == said("Who?", "You.")
    assert unread(row) == {"category"}


def test_alpacas_and_dollys_names_may_be_mixed():
    for asked in ("input", "context"):
        for answer in ("output", "response"):
            assert talk({"instruction": "Add.", asked: "1 2", answer: "3"}) == said("Add.\n\n1 2", "3")
    assert talk({"instruction": "Add.", "input": "", "context": "1 2", "output": "", "response": "3"}) == talk(ALPACA)
    assert talk({"instruction": "Add.", "output": ""}) == said("Add.", "")


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_null_column_is_absent(value):
    row = {"messages": value, "prompt": "Hi ", "completion": "there", "text": value, "weight": value, "tools": value}
    assert example(row, "here") == Example("Hi ", "there", "here")


def test_a_null_key_of_a_message_is_absent():
    nulls = dict.fromkeys(["name", "tool_calls", "weight", "value"])
    assert talk([message | nulls for message in said("Hi", "Hello")]) == said("Hi", "Hello")


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"prompt": "a"}, ("messages", "prompt")),
        ({"completion": "a"}, ("messages", "completion")),
        ({"conversations": said("a", "b")}, ("messages", "conversations")),
        ({"instruction": "a"}, ("messages", "instruction")),
        ({"text": "a"}, ("messages", "text")),
    ],
)
def test_two_forms_in_a_row_are_refused_naming_both(keys, named):
    refused({"messages": said("Hi", "Hello")} | keys, f'has both "{named[0]}" and "{named[1]}"')


def test_two_names_of_one_thing_are_refused_naming_both():
    refused(ALPACA | {"context": "also"}, 'has both "input" and "context"')
    refused(ALPACA | {"response": "also"}, 'has both "output" and "response"')
    refused({"text": "a", "completion": "b"}, 'has both "text" and "completion"')
    for key, other in ({"from": "gpt"}, "role"), ({"value": "also"}, "content"):
        refused([*said("Hi"), said("", "Hello")[1] | key], f'message 2 has both "{other}" and "{next(iter(key))}"')
    refused({"system": "a", "messages": said("Hi", "Hello", system="b")}, 'has both "system" and a system message')


def test_a_developer_is_the_system():
    assert talk([{"role": "developer", "content": "Be brief."}, *said("Hi", "Hello")]) == said(
        "Hi", "Hello", system="Be brief."
    )


def test_two_user_turns_and_an_assistant_who_speaks_first_are_as_the_template_renders_them(tokenizer):
    twice = [*said("Hi"), *said("there"), *said("", "Hello")[1:]]
    assert marked(encoded({"messages": twice}, tokenizer), tokenizer) == [
        (f"{START}user\nHi{END}\n{START}user\nthere{END}\n{START}assistant\n", False),
        (f"Hello{END}", True),
        ("\n", False),
    ]
    first = [*said("", "Welcome")[1:], *said("Hi", "Hello")]
    assert [text for text, is_y in marked(encoded({"messages": first}, tokenizer), tokenizer) if is_y] == [
        f"Welcome{END}",
        f"Hello{END}",
    ]


def test_a_system_column_is_a_system_turn_of_any_conversation():
    whole = said("Hi", "Hello", system="Be brief.")
    for row in (
        {"messages": whole[1:]},
        {"prompt": whole[1:2], "completion": whole[2:]},
        {"prompt": [], "completion": whole[1:]},
        {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]},
        {"instruction": "Hi", "response": "Hello"},
    ):
        assert talk(row | {"system": "Be brief."}) == whole
    asked = example({"prompt": whole[1:2], "completion": whole[2:], "system": "Be brief."}, "")
    assert asked.completion == whole[2:]
    refused({"prompt": "Hi", "completion": "Hello", "system": "Be brief."}, '"system" is for a conversation')
    refused({"text": "Hi", "tools": [{}]}, '"tools" is for a conversation')


CALL = [{"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}]


@pytest.mark.parametrize("content", ["", None, "absent"])
def test_tool_calls_tools_and_thoughts_are_handed_on_to_the_template(content):
    calling = {"role": "assistant", "content": content, "tool_calls": CALL, "reasoning_content": "Hm."}
    calling = {key: value for key, value in calling.items() if value != "absent"}
    result = {"role": "tool", "content": "3", "name": "add", "tool_call_id": "1"}
    row = {"messages": [*said("1 + 2?"), calling, result, *said("", "3")[1:]], "tools": CALL}
    made = example(row, "here")
    assert made.completion[1] == calling | {"content": ""} and made.completion[2] == result
    assert made.tools == CALL and not unread(row)
    assert example(row | {"tools": '[{"a": 1}]'}, "").tools == [{"a": 1}]  # as text, as Arrow wants it
    assert example(row | {"tools": []}, "").tools is None
    refused(row | {"tools": "not JSON"}, '"tools"')
    refused(row | {"tools": {"a": 1}}, '"tools" must be a list')


@pytest.mark.parametrize("key", ["tool_calls", "reasoning_content", "tools"])
def test_what_a_template_has_no_place_for_is_refused_naming_the_key_and_the_row(tokenizer, key):
    row = {"messages": said("Hi", "")}
    (row if key == "tools" else row["messages"][1])[key] = CALL
    refusal(lambda: encode(example(row, "data.jsonl:7"), tokenizer), "data.jsonl:7", key)


def test_keys_that_nobody_reads_are_told_apart_from_those_that_are_read():
    row = {"messages": said("Hi", "Hello"), "id": 7, "weight": 1, "system": "", "source": None}
    row["messages"][0] |= {"lang": "en", "name": "x", "weight": 0}
    assert unread(row) == {"id", "messages: lang"}
    assert unread({"text": "a", "label": 1}) == {"label"}


# --- weights ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "weight"),
    [
        ({"weight": 0}, 0),
        ({"weight": 1}, 1),
        ({"weight": 0.25}, 0.25),
        ({"weight": 3}, 3),
        ({"train": False}, 0),
        ({"train": True}, 1),
        ({"loss": False}, 0),
        ({"loss": 0.5}, 0.5),
        ({"masked": True}, 0),
        ({"masked": False}, 1),
        ({"weight": 0.5, "masked": 0, "train": True}, 0.5),
        ({"weight": 2, "train": False}, 0),
    ],
)
def test_weight_train_loss_and_masked_are_one_number_by_which_m_is_multiplied(keys, weight):
    assert talk([*said("Hi"), said("", "Hello")[1] | keys])[1] == said("", "Hello")[1] | {"weight": weight}


@pytest.mark.parametrize("key", ["weight", "train", "loss", "masked"])
@pytest.mark.parametrize("value", [-1, "1", [1], math.inf, 1e7])
def test_a_weight_that_is_not_a_number_of_at_least_0_is_refused_naming_the_key(key, value):
    refused([*said("Hi"), said("", "Hello")[1] | {key: value}], f'"{key}": ')
    if key == "weight":
        refused(ALPACA | {"weight": value}, '"weight": ')


def test_masked_is_true_or_false():
    refused([*said("Hi"), said("", "Hello")[1] | {"masked": 0.5}], '"masked": 0.5')


def test_a_row_has_a_weight_of_its_own():
    assert example(ALPACA | {"weight": 0.5}, "").weight == 0.5
    assert example({"text": "a", "weight": 0}, "").weight == 0
    assert unread(ALPACA | {"train": True}) == {"train"}  # of a message it would mean something
