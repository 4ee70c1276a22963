"""Files that are not what their place suggests: a part of a run, a circle of links, a pipe, another program's."""

import errno
import os
import threading
from pathlib import Path

import pytest
from support.commandline import minisft, read_rows, subprocess_of

from minisft import train
from minisft.formats import files
from minisft.runs import loop

SFT = "sft --model model --data data.jsonl --max-steps 2 --batch-size 2 --output-dir"

# --- the files of a run or model --------------------------------------------------------------------------------------

ROWS = {
    "evaluate": "evaluate --model model --data data.jsonl --max-new-tokens 1 --per-example",
    "generate": "generate --model model --data data.jsonl --max-new-tokens 1 --output",
}
PARTS = ["model.safetensors", "metrics.jsonl", "train_config.json", "README.md", "config.json", ".minisft-lock"]
PARTS += ["vocab.json", "model-00001-of-00002.safetensors", "checkpoint-9", "checkpoint-2/trainer_state.json"]


@pytest.mark.parametrize("command", ROWS)
def test_no_file_of_rows_takes_the_place_of_a_file_of_a_run_or_model(refused, here, monkeypatch, command):
    assert minisft(*SFT.split(), "out", "--save-steps", 2) == 0
    (here / "link").symlink_to("out/config.json")
    (here / "out" / "notes.txt").write_text("mine")
    for name in PARTS:
        refused(f"{ROWS[command]} out/{name}", "out", "run or model")
    refused(f"{ROWS[command]} link", "link is one of the files of the run or model in")
    refused(f"{ROWS[command]} out/notes.txt", "out/notes.txt")


def test_new_files_of_rows_go_beside_a_run_and_may_be_replaced(here):
    assert minisft(*SFT.split(), "out") == 0
    for command in (*ROWS.values(), *ROWS.values()):
        assert minisft(*command.split(), "out/rows.jsonl") == 0
        assert minisft(*command.split(), "metrics.jsonl") == 0  # no run is here
    assert [row["index"] for row in read_rows(here / "out" / "rows.jsonl")] == list(range(9))


def test_no_export_takes_the_place_of_a_file_of_a_run(refused, here):
    pytest.importorskip("gguf")
    assert minisft(*SFT.split(), "out") == 0
    (here / "link.gguf").symlink_to("out/model.safetensors")
    refused("export --model model --overwrite --gguf link.gguf", "--gguf", "out")


# --- files of another program -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", '{"port": 8080}'),
        ("config.json", "[1]"),
        ("config.json", "// a comment\n{}"),
        ("tokenizer.json", '{"words": []}'),
        ("metrics.jsonl", '{"cpu": 3}\n'),
        ("metrics.jsonl", "cpu 3"),
        ("train_config.json", '{"epochs": 3}'),
    ],
)
def test_overwrite_replaces_no_file_of_another_program(refused, monkeypatch, name, text):
    monkeypatch.setattr(train, "step", pytest.fail)
    Path("app").mkdir()
    Path(f"app/{name}").write_text(text)
    refused(f"{SFT} app --overwrite", f"app/{name} ", "move it away")


@pytest.mark.parametrize("kept", ["train_config.json", "config.json", "tokenizer.json", "model.safetensors"])
def test_overwrite_replaces_a_run_or_model_of_which_only_one_file_is_left(here, kept):
    assert minisft(*SFT.split(), "out") == 0
    for path in Path("out").iterdir():
        if path.name != kept:
            path.unlink()
    assert minisft(*SFT.split(), "out", "--overwrite") == 0


def test_overwrite_replaces_a_run_whose_files_are_damaged(here):
    assert minisft(*SFT.split(), "out") == 0
    for name in ("config.json", "tokenizer.json", "metrics.jsonl"):
        Path(f"out/{name}").write_text('{"cut')
    assert minisft(*SFT.split(), "out", "--overwrite") == 0


# --- links, pipes and devices -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "sft --model model --data circle --output-dir out",
        "sft --model model --data data.jsonl --output-dir circle",
        "sft --model model --data data.jsonl --output-dir circle/out --overwrite",
        "sft --model circle --data data.jsonl --output-dir out",
        "pretrain --data circle --output-dir out",
        "demo --output-dir circle",
        "course circle",
        f"{ROWS['evaluate']} circle",
        f"{ROWS['generate']} circle/x",
        "export --model model --gguf circle.gguf",
    ],
)
def test_a_circle_of_links_is_one_line(refused, here, line):
    for name in ("circle", "circle.gguf"):
        (here / f"other_{name}").symlink_to(name)
        (here / name).symlink_to(f"other_{name}")
    refused(line, "circle")


MODEL = ["config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "model.safetensors"]


@pytest.mark.parametrize("name", MODEL)
def test_a_pipe_or_a_device_in_the_place_of_a_file_of_a_model_is_refused(refused, here, name):
    for make in (os.mkfifo, lambda path: os.symlink("/dev/zero", path), lambda path: os.symlink("/dev/null", path)):
        (here / "model" / name).unlink()
        make(here / "model" / name)
        assert_refused_at_once(f"{SFT} out", f"model/{name}: is not a regular file")


def test_a_pipe_in_the_place_of_an_index_or_of_a_gguf_file_is_refused(here):
    pytest.importorskip("gguf")
    (here / "model" / "model.safetensors").unlink()
    os.mkfifo(here / "model" / "model.safetensors.index.json")
    assert_refused_at_once(f"{SFT} out", "model.safetensors.index.json: is not a regular file")
    os.mkfifo(here / "m.gguf")
    assert_refused_at_once(f"{SFT.replace('--model model', '--model m.gguf')} out", "m.gguf: is not a regular file")


def assert_refused_at_once(line, *words):
    done = subprocess_of(*line.split())  # a process of its own: it must not wait for the pipe
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert all(word in done.stderr for word in words), done.stderr


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom", "/dev/full"])
def test_data_without_an_end_are_refused(here, device):
    for line in (SFT.replace("data.jsonl", device), f"pretrain --data {device} --output-dir"):
        assert_refused_at_once(f"{line} out", f"{device}: is a device without an end")


def test_nothing_is_no_example(refused):
    refused(f"{SFT.replace('data.jsonl', '/dev/null')} out", "/dev/null: contains no example")


def test_data_come_through_pipes_and_standard_input(here):
    text = (here / "data.jsonl").read_text()
    os.mkfifo(here / "pipe")
    writer = threading.Thread(target=lambda: (here / "pipe").write_text(text))
    writer.start()
    assert minisft(*SFT.replace("data.jsonl", "pipe").split(), "one") == 0
    writer.join()
    assert subprocess_of(*SFT.replace("data.jsonl", "/dev/stdin").split(), "two", input=text).returncode == 0
    assert (here / "one" / "model.safetensors").read_bytes() == (here / "two" / "model.safetensors").read_bytes()


# --- a directory that changes under a run -----------------------------------------------------------------------------


def spoil_after(monkeypatch, step, spoil):
    """Do something to the directory when the row of a step has been written."""

    def write_row(run, row, report, write=loop.write_row):
        write(run, row, report)
        if row["step"] == step:
            spoil(run.directory)

    monkeypatch.setattr(loop, "write_row", write_row)


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda directory: (directory / "metrics.jsonl").unlink(),
        lambda directory: (directory / "metrics.jsonl").write_text(""),
        lambda directory: directory.rename("moved"),
    ],
    ids=["removed", "emptied", "moved"],
)
def test_metrics_that_go_missing_under_a_run_are_an_error(here, capsys, monkeypatch, step, spoil):
    spoil_after(monkeypatch, step, spoil)
    assert minisft(*SFT.split(), "out") == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert "out/metrics.jsonl: " in last and "the last good parameters are saved in out" in last


# --- where, and what to do --------------------------------------------------------------------------------------------


def test_a_file_that_is_being_written_is_named_by_what_it_was_to_become(refused, monkeypatch):
    def full(path):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(loop, "delete", full)
    assert minisft(*SFT.split(), "out") == 2
    partial = Path("out") / files.partial_name("model.safetensors")
    assert files.by_its_name(partial) == Path("out/model.safetensors")
    assert files.by_its_name(Path("out") / files.partial_name("checkpoint-2") / "x") == Path("out/checkpoint-2/x")
    assert files.by_its_name("a/b") == Path("a/b")


def test_no_hidden_name_reaches_the_user(here, capsys, monkeypatch):
    def full(path):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(loop, "delete", full)
    assert minisft(*SFT.split(), "out") == 2
    err = capsys.readouterr().err
    assert ".partial" not in err and "out/rehearsal: Input/output error" in err


@pytest.mark.parametrize("flag", ["--output-dir", "--data", "--model"])
def test_a_name_that_is_too_long_is_told_with_its_flag(refused, flag):
    refused(f"{SFT} out {flag} {'x' * 300}", f"{flag}: ", "too long")


def test_a_prompt_that_is_not_text_is_told_with_its_flag(refused):
    for raw in ([], ["--raw"]):
        refused(["generate", "--model", "model", "--prompt", "\udcff", *raw], "--prompt: ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("more", ["", "--json"])
def test_a_full_standard_output_is_named(here, more):
    with open("/dev/full", "w") as full:
        done = subprocess_of_to(full, *f"generate --model model --prompt Hi --max-new-tokens 1 {more}".split())
    assert done.returncode == 2 and "standard output: cannot be written (No space left on device)" in done.stderr


def subprocess_of_to(stream, *arguments):
    import subprocess

    from support.commandline import command

    return subprocess.run(**command(*arguments), stdout=stream, stderr=subprocess.PIPE, timeout=60)


@pytest.mark.parametrize("columns", ["0", "00", "1", "80", "", "x"])
def test_the_result_is_printed_whatever_the_width_of_the_terminal_is_said_to_be(here, capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    assert minisft(*SFT.split(), "out") == 0
    assert "".join(capsys.readouterr().out.split()).count("2") >= 1
