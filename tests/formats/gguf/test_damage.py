"""A GGUF file that is cut off, changed or lying is refused in one line, soon and before there is memory for it."""

import struct
import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import small_gguf
from support.commandline import minisft
from support.refusals import refusal
from support.small_gguf import CONFIG, gguf

from minisft import checkpoint
from minisft.errors import MinisftError
from minisft.formats.gguf import read as gguf_files
from minisft.formats.gguf.header import Walk

tokenizer, theta, whole = small_gguf.fixtures


def tried(path, content):
    """Whether the bytes load; if not, they are refused in one line that names the file, and soon."""
    path.write_bytes(content)
    began = time.perf_counter()
    try:
        checkpoint.load(path)
    except MinisftError as error:
        assert "\n" not in str(error)
        assert str(path) in str(error)
        return False
    finally:
        assert time.perf_counter() - began < 10
    return True


def test_a_file_that_is_missing_empty_or_of_another_kind_is_refused(tmp_path):
    refusal(lambda: checkpoint.load(tmp_path / "nowhere.gguf"), tmp_path / "nowhere.gguf", "No such file")
    for content in (b"", b"GGUF", b"GGML" + bytes(100), b"PK\x03\x04" * 1000, b"GGUF" + b"\xff" * 1000):
        assert not tried(tmp_path / "model.gguf", content)


def test_a_file_that_is_cut_off_anywhere_is_refused(whole, tmp_path):
    path = tmp_path / "model.gguf"
    last_tensor = 64 * 4  # of the last norm; after it nothing follows
    for keep in [*range(0, 400), *range(400, len(whole) - last_tensor, 997), len(whole) - 1 - len(whole) % 32]:
        assert not tried(path, whole[:keep]), keep


@pytest.mark.parametrize("number", [2**60, 2**64 - 1, 2**32, 2**31, 10**6])
def test_a_length_or_count_that_lies_is_refused(whole, number, tmp_path):
    """Every eight bytes of the header that hold a small number, and so may be a length, say something else."""
    path, places = tmp_path / "model.gguf", range(8, 4000)
    likely = [i for i in places if 0 < struct.unpack_from("<Q", whole, i)[0] < 2**16]
    assert len(likely) > 100
    for i in likely[:: max(1, len(likely) // 60)]:
        tried(path, whole[:i] + struct.pack("<Q", number) + whole[i + 8 :])
    for i in (8, 16):  # tensors, keys
        assert not tried(path, whole[:i] + struct.pack("<Q", number) + whole[i + 8 :])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bytes_of_the_header_that_changed_are_refused_in_one_line_or_harmless(whole, tmp_path, data):
    end = whole.index(b"output_norm.weight") + 200
    place = data.draw(st.one_of(st.integers(4, 1500), st.integers(end - 1200, end), st.integers(4, end)))
    flipped = whole[place] ^ data.draw(st.integers(1, 255))
    tried(tmp_path / "model.gguf", whole[:place] + bytes([flipped]) + whole[place + 1 :])


def with_entry(whole, name, dimensions=None, kind=None, offset=None, number_of_dimensions=None):
    """The file whose header says something else of one tensor."""
    at = whole.index(name.encode()) + len(name)
    count = struct.unpack_from("<I", whole, at)[0]
    old = struct.unpack_from(f"<{count}QIQ", whole, at + 4)
    new = [*(dimensions or old[:count]), *(b if a is None else a for a, b in zip((kind, offset), old[count:]))]
    end = at + 4 + struct.calcsize(f"<{count}QIQ")
    return whole[:at] + struct.pack(f"<I{count}QIQ", number_of_dimensions or count, *new) + whole[end:]


NORM, UP = "output_norm.weight", "blk.0.ffn_up.weight"


@pytest.mark.parametrize(
    "changes, word",
    [
        ({"offset": 2**60}, NORM),
        ({"offset": 2**64 - 32}, NORM),
        ({"offset": 0}, NORM),  # where another tensor lies
        ({"kind": 2**32 - 1}, 2**32 - 1),
        ({"kind": 4}, "type 4"),  # a number that was given up
        ({"dimensions": [2**63]}, NORM),
        ({"dimensions": [2**20]}, NORM),  # beyond the end of the file
        ({"dimensions": [0]}, "(0,)"),
        ({"dimensions": [32]}, "(32,)"),
        ({"number_of_dimensions": 2**31}, "dimensions"),
    ],
)
def test_an_entry_that_lies_is_refused_before_there_is_memory_for_it(changes, word, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "Params", lambda *_: pytest.fail("asked for memory"))
    assert with_entry(whole, NORM) == whole
    (tmp_path / "model.gguf").write_bytes(with_entry(whole, NORM, **changes))
    refusal(lambda: checkpoint.load(tmp_path / "model.gguf"), tmp_path / "model.gguf", word)


def test_a_file_whose_data_are_cut_off_is_refused_before_there_is_memory_for_them(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "Params", lambda *_: pytest.fail("asked for memory"))
    (tmp_path / "model.gguf").write_bytes(whole[:-100])
    refusal(lambda: checkpoint.load(tmp_path / "model.gguf"), "cut off")


@pytest.mark.parametrize("old, new", [("ffn_up", "ffn_no"), ("attn_q", "attn_k"), ("ffn_up", "ffn\nup")])
def test_a_name_that_is_unknown_or_there_twice_or_no_name_is_refused(old, new, whole, tmp_path):
    old, new = (f"blk.0.{name}.weight".encode() for name in (old, new))
    (tmp_path / "model.gguf").write_bytes(whole.replace(old, new))
    refusal(lambda: checkpoint.load(tmp_path / "model.gguf"), tmp_path / "model.gguf")


def test_a_key_that_is_there_twice_is_refused(whole, tmp_path):
    (tmp_path / "model.gguf").write_bytes(whole.replace(b"ggml.bos_token_id", b"ggml.eos_token_id"))
    refusal(lambda: checkpoint.load(tmp_path / "model.gguf"), "tokenizer.ggml.eos_token_id twice")


def test_rows_that_are_no_whole_blocks_are_refused(whole, tmp_path):
    config = replace(CONFIG, hidden_size=33)
    entries = {NORM: ((33,), gguf.GGMLQuantizationType.Q8_0.value, 0)}
    (tmp_path / "model.gguf").write_bytes(whole)
    with open(tmp_path / "model.gguf", "rb") as file:
        walk = Walk(file, tmp_path / "model.gguf")
        refusal(lambda: gguf_files.tensors(walk, {}, entries, config, gguf), NORM, "(33,)", "Q8_0")


def test_a_damaged_file_ends_a_command_with_status_2(whole, tmp_path, capsys):
    path = tmp_path / "model.gguf"
    path.write_bytes(whole[: len(whole) // 2])
    assert minisft("generate", "--model", path, "--prompt", "the") == 2
    assert capsys.readouterr().err.count("\n") == 1
