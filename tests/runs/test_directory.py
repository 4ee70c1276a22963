"""Training runs in a directory: what is written and when, and which directories are refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.commandline import CONTEXT, SIZES, assert_same_run, contents, conversation, minisft, read_rows, write_rows

from minisft import checkpoint, data, train
from minisft.formats import huggingface
from minisft.runs import checkpoints, record

STEP_KEYS = (
    "step loss objective num_target_tokens num_tokens grad_norm learning_rate mean_token_accuracy tokens_per_second"
)
WRITTEN = {
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "model.safetensors",
    "metrics.jsonl",
    "train_config.json",
    "README.md",
}


# --- what is written --------------------------------------------------------------------------------------------------


def test_a_run_writes_the_model_the_metrics_and_its_settings_and_nothing_else(sft, tmp_path):
    assert sft("out") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == WRITTEN


def test_the_base_model_is_not_touched(sft, shared):
    before = contents(shared)
    assert sft("out", "--save-steps", 2) == 0
    assert contents(shared) == before


def test_metrics_have_one_row_a_step_with_exactly_the_documented_keys(sft, tmp_path):
    assert sft("out") == 0
    rows = read_rows(tmp_path / "out" / "metrics.jsonl")
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert all(set(row) == set(STEP_KEYS.split()) for row in rows)


def test_a_prompt_loss_weight_adds_the_losses_of_prompt_and_completion(sft, tmp_path):
    assert sft("out", "--prompt-loss-weight", 0.5) == 0
    for row in read_rows(tmp_path / "out" / "metrics.jsonl"):
        assert set(row) == {*STEP_KEYS.split(), "prompt_loss", "completion_loss"}


def test_the_run_is_the_one_the_library_makes(sft, shared, tmp_path):
    """The same losses and the same θ̃, bit for bit, as the loop a student writes in a notebook."""
    assert sft("out", "--learning-rate", 0.01, "--seed", 3) == 0
    theta_hat, config, tokenizer = checkpoint.load(shared / "theta_hat")
    examples = data.read([shared / "train.jsonl"])
    sequences, _ = data.fit([data.encode(example, tokenizer) for example in examples], config.max_position_embeddings)
    settings = train.TrainConfig(learning_rate=0.01, seed=3, batch_size=2, max_steps=6)
    losses = []
    for state in train.finetune(theta_hat, config, sequences, settings):
        losses.append(state.metrics["loss"])
    assert [row["loss"] for row in read_rows(tmp_path / "out" / "metrics.jsonl")] == losses
    theta_tilde, _, _ = checkpoint.load(tmp_path / "out")
    np.testing.assert_array_equal(theta_tilde.flat, state.theta.flat)


def test_the_settings_of_a_run_can_be_read_back(sft, shared, tmp_path):
    long = write_rows(tmp_path / "long.jsonl", [conversation("Hi", "x " * 99), conversation("Hi", "Yes.")])
    assert sft("out", "--data", long, "--loss-reduction", "sum", "--no-shuffle", "--warmup-steps", 1) == 0
    record = json.loads((tmp_path / "out" / "train_config.json").read_text())
    assert record["loss_reduction"] == "sum" and record["shuffle"] is False and record["warmup_steps"] == 1
    assert record["learning_rate"] == 1e-3  # the default is resolved
    assert record["max_length"] == CONTEXT and record["data"] == [str(long)]
    assert record["examples"] == {"read": 2, "cut": 1, "dropped": 0, "skipped": 0}
    assert record["versions"].keys() == {"minisft", "numpy", "python"}


def test_float64_is_computed_and_written_in_float64(sft, tmp_path):
    assert sft("out", "--dtype", "float64", "--save-steps", 6) == 0
    for directory, name in (("out", "model"), ("out/checkpoint-6", "model"), ("out/checkpoint-6", "optimizer")):
        tensors = dict(huggingface.read_tensors(tmp_path / directory / f"{name}.safetensors"))
        assert {tensor.dtype for tensor in tensors.values()} == {np.dtype("float64")}
    loss = read_rows(tmp_path / "out" / "metrics.jsonl")[0]["loss"]
    assert loss != float(np.float32(loss))


def test_a_float64_run_goes_on_from_its_checkpoint_and_not_from_the_start(sft, tmp_path, capsys):
    assert sft("out", "--dtype", "float64", "--save-steps", 4) == 0
    (tmp_path / "out" / "model.safetensors").unlink()  # so it is not finished
    capsys.readouterr()
    assert sft("out", "--dtype", "float64", "--save-steps", 4, "--resume") == 0
    assert "going on after step 4" in capsys.readouterr().err


def test_pretraining_starts_from_the_parameters_of_its_seed(tmp_path):
    texts = write_rows(tmp_path / "texts.jsonl", [{"text": "one text, so that all seeds have the same order"}])
    for name, seed in (("one", 1), ("two", 2), ("again", 1)):
        arguments = ["--data", texts, "--output-dir", tmp_path / name, "--max-steps", 1, "--seed", seed]
        assert minisft("pretrain", *arguments, *SIZES) == 0
    one, two, again = (contents(tmp_path / name)[Path("model.safetensors")] for name in ("one", "two", "again"))
    assert one == again and one != two


def test_evaluation_rows_come_every_so_many_steps_and_at_the_end(sft, shared, tmp_path):
    assert sft("out", "--eval-data", shared / "train.jsonl", "--eval-steps", 4) == 0
    rows = [row for row in read_rows(tmp_path / "out" / "metrics.jsonl") if "eval_loss" in row]
    assert [row["step"] for row in rows] == [4, 6]
    names = "num_examples num_target_tokens log_prob loss mean_token_accuracy exact_match stop_rate"
    assert all(set(row) == {"step", *(f"eval_{name}" for name in names.split())} for row in rows)


def test_evaluation_during_a_run_does_not_change_the_run(sft, shared, tmp_path):
    assert sft("plain") == 0
    assert sft("watched", "--eval-data", shared / "train.jsonl", "--eval-steps", 1, "--logging-steps", 1) == 0
    plain, watched = (tmp_path / name / "model.safetensors" for name in ("plain", "watched"))
    assert plain.read_bytes() == watched.read_bytes()


def test_a_checkpoint_is_a_model_and_what_the_optimiser_remembers(sft, tmp_path):
    assert sft("out", "--save-steps", 4) == 0
    path = tmp_path / "out" / "checkpoint-4"
    extra = {"optimizer.safetensors", "trainer_state.json"}
    of_the_run = {"metrics.jsonl", "train_config.json", "README.md"}
    assert {file.name for file in path.iterdir()} == WRITTEN - of_the_run | extra
    assert {file.stat().st_mode for file in path.iterdir()} == {(tmp_path / "out" / "metrics.jsonl").stat().st_mode}
    state = json.loads((path / "trainer_state.json").read_text())
    assert state["step"] == 4 and state["updates"] == 4
    assert state["num_tokens"] == read_rows(tmp_path / "out" / "metrics.jsonl")[3]["num_tokens"]
    checkpoint.load(path)


def test_a_run_that_cannot_write_its_metrics_ends_with_the_file_named(sft, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(record, "METRICS", "no/such/place.jsonl")
    assert sft("out") == 2
    assert "no/such/place.jsonl: cannot be written" in capsys.readouterr().err.splitlines()[-1]


def test_a_checkpoint_that_cannot_be_written_leaves_nothing_half_done(sft, tmp_path, capsys, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.os, "rename", full)
    assert sft("out", "--save-steps", 2) == 2
    assert "checkpoint-2: cannot be written" in capsys.readouterr().err.splitlines()[-1]
    assert {path.name for path in (tmp_path / "out").iterdir()} == WRITTEN


# --- directories that are refused -------------------------------------------------------------------------------------


def test_a_directory_that_holds_a_run_is_refused(sft, tmp_path, capsys):
    assert sft("out") == 0
    before = contents(tmp_path)
    assert sft("out") == 2
    assert "already holds a run" in capsys.readouterr().err and contents(tmp_path) == before


@pytest.mark.parametrize("name", ["metrics.jsonl", "train_config.json", "config.json", "checkpoint-3/x"])
def test_any_one_file_of_a_run_makes_it_a_run(sft, tmp_path, name):
    path = tmp_path / "out" / name
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    assert sft("out") == 2
    assert contents(tmp_path / "out").keys() == {path.relative_to(tmp_path / "out")}


def test_other_files_in_the_directory_are_left_alone(sft, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert sft("out", "--save-steps", 2) == 0 and sft("out", "--overwrite") == 0
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
    assert {path.name for path in (tmp_path / "out").iterdir()} == WRITTEN | {"notes.txt"}


def test_overwrite_replaces_the_whole_run(sft, tmp_path):
    assert sft("fresh", "--max-steps", 2) == 0
    assert sft("out", "--save-steps", 2) == 0 and sft("out", "--max-steps", 2, "--overwrite") == 0
    assert_same_run(tmp_path / "fresh", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == WRITTEN


def test_overwrite_with_a_mistake_leaves_what_was_there(sft, tmp_path):
    assert sft("out", "--save-steps", 2) == 0
    bad = write_rows(tmp_path / "bad.jsonl", [conversation("Hi", "Yes."), {"messages": []}])
    before = contents(tmp_path)
    mistakes = [
        ("--max-length", CONTEXT + 1),
        ("--data", bad),
        ("--eval-data", bad),
        ("--eval-steps", 2),
        ("--max-length", 3),
    ]
    for mistake in mistakes:
        assert sft("out", "--overwrite", *mistake) == 2
        assert contents(tmp_path) == before


@pytest.mark.parametrize("flag", ["--resume", "--overwrite"])
def test_the_directory_of_the_base_model_is_always_refused(shared, tmp_path, monkeypatch, capsys, flag):
    theta_hat = tmp_path / "theta_hat"
    shutil.copytree(shared / "theta_hat", theta_hat)
    shutil.copytree(theta_hat, theta_hat / "checkpoint-3")
    (tmp_path / "link").symlink_to(theta_hat)
    linked = tmp_path / "linked"  # as a download cache: a directory of links to files elsewhere
    linked.mkdir()
    for file in theta_hat.glob("*.json*"):
        (linked / file.name).symlink_to(file)
    monkeypatch.chdir(tmp_path)
    before = contents(tmp_path)
    for model, output_dir in (
        ("theta_hat", "theta_hat"),
        ("theta_hat", "./link"),
        ("link", tmp_path / "link" / ".." / "theta_hat"),
        ("theta_hat/checkpoint-3", "theta_hat"),
        ("linked", "theta_hat"),
    ):
        line = ["--model", model, "--data", shared / "train.jsonl", "--output-dir", output_dir, flag]
        assert minisft("sft", *line) == 2, (model, output_dir)
        assert "holds the model that is read" in capsys.readouterr().err
        assert contents(tmp_path) == before
