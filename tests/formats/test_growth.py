"""What is read from outside takes time in proportion to its size: templates, conversations, rows of JSON."""

import json
from contextlib import suppress
from time import process_time

import pytest
from support import small_tokenizer
from support.conversations import render
from support.growth import growth
from support.refusals import refusal
from support.small_tokenizer import ASSISTANT, USER, edit

from minisft import data
from minisft.errors import MinisftError
from minisft.formats.chat_templates import CHAT_TEMPLATE
from minisft.formats.rows import read
from minisft.tokenizer import Tokenizer

tokenizer, directory = small_tokenizer.fixtures
LINEAR = 9.0  # for four times the size; 16 if it goes with the square

LONG_TEMPLATES = [
    " ",
    "\t",
    "   \n",
    "{{ '",
    "{{ ",
    "{% ",
    "{#",
    "{% if x %}",
    "{{ 1 }}",
    "{{ (",
    "-",
    "{{ 'a' ~ 'b' }}",
]


@pytest.mark.parametrize("unit", LONG_TEMPLATES)
def test_a_chat_template_of_60_000_characters_is_read_or_refused_within_2_seconds(directory, unit):
    (directory / "chat_template.jinja").write_text(("{{ messages[0].content }}" + unit * 60_000)[:60_000])
    loaded, began = Tokenizer.load(directory), process_time()
    with suppress(MinisftError):
        render(loaded, [USER, ASSISTANT])
    assert process_time() - began < 2


# Conversations


@pytest.mark.parametrize("turns", ["all", "last"])
@pytest.mark.parametrize("roles", ["user assistant", "system", "assistant user user"])
def test_a_conversation_is_encoded_in_time_that_grows_with_its_turns(tokenizer, turns, roles):
    def work(size):
        messages = [{"role": role, "content": "the"} for role in roles.split()] * size
        data.encode(data.Example([], [*messages, ASSISTANT], "here"), tokenizer, turns)

    assert growth(work, 300) < LINEAR


@pytest.mark.parametrize("roles", ["user assistant", "assistant user user"])
def test_so_is_one_that_a_template_renders(directory, roles):
    (directory / "chat_template.jinja").write_text(CHAT_TEMPLATE + " ")
    loaded = Tokenizer.load(directory)

    def work(size):
        messages = [{"role": role, "content": "the"} for role in roles.split()] * size
        data.encode(data.Example([], [*messages, ASSISTANT], "here"), loaded)

    assert growth(work, 300) < LINEAR


def test_a_vocabulary_with_thousands_of_special_tokens_costs_a_turn_no_more(directory):
    def add(value):
        first = value["added_tokens"][0]
        value["added_tokens"] += [first | {"id": 1000 + i, "content": f"<|{i}|>"} for i in range(20_000)]

    edit(directory / "tokenizer.json", add)
    loaded = Tokenizer.load(directory)
    assert growth(lambda size: render(loaded, [USER, ASSISTANT] * size), 200) < LINEAR


def test_a_special_token_in_a_text_is_spelled_out_in_time_that_grows_with_the_text(directory):
    edit(directory / "tokenizer.json", lambda value: value["model"].update(ignore_merges=True))
    edit(
        directory / "tokenizer.json",
        lambda value: value.update(
            pre_tokenizer={
                "type": "Sequence",
                "pretokenizers": [
                    {"type": "Split", "behavior": "Isolated", "invert": False, "pattern": {"String": " "}},
                    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False},
                ],
            }
        ),
    )
    loaded = Tokenizer.load(directory)
    assert 2 in loaded.backend.encode("a <|im_end|> b").ids  # else nothing is tested
    assert growth(lambda size: loaded.encode("a <|im_end|> " * size), 300) < LINEAR


# Rows


def rows(name):
    return {
        "turns": lambda size: {
            "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}] * size
        },
        "one long text": lambda size: {"text": "a" * size},
        "escapes": lambda size: {"text": "\u00e9" * size},
        "keys": lambda size: {"text": "a"} | {str(i): i for i in range(size)},
        "a long key": lambda size: {"text": "a", "k" * size: 1},
        "a list": lambda size: {"text": "a", "other": [[]] * size},
        "numbers": lambda size: {"text": "a", "other": [1.5] * size},
        "alpaca": lambda size: {"instruction": "a" * size, "input": " " * size, "output": "b"},
    }[name]


@pytest.mark.parametrize(
    "name", ["turns", "one long text", "escapes", "keys", "a long key", "a list", "numbers", "alpaca"]
)
def test_a_row_is_read_in_time_that_grows_with_its_size(name, tmp_path):
    def work(size):
        (tmp_path / "data.jsonl").write_text(json.dumps(rows(name)(size)) + "\n")
        assert len(read([tmp_path / "data.jsonl"])) == 1

    assert growth(work, 30_000) < LINEAR


@pytest.mark.parametrize(
    "content",
    [
        "[" * 10**6,
        '{"a":' * 10**6,
        '{"text": ' + "[" * 10**5 + "]" * 10**5 + "}",
        '{"text": ' + "9" * 10**5 + "}",
        '{"messages": ' + '[{"role": ' * 10**4 + "}]" * 10**4 + "}",
        '{"text": "\\ud800"}',
        '{"text": 1e999}',
        '{"text": NaN}',
        '{"role": "' + "a" * 10**6 + '"}',
        "{" + '"text": "a", ' * 10**5 + '"text": 7}',
        '{"messages": [{"role": {"a": 1}, "content": "x"}]}',
        '{"text": "\x00"}',
    ],
    ids=lambda content: content[:20],
)
def test_a_row_that_is_deep_huge_or_of_another_kind_is_refused_in_one_line(content, tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text('{"text": "the cat"}\n' + content + "\n")
    message = refusal(lambda: read([path]), f"{path}:2")
    assert len(message) < len(str(path)) + 300


def test_many_rows_and_many_empty_lines_are_read_in_time_that_grows_with_their_number(tmp_path):
    def work(size):
        (tmp_path / "data.jsonl").write_text('{"text": "a"}\n\n\n' * size)
        assert len(read([tmp_path / "data.jsonl"])) == size

    assert growth(work, 3_000) < LINEAR
