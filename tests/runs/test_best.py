"""--load-best-model-at-end and --early-stopping-patience: what transformers means by them, and bit for bit resumed."""

import json
import shutil

import pytest
from support.commandline import assert_refused, assert_same_run, conversation, read_rows, rows_without_time, write_rows

from minisft import evaluate
from minisft.runs import loop
from minisft.runs.record import Measured

LOSSES = [5.0, 4.0, 4.5, 4.0, 3.9, 4.1, 4.2, 4.3]  # of the evaluations after steps 2, 4, …


@pytest.fixture
def run(sft, tmp_path, monkeypatch):
    """A run of 16 steps, evaluated at every other one, with these eval_losses; returns its exit status."""
    held_out = write_rows(tmp_path / "held_out.jsonl", [conversation("Hi", "Yes.")])

    def start(name, *flags, losses=LOSSES):
        directory = tmp_path / name
        number = len(Measured(directory).losses) if directory.exists() and "--resume" in flags else 0
        upcoming = iter(losses[number:])

        def measure(*arguments):
            summary, rows = evaluate.evaluate(*arguments)
            loss = next(upcoming)
            if loss is KeyboardInterrupt:
                raise loss
            return summary | {"loss": loss}, rows

        monkeypatch.setattr("minisft.cli.training.evaluate", measure)
        line = ["--eval-data", held_out, "--eval-steps", 2, "--max-steps", 16, *flags]
        return sft(name, *line)

    return start


def evaluated(directory):
    return [row["step"] for row in read_rows(directory / "metrics.jsonl") if "eval_loss" in row]


def weights(directory):
    return (directory / "model.safetensors").read_bytes()


def test_the_model_of_the_lowest_eval_loss_is_what_the_run_leaves(run, tmp_path):
    assert run("best", "--load-best-model-at-end") == 0 and run("last", "--save-steps", 10) == 0
    assert weights(tmp_path / "best") == weights(tmp_path / "last" / "checkpoint-10") != weights(tmp_path / "last")
    record = json.loads((tmp_path / "best" / "train_config.json").read_text())
    assert record["saved"]["best_step"] == 10 and record["saved"]["step"] == 16
    assert rows_without_time(tmp_path / "best") == rows_without_time(tmp_path / "last")
    kept = {path.name for path in (tmp_path / "best").glob("checkpoint-*")}
    assert kept == {"checkpoint-2", "checkpoint-4", "checkpoint-10"}  # each that was the best so far


def test_of_two_equal_losses_the_first_is_the_best(run, tmp_path):
    assert run("out", "--load-best-model-at-end", losses=[5.0, 4.0, 4.5, 4.0] + [4.0] * 4) == 0
    assert weights(tmp_path / "out") == weights(tmp_path / "out" / "checkpoint-4")


@pytest.mark.parametrize(("patience", "last"), [(1, 6), (2, 8), (3, 16), (4, 16)])
def test_a_run_ends_after_so_many_evaluations_in_a_row_without_a_lower_loss(run, tmp_path, patience, last):
    """Equal is not lower: 4.5 and 4.0 after 4.0 are two; 3.9 begins anew, and three follow it."""
    assert run("out", "--early-stopping-patience", patience) == 0
    assert evaluated(tmp_path / "out")[-1] == last
    assert json.loads((tmp_path / "out" / "train_config.json").read_text())["saved"]["step"] == last


@pytest.mark.parametrize("at", [3, 4, 5, 6, 7])
def test_both_are_resumed_bit_for_bit(run, sft, tmp_path, monkeypatch, at):
    flags = ["--load-best-model-at-end", "--early-stopping-patience", 2, "--save-steps", 3]
    assert run("whole", *flags) == 0
    write_row = loop.write_row

    def interrupt(this, row, report):  # as a second Ctrl-C does: no checkpoint of this step
        write_row(this, row, report)
        if row["step"] == at and "loss" in row:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "write_row", interrupt)
    assert run("cut", *flags) == 130
    monkeypatch.setattr(loop, "write_row", write_row)
    assert run("cut", *flags, "--resume") == 0
    assert_same_run(tmp_path / "whole", tmp_path / "cut")


def test_a_run_that_was_stopped_in_its_last_evaluation_is_not_finished(run, tmp_path):
    assert run("whole", "--load-best-model-at-end") == 0
    assert run("cut", "--load-best-model-at-end", losses=[*LOSSES[:-1], KeyboardInterrupt]) == 130
    assert weights(tmp_path / "cut") != weights(tmp_path / "whole")  # θ of the last step, for now
    assert run("cut", "--load-best-model-at-end", "--resume") == 0
    assert_same_run(tmp_path / "whole", tmp_path / "cut")


def test_a_run_that_patience_has_ended_is_finished(run, tmp_path, capsys):
    flags = ["--load-best-model-at-end", "--early-stopping-patience", 2]
    assert run("out", *flags) == 0
    shutil.copytree(tmp_path / "out", tmp_path / "before")
    assert run("out", *flags, "--resume") == 0
    assert "is finished: --early-stopping-patience ended it after 8 steps" in capsys.readouterr().err
    assert_same_run(tmp_path / "before", tmp_path / "out")


def test_what_decides_which_model_is_kept_may_not_change_when_it_is_resumed(run, tmp_path, capsys):
    assert run("out", "--load-best-model-at-end") == 0
    assert run("out", "--load-best-model-at-end", "--resume", "--eval-steps", 4) == 2
    assert "--eval-steps is 4, but was 2" in capsys.readouterr().err
    assert run("out", "--resume") == 2
    assert "--load-best-model-at-end is false, but was true" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--load-best-model-at-end", "--early-stopping-patience 2"])
def test_without_anything_to_evaluate_both_are_refused(base, pairs, tmp_path, capsys, flag):
    line = ["sft", *base, *pairs, "--output-dir", tmp_path / "out", *flag.split()]
    assert_refused(capsys, line, flag.split()[0] + ": ", "--eval-steps")
    assert_refused(capsys, [*line, "--eval-data", pairs[1]], flag.split()[0] + ": ", "--eval-steps")
