"""An interrupted run goes on bit for bit, or says why it cannot."""

import json
import os
import shutil
import signal
import subprocess
from datetime import date

import pytest
from support.commandline import (
    assert_same_run,
    command,
    contents,
    conversation,
    minisft,
    sft_line,
    wait_for,
    write_pairs,
    write_rows,
)

from minisft import checkpoint, train
from minisft.formats import chat_templates, files
from minisft.runs.directory import RECORD


@pytest.mark.parametrize("flags", [(), ("--optim", "sgd"), ("--dtype", "float64", "--warmup-steps", "2")])
def test_a_resumed_run_ends_in_the_same_bytes(sft, tmp_path, flags):
    assert sft("whole", *flags) == 0
    assert sft("parts", *flags, "--save-steps", 2) == 0
    shutil.rmtree(tmp_path / "parts" / "checkpoint-6")
    (tmp_path / "parts" / "model.safetensors").unlink()
    assert sft("parts", *flags, "--save-steps", 2, "--resume") == 0
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_run_that_is_resumed_on_another_day_keeps_the_date_of_its_start(sft, shared, tmp_path, monkeypatch):
    """The template of this model writes the date; a run from another day learns other tokens."""
    dated, flags = tmp_path / "dated", ("--save-steps", "2")
    shutil.copytree(shared / "theta_hat", dated)
    template = dated / "chat_template.jinja"
    template.write_text("{{ strftime_now('%d %b %Y') }}\n" + template.read_text())

    def on(day, output_dir, *more):
        monkeypatch.setattr(chat_templates, "date", type("date", (date,), {"today": staticmethod(lambda: day)}))
        assert sft(output_dir, "--model", str(dated), *flags, *more) == 0

    first, later = date(2026, 2, 27), date(2027, 11, 30)
    on(first, "whole")
    on(first, "parts")
    shutil.rmtree(tmp_path / "parts" / "checkpoint-6")
    (tmp_path / "parts" / "model.safetensors").unlink()
    on(later, "parts", "--resume")
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    assert json.loads((tmp_path / "parts" / RECORD).read_text())["date"] == "2026-02-27"
    on(later, "other")
    theta, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "other"))
    assert theta != other


def test_without_a_checkpoint_resume_starts_from_the_beginning(sft, tmp_path):
    assert sft("whole") == 0
    assert sft("again", "--resume") == 0  # nothing there yet
    assert_same_run(tmp_path / "whole", tmp_path / "again")
    (tmp_path / "again" / "model.safetensors").unlink()  # as if it had been killed before anything was saved
    assert sft("again", "--resume") == 0
    assert_same_run(tmp_path / "whole", tmp_path / "again")


@pytest.mark.parametrize("flags", [(), ("--save-steps", 4), ("--save-steps", 3), ("--eval-steps", 2)])
def test_a_finished_run_ends_at_once_and_changes_nothing(sft, shared, tmp_path, capsys, monkeypatch, flags):
    flags = [*flags, "--eval-data", shared / "train.jsonl"] if "--eval-steps" in flags else flags
    assert sft("out", *flags) == 0
    before = contents(tmp_path)
    with open(tmp_path / "out" / "metrics.jsonl", "a") as file:
        file.write('{"step": 7, "lo')  # of a run that was killed
    monkeypatch.setattr(train, "step", pytest.fail)
    for more in ((), ("--logging-steps", 1), ("--save-steps", 2)):
        assert sft("out", *flags, *more, "--resume") == 0
        assert "is finished: it had all of its 6 steps" in capsys.readouterr().err
        assert contents(tmp_path) == before


def test_a_finished_run_can_still_be_evaluated(sft, shared, tmp_path, monkeypatch):
    assert sft("whole", "--eval-data", shared / "train.jsonl") == 0
    assert sft("parts") == 0
    monkeypatch.setattr(train, "step", pytest.fail)
    assert sft("parts", "--eval-data", shared / "train.jsonl", "--resume") == 0
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    cards = [(tmp_path / name / "README.md").read_text().replace(name, "") for name in ("whole", "parts")]
    cards = [card.rpartition("<!--")[0] for card in cards]  # the checksum of a text with another name in it
    assert cards[0] == cards[1] and "held-out" in cards[0]


@pytest.mark.parametrize("name", ["model.safetensors", RECORD])
def test_a_run_whose_model_or_mark_is_that_of_another_theta_is_not_finished(sft, tmp_path, capsys, name):
    """As after a kill between the two, where an earlier θ had been saved."""
    assert sft("whole", "--save-steps", 2) == 0
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    shutil.rmtree(tmp_path / "parts" / "checkpoint-6")
    if name == RECORD:
        path = tmp_path / "parts" / name
        path.write_text(json.dumps(json.loads(path.read_text()) | {"saved": {"step": 6, "sha256": "0"}}))
    else:
        shutil.copy(tmp_path / "whole" / "checkpoint-4" / name, tmp_path / "parts" / name)
    assert sft("parts", "--save-steps", 2, "--resume") == 0
    assert "going on after step 4" in capsys.readouterr().err
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_run_whose_record_has_neither_config_nor_ranks_goes_on(sft, tmp_path):
    """As those of version 0.1.0."""
    assert sft("whole", "--save-steps", 4) == 0
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    path = tmp_path / "parts" / RECORD
    record = json.loads(path.read_text())
    path.write_text(json.dumps({name: record[name] for name in record if name not in ("config", "ranks", "saved")}))
    assert sft("parts", "--save-steps", 4, "--resume") == 0
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize(
    "flags",
    [
        ("--batch-size", "3"),
        ("--learning-rate", "0.5"),
        ("--no-shuffle",),
        ("--max-steps", "9"),
        ("--dtype", "float64"),
        ("--max-length", "99"),
        ("--assistant-turns", "last"),
    ],
)
def test_resuming_with_other_settings_is_refused_naming_the_flag(sft, tmp_path, capsys, flags):
    assert sft("out", "--save-steps", 3) == 0
    before = contents(tmp_path)
    capsys.readouterr()
    assert sft("out", "--save-steps", 3, "--resume", *flags) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"minisft: error: {flags[0]} is ")
    assert contents(tmp_path) == before


def test_resuming_on_other_data_or_from_another_model_is_refused_even_under_the_same_name(shared, tmp_path, capsys):
    shutil.copytree(shared, tmp_path / "moved")
    line = sft_line(tmp_path / "moved", tmp_path / "out", "--save-steps", 3)
    assert minisft(*sft_line(shared, tmp_path / "out", "--save-steps", 3)) == 0
    assert minisft(*line, "--resume") == 0  # the same content elsewhere is the same
    write_rows(tmp_path / "moved" / "train.jsonl", [conversation("Other", "data.")] * 9)
    assert minisft(*line, "--resume") == 2
    assert "error: --data: its content was another" in capsys.readouterr().err
    write_pairs(tmp_path / "moved" / "train.jsonl")
    theta, config, tokenizer = checkpoint.load(tmp_path / "moved" / "theta_hat")
    theta.flat[0] += 1
    checkpoint.save(tmp_path / "moved" / "theta_hat", theta, config, tokenizer)
    assert minisft(*line, "--resume") == 2
    assert "error: --model: its content was another" in capsys.readouterr().err


def test_the_same_tokens_with_other_targets_are_other_data(sft, tmp_path, capsys):
    path = tmp_path / "cut.jsonl"
    for prompt, completion, status in (("a", " b c", 0), ("a", " b c", 0), ("a b", " c", 2)):
        write_rows(path, [{"prompt": prompt, "completion": completion}] * 9)
        assert sft("out", "--data", path, "--resume") == status
    assert "error: --data: its content was another" in capsys.readouterr().err


def test_a_checkpoint_without_what_this_optimiser_remembers_is_not_whole(sft, tmp_path, capsys):
    assert sft("sgd", "--optim", "sgd", "--save-steps", 6) == 0
    assert sft("out", "--save-steps", 6) == 0
    shutil.copy(
        tmp_path / "sgd/checkpoint-6/optimizer.safetensors", tmp_path / "out/checkpoint-6/optimizer.safetensors"
    )
    (tmp_path / "out" / "model.safetensors").unlink()
    assert sft("out", "--save-steps", 6, "--resume") == 2
    assert "optimizer.safetensors: is not what --optim adamw remembers" in capsys.readouterr().err


def test_how_often_is_saved_evaluated_and_logged_may_change_on_resume(sft, shared, tmp_path):
    assert sft("whole") == 0
    assert sft("parts", "--save-steps", 4) == 0
    (tmp_path / "parts" / "model.safetensors").unlink()
    assert sft("parts", "--save-steps", 3, "--logging-steps", 1, "--resume") == 0
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_run_of_pretrain_resumes_bit_for_bit(shared, tmp_path):
    text = tmp_path / "book.txt"
    text.write_text("It was the best of times, it was the worst of times. " * 20)
    sizes = ["--hidden-size", 8, "--num-hidden-layers", 1, "--num-attention-heads", 2, "--vocab-size", 290]
    line = ["pretrain", "--data", text, *sizes, "--max-length", 16, "--batch-size", 4, "--max-steps", 5]
    assert minisft(*line, "--output-dir", tmp_path / "whole") == 0
    assert minisft(*line, "--output-dir", tmp_path / "parts", "--save-steps", 3) == 0
    (tmp_path / "parts" / "model.safetensors").unlink()
    assert minisft(*line, "--output-dir", tmp_path / "parts", "--save-steps", 3, "--resume") == 0
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_killed_run_resumes_bit_for_bit(shared, tmp_path):
    """A process of its own, killed as soon as a checkpoint has appeared; the same line with --resume ends the run."""
    flags = ["--save-steps", 20, "--max-steps", 400, "--seed", 1]
    assert minisft(*sft_line(shared, tmp_path / "whole", *flags)) == 0
    process = subprocess.Popen(**command(*sft_line(shared, tmp_path / "parts", *flags)), stderr=subprocess.DEVNULL)
    wait_for(lambda: (tmp_path / "parts" / "checkpoint-20").exists(), process)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "parts" / "model.safetensors").exists()  # it was killed in the middle
    assert minisft(*sft_line(shared, tmp_path / "parts", *flags), "--resume") == 0
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    assert not list((tmp_path / "parts").glob(".*"))  # neither what was being written nor the lock


@pytest.mark.parametrize("flag", ["--resume", "--overwrite"])
def test_what_a_run_killed_while_saving_has_left_is_cleared_away(sft, tmp_path, flag):
    assert sft("out", "--save-steps", 3) == 0
    before = contents(tmp_path).keys()
    for name, machine, pid in (
        ("checkpoint-5", files.machine(), os.getpid()),  # in a container every process has the same number
        ("checkpoint-6", "01234567", 1),  # on a cluster it may have been another machine
        ("model.safetensors", files.machine(), 99999999),
        ("rehearsal", "01234567", 1),
        ("train_config.json", files.machine(), os.getppid()),
    ):
        left = tmp_path / "out" / f".{name}.{machine}-{pid}-{'0' * 16}.partial"
        shutil.copytree(tmp_path / "out" / "checkpoint-3", left)
    assert sft("out", "--save-steps", 3, flag) == 0
    assert contents(tmp_path).keys() == before
