"""What kind of file data are in is told by its content, whatever its name."""

import gzip
import json

import pytest
from support.examples import ALPACA, CHAT, said
from support.refusals import refusal

from minisft.data import Example, read, read_documents
from minisft.formats.documents import documents
from minisft.formats.rows import refuse

PAIR = {"prompt": "Hi, ", "completion": "you"}
LINES = "".join(json.dumps(row) + "\n" for row in (PAIR, ALPACA)).encode()
NAMES = ["data.jsonl", "data.JSONL", "data.ndjson", "data.json", "data.csv", "data.txt", "data"]


def of(path):
    return [one[:2] for one in read([path])]


def parts(*rows):
    return [(row.get("prompt", []), row["completion"]) for row in rows]


EXPECTED = [("Hi, ", "you"), ([], said("Add.\n\n1 2", "3"))]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gz"])
def test_the_content_decides_and_not_the_name(tmp_path, name, pack):
    path = tmp_path / name
    path.write_bytes(pack(LINES))
    assert of(path) == EXPECTED
    path.write_bytes(pack(json.dumps([PAIR, ALPACA], indent=1).encode()))
    assert of(path) == EXPECTED
    path.write_bytes(pack(b'prompt,completion\n"Hi, ",you\n'))
    assert of(path) == EXPECTED[:1]


def test_a_json_list_of_messages_a_line_is_a_conversation_a_line(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(said("Hi", "Hello")) + "\n" + json.dumps(said("And?", "Bye")) + "\n")
    assert read([path]) == [
        Example([], said("Hi", "Hello"), f"{path}:1"),
        Example([], said("And?", "Bye"), f"{path}:2"),
    ]
    path.write_text(json.dumps(said("Hi", "Hello")))  # one line, or one array of messages: the same conversation
    assert of(path) == [([], said("Hi", "Hello"))]
    path.write_text(json.dumps([said("Hi", "Hello"), said("And?", "Bye")]))
    assert of(path) == [([], said("Hi", "Hello")), ([], said("And?", "Bye"))]


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_a_csv_has_the_names_of_its_columns_in_the_first_line(tmp_path, between):
    path = tmp_path / "data.csv"
    cells = [["instruction", "input", "output", "weight"], ['"Say\n""Hi"""', "", "Hi", "0.5"], ["Bye", "", "3", ""]]
    path.write_text("\ufeff" + "".join(between.join(line) + "\r\n" for line in cells), newline="")
    first, second = read([path])
    assert first == Example([], said('Say\n"Hi"', "Hi"), f"{path}:2", weight=0.5)
    assert second == Example([], said("Bye", "3"), f"{path}:4")  # a text, though it looks like a number


def test_a_csv_that_is_not_one_is_refused_with_its_line(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("prompt,completion\na,b\na,b,c\n")
    refusal(lambda: read([path]), f"{path}:3", "3 cells")
    path.write_text("prompt,completion\na\n")
    refusal(lambda: read([path]), f"{path}:2", '"completion"')
    path.write_text("prompt,completion,weight\na,b,much\n")
    refusal(lambda: read([path]), f"{path}:2", '"weight"')
    path.write_text("prompt,completion\n")
    refusal(lambda: read([path]), path, "no example")
    path.write_text('prompt,completion\na,b\na,"b\nc,d\n')
    refusal(lambda: read([path]), f"{path}:4", "not CSV")  # an open quote swallows nothing in silence
    path.write_text("prompt,prompt,completion\na,b,c\n")
    refusal(lambda: read([path]), path, "a column twice")
    path.write_bytes(b"prompt,completion\na,caf\xe9\n")
    refusal(lambda: read([path]), f"{path}:2", "UTF-8")


def test_a_damaged_gzip_file_is_refused(tmp_path):
    path = tmp_path / "data.jsonl.gz"
    for damaged in (gzip.compress(LINES)[:-9], b"\x1f\x8b", gzip.compress(LINES)[:20] + b"xxxxxxx"):
        path.write_bytes(damaged)
        refusal(lambda: read([path]), path, "gzip")


def test_parquet_is_read_without_the_nulls_that_arrow_adds(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path, call = tmp_path / "data", said("", "")[1] | {"tool_calls": [{"name": "add", "arguments": {"a": 1}}]}
    rows = [CHAT | {"weight": 0.5}, {"messages": [*said("Hi"), call]}, {"prompt": "Hi ", "completion": "there"}]
    keys = dict.fromkeys(key for row in rows for key in row)
    parquet.write_table(pyarrow.Table.from_pylist([keys | row for row in rows]), path)
    weights = [0.5, 1.0, 1.0]
    assert [(one.completion, one.weight) for one in read([path])] == [
        (row.get("messages") or row["completion"], weight) for row, weight in zip(rows, weights)
    ]
    assert read([path])[2].where == f"{path}: row 3"
    path.write_bytes(path.read_bytes()[:-20])
    refusal(lambda: read([path]), path, "damaged Parquet")


def test_without_pyarrow_a_parquet_file_is_refused_with_the_command_that_helps(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    path = tmp_path / "data.parquet"
    path.write_bytes(b"PAR1 and more")
    refusal(lambda: read([path]), path, 'pip install "minisft[parquet]"')


def test_all_bad_rows_are_named_the_first_20_and_how_many_more(tmp_path):
    path = tmp_path / "data.jsonl"
    good = json.dumps(PAIR)
    path.write_text("\n".join([good, "{", good, '{"a": 1}', good, "7"]))
    said_of = refusal(
        lambda: read([path]), "3 of 6 rows", f"{path}:2: ", f"{path}:4: ", f"{path}:6: ", "--on-bad-row skip"
    )
    assert "more;" not in said_of
    path.write_text("\n".join([good, *["{"] * 25]))
    said_of = refusal(lambda: read([path]), "25 of 26 rows", f"{path}:2: ", f"{path}:21: ", "and 5 more")
    assert f"{path}:22: " not in said_of
    said_of = refusal(lambda: refuse([f"data.jsonl:{n}: bad" for n in range(25)], 25, 30), "and 5 more")
    assert said_of.count("data.jsonl:") == 20


# --- plain text -------------------------------------------------------------------------------------------------------


def test_lines_of_end_of_text_separate_the_documents_of_a_text_file(tmp_path):
    path = tmp_path / "stories.txt"
    path.write_bytes(b"Once.\n\nThe end.\n<|endoftext|>\nTwice.\r\n <|endoftext|>\n\n<|endoftext|>\n")
    assert read_documents(path) == [
        Example("", "Once.\n\nThe end.", f"{path}:1"),
        Example("", "Twice.", f"{path}:5"),
    ]
    path.write_text("It is spelled <|endoftext|> here.\n")  # not a line of its own
    assert read_documents(path) == [Example("", "It is spelled <|endoftext|> here.\n", str(path))]
    path.write_text("<|endoftext|>\n")
    refusal(lambda: read_documents(path), path, "no text")


@pytest.mark.parametrize("name", ["book.txt", "book.JSONL", "book.ndjson", "book", "book.jsonl.gz"])
def test_rows_of_text_are_documents_and_never_learned_as_json(tmp_path, name):
    path = tmp_path / name
    raw = b'{"text": "a"}\n{"text": "b"}\n'
    path.write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    assert [one.completion for one in read_documents(path)] == ["a", "b"] and not documents(path).plain
    path.write_text("text\na\n")
    assert [one.completion for one in read_documents(path)] == ["a"]


@pytest.mark.parametrize("name", ["book.ndjson", "book.JSONL", "book.Json.GZ", "book.csv"])
def test_a_file_whose_name_says_that_it_has_rows_is_never_plain_text(tmp_path, name):
    path = tmp_path / name
    path.write_text('{"text": "a"\n{"text": "b"}\n')
    refusal(lambda: read_documents(path), f"{path}:1", "not JSON")
