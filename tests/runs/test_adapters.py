"""A run of LoRA in its directory: an adapter is θ̃, small checkpoints, --resume, and going on with --adapter."""

import json
import shutil

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from safetensors.numpy import load_file
from support.commandline import assert_refused, assert_same_run, contents, make_theta_hat, read_rows, sft_line

from minisft import adapter, checkpoint, train
from minisft.config import TrainConfig
from minisft.data import encode, read

LORA = ["--lora-r", 2, "--lora-alpha", 3]
HELD_OUT = ["--load-best-model-at-end", "--eval-steps", 2, "--save-steps", 3]


def record_of(directory):
    return json.loads((directory / "train_config.json").read_text())


def refused(capsys, shared, output_dir, *flags, words):
    before = contents(output_dir.parent)
    assert_refused(capsys, [str(word) for word in sft_line(shared, output_dir, *flags)], *words)
    assert contents(output_dir.parent) == before


# --- what is written --------------------------------------------------------------------------------------------------


def test_the_run_leaves_the_adapter_that_the_library_makes_of_the_same_settings(sft, shared, tmp_path):
    assert sft("out", *LORA, "--dtype", "float64", "--learning-rate", 0.01) == 0
    theta_hat, config, tokenizer = checkpoint.load(shared / "theta_hat", np.float64)
    sequences = [encode(example, tokenizer) for example in read([shared / "train.jsonl"])]
    settings = TrainConfig(lora_r=2, lora_alpha=3, learning_rate=0.01, batch_size=2, max_steps=6)
    *_, state = train.finetune(theta_hat, config, sequences, settings)
    assert_array_equal(checkpoint.load_adapter(tmp_path / "out", theta_hat).flat, state.theta.flat)
    assert_array_equal(checkpoint.load(tmp_path / "out", np.float64)[0].flat, adapter.merged(state.theta).flat)


def test_the_directory_is_an_adapter_with_the_rows_the_record_and_a_card_and_no_whole_model(sft, shared, tmp_path):
    assert sft("out", *LORA, "--save-steps", 3) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    of_model = {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"}
    of_model |= {"adapter_config.json", "adapter_model.safetensors"}
    assert names == of_model | {"metrics.jsonl", "train_config.json", "README.md", "checkpoint-3", "checkpoint-6"}
    of_state = {"optimizer.safetensors", "trainer_state.json"}
    assert {path.name for path in (tmp_path / "out" / "checkpoint-3").iterdir()} == of_model | of_state
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(shared / "theta_hat") and config["lora_alpha"] == 3
    record = record_of(tmp_path / "out")
    assert (record["lora_r"], record["lora_alpha"], record["lora_target_modules"]) == (2, 3.0, ["all-linear"])
    size = sum(matrix.size for matrix in load_file(tmp_path / "out" / "adapter_model.safetensors").values())
    moments = load_file(tmp_path / "out" / "checkpoint-3" / "optimizer.safetensors")
    assert {moment.size for moment in moments.values()} == {size}
    assert len(read_rows(tmp_path / "out" / "metrics.jsonl")) == 6


def test_the_card_says_that_it_is_an_adapter_how_it_is_loaded_and_of_what(sft, tmp_path):
    assert sft("out", *LORA, "--lora-target-modules", "q_proj", "v_proj") == 0
    card = (tmp_path / "out" / "README.md").read_text()
    assert "library_name: peft\n" in card and "tags: [lora, minisft]\n" in card and 'base_model: "theta_hat"\n' in card
    assert "An adapter of `theta_hat`, fine-tuned on answers." in card
    assert 'model = PeftModel.from_pretrained(base, "out")' in card
    assert "| parameters of the adapter (LoRA) | 112 |" in card  # 2 (16 + 16) and 2 (16 + 8), one block
    assert "| `--lora-r` | 2 |" in card and "`q_proj` `v_proj`" in card


def test_the_start_says_how_many_numbers_move_and_json_how_large_the_model_is(sft, shared, tmp_path, json_of, capsys):
    found = json_of(*sft_line(shared, tmp_path / "out", *LORA))
    whole = checkpoint.load(shared / "theta_hat")[0].flat.size
    assert found["num_parameters"] == whole
    assert sft("again", *LORA) == 0
    assert f"parameters of an adapter of {whole:,}, " in capsys.readouterr().err


def test_the_default_rate_is_ten_times_that_of_full_fine_tuning(sft, tmp_path):
    assert sft("out", *LORA) == 0 and sft("full") == 0
    assert record_of(tmp_path / "out")["learning_rate"] == 10 * record_of(tmp_path / "full")["learning_rate"] == 0.01


def test_a_checkpoint_has_a_small_part_of_the_bytes_of_a_full_one(sft, tmp_path):
    assert sft("out", "--lora-r", 1, "--save-steps", 6) == 0 and sft("full", "--save-steps", 6) == 0
    adapter_only, full = (
        sum(path.stat().st_size for path in (tmp_path / name / "checkpoint-6").glob("*.safetensors"))
        for name in ("out", "full")
    )
    assert adapter_only < full / 8


# --- --resume ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [(), ("--optim", "sgd"), ("--dtype", "float64", "--weight-decay", 0.1)])
def test_a_resumed_run_ends_in_the_same_bytes(sft, tmp_path, flags):
    assert sft("whole", *LORA, *flags) == 0
    assert sft("parts", *LORA, *flags, "--save-steps", 2) == 0
    shutil.rmtree(tmp_path / "parts" / "checkpoint-6")
    (tmp_path / "parts" / "adapter_model.safetensors").unlink()
    assert sft("parts", *LORA, *flags, "--save-steps", 2, "--resume") == 0
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_finished_run_ends_at_once_and_stays_as_it_is(sft, tmp_path, capsys):
    assert sft("out", *LORA, "--save-steps", 3) == 0
    before = contents(tmp_path)
    assert sft("out", *LORA, "--save-steps", 3, "--resume") == 0
    assert "is finished" in capsys.readouterr().err and contents(tmp_path) == before


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--lora-r", 3, "--lora-alpha", 3], "--lora-r is 3, but was 2"),
        (["--lora-r", 2], "--lora-alpha is 4, but was 3"),
        ([*LORA, "--lora-target-modules", "q_proj"], "--lora-target-modules is"),
        ([*LORA, "--seed", 1], "--seed is 1"),
        ([], "--lora-r is 0, but was 2"),
    ],
)
def test_other_settings_of_the_adapter_are_refused_when_resuming(sft, shared, tmp_path, capsys, flags, word):
    assert sft("out", *LORA, "--save-steps", 3, "--learning-rate", 0.01) == 0
    more = ["--learning-rate", 0.01, "--resume"]
    refused(capsys, shared, tmp_path / "out", *flags, *more, words=[word])


def test_another_base_model_is_refused_when_resuming(sft, shared, tmp_path, capsys):
    assert sft("out", *LORA, "--save-steps", 3) == 0
    make_theta_hat(tmp_path)
    other = tmp_path / "theta_hat"
    weights = checkpoint.load(other)
    weights[0].flat[0] += 1
    checkpoint.save(other, *weights)
    words = ["--model: its content was another"]
    refused(capsys, shared, tmp_path / "out", *LORA, "--model", other, "--resume", words=words)


@pytest.mark.parametrize("damage", ["another rank", "another alpha", "NaN", "missing", "another number"])
def test_a_checkpoint_that_is_not_of_the_run_is_passed_over(sft, tmp_path, capsys, damage):
    assert sft("whole", *LORA) == 0 and sft("parts", *LORA, "--save-steps", 2) == 0
    newest = tmp_path / "parts" / "checkpoint-6"
    (tmp_path / "parts" / "adapter_model.safetensors").unlink()
    path = newest / "adapter_config.json"
    config = json.loads(path.read_text())
    if damage in ("another rank", "another alpha"):
        path.write_text(json.dumps(config | {"r" if "rank" in damage else "lora_alpha": 5}))
    elif damage == "missing":
        path.unlink()
    else:
        content = bytearray((newest / "adapter_model.safetensors").read_bytes())
        content[-4:] = np.float32(np.nan if damage == "NaN" else 7).tobytes()
        (newest / "adapter_model.safetensors").write_bytes(content)
    assert sft("parts", *LORA, "--save-steps", 2, "--resume") == 0
    said = capsys.readouterr().err
    assert "checkpoint-6 is not whole and is passed over" in said and "going on after step 4" in said
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_the_best_adapter_is_what_a_run_leaves_and_evaluation_is_of_theta_t(sft, shared, tmp_path):
    held_out = ["--eval-data", shared / "train.jsonl"]
    assert sft("out", *LORA, *HELD_OUT, *held_out, "--learning-rate", 0.3) == 0
    rows = {
        row["step"]: row["eval_loss"] for row in read_rows(tmp_path / "out" / "metrics.jsonl") if "eval_loss" in row
    }
    best = record_of(tmp_path / "out")["saved"]["best_step"]
    assert rows[best] == min(rows.values()) and len(set(rows.values())) == len(rows) == 3
    kept = tmp_path / "out" / f"checkpoint-{best}" / "adapter_model.safetensors"
    assert (tmp_path / "out" / "adapter_model.safetensors").read_bytes() == kept.read_bytes()


# --- --adapter --------------------------------------------------------------------------------------------------------


@pytest.fixture
def first(sft, tmp_path):
    assert sft("first", *LORA, "--dtype", "float64") == 0
    return tmp_path / "first"


def test_an_adapter_goes_on_where_it_stopped_and_stays_as_it_was(first, sft, shared, tmp_path):
    before = contents(first)
    flags = ["--dtype", "float64", "--learning-rate", 0.01]
    assert sft("second", "--adapter", first, *flags) == 0
    assert contents(first) == before
    theta_hat, config, tokenizer = checkpoint.load(shared / "theta_hat", np.float64)
    sequences = [encode(example, tokenizer) for example in read([shared / "train.jsonl"])]
    start, settings = checkpoint.load_adapter(first, theta_hat), TrainConfig(0.01, batch_size=2, max_steps=6)
    *_, state = train.finetune(start, config, sequences, settings)
    assert_array_equal(checkpoint.load_adapter(tmp_path / "second", theta_hat).flat, state.theta.flat)
    record = record_of(tmp_path / "second")
    assert (record["lora_r"], record["lora_alpha"], record["adapter"]) == (2, 3.0, str(first))


def test_a_run_from_an_adapter_is_resumed_and_another_adapter_refused(first, sft, shared, tmp_path, capsys):
    flags = ["--adapter", first, "--save-steps", 2, "--dtype", "float64"]
    assert sft("whole", *flags) == 0 and sft("parts", *flags) == 0
    shutil.rmtree(tmp_path / "parts" / "checkpoint-6")
    (tmp_path / "parts" / "adapter_model.safetensors").unlink()
    assert sft("parts", *flags, "--resume") == 0
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    other = ["--adapter", tmp_path / "whole", *flags[2:], "--resume"]
    refused(capsys, shared, tmp_path / "parts", *other, words=["--adapter: its content was another"])


def test_an_adapter_of_peft_with_dropout_goes_on_without_it_and_that_is_said(first, sft, capsys):
    path = first / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"lora_dropout": 0.05}))
    assert sft("second", "--adapter", first) == 0
    assert "was trained with a dropout of 0.05; here there is none" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--lora-r", 2], ["--lora-alpha", 3], ["--lora-target-modules", "q_proj"]])
def test_an_adapter_has_a_rank_an_alpha_and_modules_of_its_own(first, shared, tmp_path, capsys, flags):
    words = [f"{flags[0]}: an adapter has its own; leave it out"]
    refused(capsys, shared, tmp_path / "second", "--adapter", first, *flags, words=words)


@pytest.mark.parametrize("flags", [["--lora-alpha", 3], ["--lora-target-modules", "q_proj"]])
def test_settings_of_an_adapter_without_a_rank_are_refused(shared, tmp_path, capsys, flags):
    refused(capsys, shared, tmp_path / "out", *flags, words=[f"{flags[0]}: goes with --lora-r"])


@pytest.mark.parametrize("flags", [["--lora-r", 2], ["--adapter"]])
def test_an_adapter_on_an_adapter_is_refused(first, shared, tmp_path, capsys, flags):
    flags = [*flags, first] if flags == ["--adapter"] else flags
    words = [f"--model: {first} is itself an adapter", f"--model BASE --adapter {first}", "minisft merge"]
    refused(capsys, shared, tmp_path / "second", "--model", first, *flags, words=words)


def test_what_is_no_adapter_is_refused(shared, tmp_path, capsys):
    words = ["theta_hat", "has no adapter_config.json"]
    refused(capsys, shared, tmp_path / "out", "--adapter", shared / "theta_hat", words=words)
    refused(capsys, shared, tmp_path / "out", "--adapter", tmp_path / "nowhere", words=["--adapter: ", "nowhere"])


def test_neither_the_adapter_nor_its_base_model_is_ever_written_to(first, shared, tmp_path, capsys):
    base = tmp_path / "base"
    shutil.copytree(shared / "theta_hat", base)
    path = first / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": str(base)}))
    for model in (["--model", first], ["--adapter", first, "--model", base]):
        for target in (first, base):
            refused(capsys, shared, target, *model, "--overwrite", words=["--output-dir", "is read"])


def test_fine_tuning_all_of_an_adapters_model_begins_with_the_merged_one(first, sft, tmp_path):
    assert sft("full", "--model", first, "--dtype", "float64", "--save-steps", 6) == 0
    assert (tmp_path / "full" / "model.safetensors").exists()
    rows, of_adapter = (read_rows(place / "metrics.jsonl") for place in (tmp_path / "full", first))
    assert rows[0]["loss"] < of_adapter[0]["loss"]


def test_a_run_of_an_adapter_can_replace_one_of_a_whole_model_and_the_other_way_round(sft, tmp_path):
    assert sft("out", "--save-steps", 3) == 0 and sft("out", *LORA, "--overwrite") == 0
    assert not (tmp_path / "out" / "model.safetensors").exists() and not (tmp_path / "out" / "config.json").exists()
    assert sft("out", "--overwrite") == 0
    assert not list((tmp_path / "out").glob("adapter*")) and (tmp_path / "out" / "model.safetensors").exists()
