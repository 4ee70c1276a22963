"""Which rows and files of data are read, and which are refused with file and line."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import examples
from support.examples import ALPACA, CHAT, said
from support.refusals import refusal

from minisft.data import Example, encode, question, read
from minisft.errors import MinisftError
from minisft.formats.documents import read_documents
from minisft.formats.rows import example

tokenizer = examples.tokenizer


def write(path, *lines):
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
    return path


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


@pytest.mark.parametrize("roles", [[U, A], [S, U, A], [U, A, U, A], [A], [S, A], [U, U, A], [U, A, A], [U, S, A]])
def test_a_conversation_has_any_order_that_the_template_renders_and_ends_with_an_answer(roles):
    messages = [{"role": role, "content": "x"} for role in roles]
    assert example({"messages": messages}, "").completion == messages
    for cut in range(len(messages)):
        assert example({"prompt": messages[:cut], "completion": messages[cut:]}, "").prompt == messages[:cut]


@pytest.mark.parametrize("roles", [[], [S], [U], [S, U], [A, U], [U, A, S], [U, A, U], [U, "tool"]])
def test_a_conversation_that_does_not_end_with_an_answer_is_an_error_naming_file_and_line(roles):
    messages = [{"role": role, "content": "x"} for role in roles]
    refusal(lambda: example({"messages": messages}, "data.jsonl:7"), "data.jsonl:7")
    for cut in range(len(messages)):
        row = {"prompt": messages[:cut], "completion": messages[cut:]}
        refusal(lambda row=row: example(row, "data.jsonl:7"), "data.jsonl:7")


@pytest.mark.parametrize("roles", [[U], [S, U], [U, A, U], [U, U], [S, A], [A, U]])
def test_for_generate_a_conversation_may_end_with_the_user(roles):
    messages = [{"role": role, "content": "x"} for role in roles]
    assert example({"messages": messages}, "", answered=False).completion == messages
    assert example({"prompt": messages}, "", answered=False) == Example(messages, [], "")
    assert example({"prompt": "x"}, "", answered=False) == Example("x", "", "")
    assert example({"instruction": "x"}, "", answered=False).completion == said("x")


@pytest.mark.parametrize("roles", [[], [A]])
def test_for_generate_something_must_be_asked(roles):
    messages = [{"role": role, "content": "x"} for role in roles]
    refusal(lambda: example({"messages": messages}, "data.jsonl:7", answered=False), "data.jsonl:7")


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ([], "no message"),
        ("text", "object"),
        (None, "object"),
        (3, "object"),
        ({}, "none of the keys"),
        ({"content": "a"}, '"content"'),
        ({"messages": "a"}, "list of messages"),
        ({"messages": None}, "none of the keys"),
        ({"messages": {}}, "list of messages"),
        ({"messages": []}, "no message"),
        ({"messages": ["a"]}, "message 1"),
        ({"messages": [{"role": "user"}]}, "message 1"),
        ({"messages": [{"role": "user", "content": None}]}, "message 1"),
        ({"messages": [{"role": "user", "content": ["a"]}]}, "message 1"),
        ({"messages": [*said("a"), {"content": "b"}]}, "message 2"),
        ({"messages": [*said("a"), {"role": "critic", "content": "b"}]}, 'message 2 has the unknown role "critic"'),
        ({"messages": said("a", "\ud800")}, "surrogate"),
        ({"prompt": "a"}, "completion"),
        ({"prompt": "a", "completion": None}, "completion"),
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
        ({"instruction": "a", "input": 1, "output": "b"}, '"input"'),
        ({"instruction": "\ud800", "output": "b"}, "surrogate"),
        ({"text": None}, "none of the keys"),
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
    ids, mask, where, *_ = encode(made, tokenizer)
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
