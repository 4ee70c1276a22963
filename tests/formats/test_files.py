"""A file is the old one or the new one, never half of it; one that cannot be written is named."""

import os
import socket
import stat
import subprocess
import sys
import threading

import pytest
from numpy.testing import assert_array_equal
from support import model_directory
from support.model_directory import CONFIG
from support.refusals import refusal

from minisft import checkpoint
from minisft.formats import files, huggingface

tokenizer, theta, directory = model_directory.fixtures


def test_a_write_that_is_interrupted_leaves_the_previous_file_whole(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"previous")
    with pytest.raises(KeyboardInterrupt), files.replacing(path) as beside:
        beside.write_bytes(b"half of the ne")
        assert path.read_bytes() == b"previous"
        raise KeyboardInterrupt
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("model.safetensors", b"previous")]


def test_what_a_killed_process_left_beside_a_file_is_removed_by_the_next_write_of_it(directory, theta, tokenizer):
    left = directory / f".model.safetensors.{files.machine()}-{ended()}-{'0' * 16}.partial"
    left.write_bytes(b"half of the ne")
    checkpoint.save(directory, theta, CONFIG, tokenizer)
    assert_array_equal(checkpoint.load(directory)[0].flat, theta.flat)
    assert not left.exists()


def ended():
    """The number of a process that was there and has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    "name",
    [
        "out.jsonl.partial",  # a user's
        "..partial",
        ".out.jsonl.partial",
        f".out.jsonl.{files.machine()}-{os.getpid()}-{'0' * 16}.partial",  # of a thread of this process, say
        f".out.jsonl.{files.machine()}-{os.getppid()}-{'0' * 16}.partial",  # of a process that is alive
        f".out.jsonl.01234567-99999999-{'0' * 16}.partial",  # of another machine
        f".other.jsonl.{files.machine()}-99999999-{'0' * 16}.partial",  # of another file
        f".out.jsonl.{files.machine()}-99999999-{'0' * 16}.partial.txt",
    ],
)
def test_what_is_not_a_leftover_of_the_file_stays_beside_it(tmp_path, name):
    (tmp_path / name).write_bytes(b"mine")
    (tmp_path / "link.partial").symlink_to(tmp_path / name)
    files.write_atomically(tmp_path / "out.jsonl", b"new")
    assert (tmp_path / name).read_bytes() == b"mine" and (tmp_path / "link.partial").is_symlink()
    assert (tmp_path / "out.jsonl").read_bytes() == b"new" and len(os.listdir(tmp_path)) == 3


def test_the_name_beside_cannot_be_guessed_and_what_stands_there_is_never_opened(tmp_path, monkeypatch):
    assert files.partial_name("out") != files.partial_name("out")
    (tmp_path / "secret").write_bytes(b"mine")
    monkeypatch.setattr(files, "partial_name", lambda name: "guessed")
    (tmp_path / "guessed").symlink_to(tmp_path / "secret")
    refusal(lambda: files.write_atomically(tmp_path / "out", b"new"), tmp_path / "out", "File exists")
    assert (tmp_path / "secret").read_bytes() == b"mine" and not (tmp_path / "out").exists()


def test_every_file_is_brought_to_the_disk_and_then_renamed_into_its_place(theta, tokenizer, tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(files, "bring_to_disk", lambda path: done.append(("disk", files.PARTIAL.fullmatch(path.name))))
    monkeypatch.setattr(files.os, "replace", lambda beside, path: done.append((beside.name, path.name)))
    checkpoint.save(tmp_path, theta, CONFIG, tokenizer)
    renamed = [done[i : i + 3] for i in range(0, len(done), 3)]
    for first, (beside, name), last in renamed:
        assert first[1]["name"] == name and files.PARTIAL.fullmatch(beside)["name"] == name and last == ("disk", None)
    names = [name for _, (_, name), _ in renamed]
    assert sorted(names) == [
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert names[-1] == "model.safetensors"
    assert os.listdir(tmp_path) == []


# --- modes, links, devices --------------------------------------------------------------------------------------------


@pytest.fixture
def umask():
    """Set the umask for one test."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mask", [0o002, 0o022, 0o077, 0o027])
def test_a_new_file_has_the_mode_that_the_umask_gives(directory, theta, tokenizer, tmp_path, umask, mask):
    umask(mask)
    checkpoint.save(tmp_path / "new", theta, CONFIG, tokenizer)
    assert {mode_of(path) for path in (tmp_path / "new").iterdir()} == {0o666 & ~mask}
    assert mode_of(tmp_path / "new") == 0o777 & ~mask


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o666])
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"old")
    path.chmod(mode)
    files.write_atomically(path, b"new")
    assert (path.read_bytes(), mode_of(path)) == (b"new", mode)


def test_a_link_is_followed_and_stays_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "real.jsonl").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "link2")
    (tmp_path / "link2").symlink_to("elsewhere/real.jsonl")
    (tmp_path / "dangling").symlink_to(tmp_path / "elsewhere" / "new.jsonl")
    for name in ("link", "dangling"):
        files.write_atomically(tmp_path / name, b"new")
        assert (tmp_path / name).is_symlink() and (tmp_path / name).read_bytes() == b"new"
    assert {path.name for path in (tmp_path / "elsewhere").iterdir()} == {"real.jsonl", "new.jsonl"}
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    refusal(lambda: files.write_atomically(tmp_path / "circle", b"new"), tmp_path / "circle", "cannot be written")


@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path, linked):
    pipe = path = tmp_path / "pipe"
    os.mkfifo(pipe)
    if linked:
        path = tmp_path / "link"
        path.symlink_to(pipe)
    got = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    files.write_atomically(path, b"new" * 99999)
    reader.join(10)
    assert got == [b"new" * 99999] and stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("kind", ["null", "full"])
def test_a_device_is_written_to_and_stays_a_device(tmp_path, kind):
    device = tmp_path / kind
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, {"null": 3, "full": 7}[kind]))
        device.write_bytes(b"")
    except PermissionError:
        pytest.skip("only the administrator makes devices")
    if kind == "null":
        files.write_atomically(device, b"new")
    else:
        refusal(lambda: files.write_atomically(device, b"new"), device, "No space left on device")
    assert stat.S_ISCHR(device.stat().st_mode) and os.listdir(tmp_path) == [kind]


def test_an_open_file_under_dev_is_written_to_but_a_file_of_a_disk_in_memory_is_replaced(tmp_path):
    with open(tmp_path / "out", "w+b") as file:
        files.write_atomically(f"/dev/fd/{file.fileno()}", b"new")
        assert file.read() == b"new" and os.listdir(tmp_path) == ["out"]
    if os.path.isdir("/dev/shm"):
        assert not files.OPENED.fullmatch("/dev/shm/out")


def test_a_socket_can_be_neither_replaced_nor_written_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        refusal(lambda: files.write_atomically("socket", b"new"), "socket: cannot be written")
        assert stat.S_ISSOCK(os.stat("socket").st_mode)


# --- JSON -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "[Infinity]", "1e999", "-1e999", '{"b": [1, NaN]}'])
def test_a_number_that_is_not_finite_is_refused_naming_the_file(tmp_path, text):
    (tmp_path / "config.json").write_text(f'{{"a": {text}}}')
    refusal(lambda: files.read_json(tmp_path / "config.json"), tmp_path / "config.json", "is not valid JSON")


@pytest.mark.parametrize("text", ["\ud800", "a\udcffb", "θ\udfff"])
def test_half_a_character_is_written_as_json_spells_it(tmp_path, text):
    files.write_json(tmp_path / "a.json", {text: [text]})
    assert files.read_json(tmp_path / "a.json") == {text: [text]}


def test_json_is_readable_text_and_never_holds_nan(tmp_path):
    files.write_json(tmp_path / "a.json", {"θ": 1})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "θ": 1\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        files.json_bytes({"a": float("nan")})


# --- what cannot be written -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "generation_config.json"])
def test_a_file_that_cannot_be_written_is_refused(theta, tokenizer, tmp_path, name):
    (tmp_path / name).mkdir()
    refusal(lambda: checkpoint.save(tmp_path, theta, CONFIG, tokenizer), tmp_path / name, "cannot be written")


def test_an_output_directory_that_cannot_be_made_is_refused(theta, tokenizer, tmp_path):
    (tmp_path / "file").write_text("in the way")
    refusal(lambda: checkpoint.save(tmp_path / "file" / "out", theta, CONFIG, tokenizer), tmp_path / "file" / "out")


def test_a_full_disk_is_refused_naming_the_file(theta, tokenizer, tmp_path, monkeypatch):
    def no_space(tensors, path, metadata):
        raise huggingface.SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(huggingface, "save_file", no_space)
    refusal(
        lambda: checkpoint.save(tmp_path, theta, CONFIG, tokenizer), tmp_path / "model.safetensors", "No space left"
    )


@pytest.mark.parametrize("name", ["a\0b", "x" * 300])
def test_a_name_that_no_file_can_have_is_refused(tmp_path, name):
    refusal(lambda: files.write_atomically(tmp_path / name, b"new"), "cannot be written")
    refusal(lambda: files.read_bytes(tmp_path / name), "cannot be read")
