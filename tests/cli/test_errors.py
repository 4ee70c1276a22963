"""Mistakes of users: one line that says what, where and what to do; exit status 2; nothing on disk has changed."""

import json
import shutil
import struct
import subprocess

import numpy as np
import pytest
from support.bad_lines import LINES
from support.commandline import (
    EVALUATE,
    GENERATE,
    INSPECT,
    PRETRAIN,
    SFT,
    assert_refused,
    command,
    contents,
    conversation,
    make_theta_hat,
    minisft,
    subprocess_of,
    write_pairs,
    write_rows,
)
from support.model_directory import edit_tensors

from minisft import checkpoint


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A directory of good and bad files, and what it holds: no test may change that."""
    directory = tmp_path_factory.mktemp("world")
    make_theta_hat(directory)
    write_pairs(directory / "train.jsonl")
    write_rows(directory / "long.jsonl", [conversation("Hi", "Yes."), conversation("Hi", "x " * 200)])
    for name, (lines, _) in LINES.items():
        text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
        (directory / f"{name}.jsonl").write_text(text)
    (directory / "latin1.jsonl").write_bytes(b'{"text": "ok"}\n{"text": "caf\xe9"}\n')
    (directory / "latin1.txt").write_bytes(b"ok\ncaf\xe9\n")
    (directory / "binary.jsonl").write_bytes(bytes(range(256)))
    (directory / "empty.jsonl").write_text("")
    (directory / "empty.txt").write_text("\n")
    (directory / "a_directory").mkdir()
    make_broken_models(directory)
    make_broken_runs(directory)
    return directory, contents(directory)


def make_broken_models(directory):
    """Copies of theta_hat, each with one thing wrong."""

    def broken(name):
        shutil.copytree(directory / "theta_hat", directory / name)
        return directory / name

    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (broken(f"no_{name.split('.')[0]}") / name).unlink()
        path = broken(f"cut_{name.split('.')[0]}") / name
        path.write_bytes(path.read_bytes()[:-30])
    (broken("foreign_weights") / "model.safetensors").write_bytes(b"PK\x03\x04 a pickle in a zip, say")
    (broken("bomb") / "model.safetensors").write_bytes(struct.pack("<Q", 2**60) + b"{}")
    for field, value in {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 10, "head_dim": 2**60}.items():
        path = broken(f"other_{field}") / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    theta, config, tokenizer = checkpoint.load(directory / "theta_hat")
    norm = theta.named["model.norm.weight"].copy()
    norm[3] = np.nan
    edit_tensors(broken("nan"), model__norm__weight=norm)
    theta.named["model.norm.weight"][:] = 3e38  # finite, but what is computed with it is not
    theta.named["model.embed_tokens.weight"] *= 1e3
    checkpoint.save(broken("huge"), theta, config, tokenizer)
    (broken("template") / "chat_template.jinja").write_text("{{ messages }}")


def make_broken_runs(directory):
    for name in ("a_run", "a_model", "cut_record"):
        shutil.copytree(directory / "theta_hat", directory / name)
    (directory / "a_model" / "train_config.json").unlink()
    (directory / "cut_record" / "train_config.json").write_text('{"command": "sft", ')
    inputs = ["--model", directory / "theta_hat", "--data", directory / "train.jsonl"]
    assert minisft("sft", *inputs, "--output-dir", directory / "bad_metrics", "--max-steps", 1) == 0
    (directory / "bad_metrics" / "metrics.jsonl").write_text("{}\n")


@pytest.fixture
def mistake(world, monkeypatch, capsys):
    """Run a command line in the world: it must be refused with these words, and change nothing."""
    directory, before = world
    monkeypatch.chdir(directory)

    def run(line, *words):
        assert_refused(capsys, line, *words)
        assert contents(directory) == before

    return run


# --- data -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LINES)
def test_bad_data_is_named_with_its_line(mistake, name):
    for start in (SFT, EVALUATE, INSPECT, "gradcheck --model theta_hat"):
        mistake(f"{start} --data {name}.jsonl", LINES[name][1])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("latin1.jsonl", "latin1.jsonl:2: is not UTF-8"),
        ("binary.jsonl", "binary.jsonl"),
        ("empty.jsonl", "empty.jsonl: contains no example"),
        ("missing.jsonl", "missing.jsonl: cannot be read"),
        ("a_directory", "a_directory: cannot be read"),
        ("theta_hat/model.safetensors", "theta_hat/model.safetensors"),
        ("train.jsonl missing.jsonl", "missing.jsonl: cannot be read"),
    ],
)
def test_data_that_is_no_data_is_named(mistake, name, words):
    for start in (SFT, EVALUATE, INSPECT, f"{SFT} --eval-data", f"{GENERATE.split(' --prompt')[0]} --output x"):
        mistake(f"{start} --data {name}" if "--eval-data" not in start else f"{start} {name}", words)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("train.jsonl", "train.jsonl:1: is not plain text"),
        ("latin1.txt", "latin1.txt:2: is not UTF-8"),
        ("empty.txt", "empty.txt: contains no text"),
        ("missing.txt", "missing.txt: cannot be read"),
        ("a_directory", "a_directory: cannot be read"),
        ("one_token.jsonl", "one_token.jsonl:1: only one token"),
        ("texts.jsonl missing.txt", "missing.txt: cannot be read"),
    ],
)
def test_text_that_cannot_be_learned_is_named(mistake, name, words):
    mistake(f"{PRETRAIN} --data {name}", words)
    mistake(f"{PRETRAIN} --data texts.jsonl --eval-data {name}", words)


def test_an_example_that_is_too_long_is_named_if_that_is_an_error(mistake):
    for start in (SFT, EVALUATE, INSPECT):
        mistake(f"{start} --data long.jsonl --on-too-long error", "long.jsonl:2:", "--max-length 128")
        mistake(f"{start} --max-length 2 --on-too-long drop", "longer than --max-length 2 and were dropped")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"text": "Hi"}, "in.jsonl:2: the prompt has 0 tokens"),
        ({"prompt": ""}, "in.jsonl:2: the prompt has 0 tokens"),
        ({"prompt": "x " * 200}, "in.jsonl:2: the prompt has 400 tokens"),
    ],
)
def test_a_prompt_that_cannot_be_answered_is_named(mistake, tmp_path, rows, words):
    path = write_rows(tmp_path / "in.jsonl", [{"prompt": "Hi"}, rows])
    mistake(f"generate --model theta_hat --data {path} --output {tmp_path}/out.jsonl", words)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


# --- models -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("missing", "--model: missing is neither a directory nor a shipped model; shipped models:"),
        ("train.jsonl", "--model: train.jsonl is neither"),
        ("a_directory", "a_directory/config.json"),
        ("no_config", "no_config/config.json"),
        ("cut_config", "cut_config/config.json"),
        ("no_model", "no_model/model.safetensors"),
        ("cut_model", "cut_model/model.safetensors"),
        ("foreign_weights", "foreign_weights/model.safetensors"),
        ("bomb", "bomb/model.safetensors"),
        ("no_tokenizer", "no_tokenizer/tokenizer.json"),
        ("cut_tokenizer", "cut_tokenizer/tokenizer.json"),
        ("other_hidden_size", "other_hidden_size/model.safetensors: tensor"),
        ("other_num_hidden_layers", "model.layers.1"),
        ("other_vocab_size", "vocab_size"),
        ("other_head_dim", "other_head_dim/config.json: head_dim"),
        ("nan", "nan/model.safetensors: tensor model.norm.weight has NaN"),
        ("template", "template/chat_template.jinja"),
    ],
)
def test_a_model_that_cannot_be_used_is_named_with_file_and_tensor(mistake, model, words):
    for start in (SFT, EVALUATE, GENERATE, INSPECT, "chat", "gradcheck --data train.jsonl"):
        mistake(f"{start} --model {model}", words)


def test_the_tokenizer_of_pretrain_is_checked_too(mistake):
    mistake(f"{PRETRAIN} --data texts.jsonl --tokenizer missing", "--tokenizer: missing is neither a directory")
    mistake(f"{PRETRAIN} --data texts.jsonl --tokenizer cut_tokenizer", "cut_tokenizer/tokenizer.json")


def test_a_model_whose_numbers_overflow_is_an_error_and_never_a_nan(mistake):
    for start in (EVALUATE, INSPECT, GENERATE, f"{GENERATE} --temperature 1", f"{EVALUATE} --json"):
        mistake(f"{start} --model huge", "not finite")


# --- output -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output_dir", "words"),
    [
        ("train.jsonl", "--output-dir: train.jsonl is a file"),
        ("train.jsonl/out", "train.jsonl/out: cannot be written"),
        ("/dev/null/out", "/dev/null/out: cannot be written"),
        ("theta_hat", "--output-dir: theta_hat holds the model that is read"),
        ("a_run", "--output-dir: a_run already holds a run"),
        ("", "--output-dir: "),
    ],
)
def test_an_output_directory_that_cannot_be_used_is_named(mistake, output_dir, words):
    mistake([*SFT.split(), "--output-dir", output_dir], words)


@pytest.mark.parametrize(
    ("output_dir", "words"),
    [
        ("a_model", "--resume: a_model/train_config.json is missing"),
        ("cut_record", "cut_record/train_config.json: is not valid JSON"),
        ("a_run", '--output-dir: the command is "sft", but was "pretrain" in the run of a_run/train_config.json'),
        ("bad_metrics", "bad_metrics/metrics.jsonl:1: is damaged (a row has no step)"),
    ],
)
def test_a_run_that_cannot_go_on_is_refused(mistake, output_dir, words):
    mistake(f"{SFT} --max-steps 1 --resume --output-dir {output_dir}", words)


@pytest.mark.parametrize(
    "flag", [f"{EVALUATE} --per-example", "generate --model theta_hat --data train.jsonl --output"]
)
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("a_directory", "a_directory is a directory"),
        ("train.jsonl/x", "train.jsonl/x: cannot be written"),
        ("/dev/null/x", "/dev/null/x: cannot be written"),
        ("train.jsonl", "train.jsonl is read"),
        ("a_directory/../train.jsonl", "train.jsonl is read"),
    ],
)
def test_a_file_that_cannot_be_written_is_named_before_anything_is_computed(mistake, monkeypatch, flag, path, words):
    monkeypatch.setattr("minisft.cli.commands.generate.generate", pytest.fail)
    monkeypatch.setattr("minisft.cli.commands.evaluate.evaluate", pytest.fail)
    mistake(f"{flag} {path}", words)


def test_a_full_disk_is_reported_like_any_other_mistake(world):
    """/dev/full takes the place of standard output: every write to it fails."""
    line = command("generate", "--model", world[0] / "theta_hat", "--prompt", "Hi", "--max-new-tokens", 3)
    with open("/dev/full", "w") as full:
        done = subprocess.run(**line, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 2 and "No space left on device" in done.stderr and "Traceback" not in done.stderr


def test_a_message_is_one_line_whatever_the_names_of_files_hold(mistake):
    mistake(["evaluate", "--model", "theta_hat", "--data", "a\nb.jsonl"], "a b.jsonl")


def test_in_a_process_of_its_own_a_mistake_is_one_line_and_status_2(world):
    done = subprocess_of("sft", "--model", world[0] / "theta_hat", "--data", "missing", "--output-dir", "x")
    said = "minisft: error: missing: cannot be read (No such file or directory); check --data\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)
