"""Flags as TRL's users type them: with underscores, under TRL's names, with ratios and fractions."""

import json

import pytest
from support.commandline import SFT, assert_refused, assert_same_run, minisft, read_rows

from minisft.cli.main import COMMANDS, name_of, parser
from minisft.cli.spelling import ADVICE, OURS, WITH_AS_TRL, ours
from minisft.config import TrainConfig
from minisft.optim import learning_rate
from minisft.train import steps_in


def flags_of(command):
    subparsers = next(action for action in parser()._actions if action.choices and action.dest == "command")
    return [name for action in subparsers.choices[command]._actions for name in action.option_strings]


def test_every_flag_may_be_spelled_with_underscores():
    for command in COMMANDS:
        for flag in flags_of(name_of(command)):
            if flag.startswith("--"):
                assert ours([name_of(command), "--" + flag[2:].replace("-", "_")]) == [name_of(command), flag]
    assert ours(["--batch_size=2", "--prompt=a_b --c_d", "--", "--not_a_flag", "x_y"]) == [
        "--batch-size=2",
        "--prompt=a_b --c_d",
        "--",
        "--not_a_flag",
        "x_y",
    ]


def test_trls_names_give_the_same_run(shared, tmp_path):
    model, data = str(shared / "theta_hat"), str(shared / "train.jsonl")
    theirs = ["--model_name_or_path", model, "--data", data, "--output_dir", tmp_path / "theirs"]
    theirs += ["--per_device_train_batch_size", "2", "--gradient_accumulation_steps", "2", "--max_length", "64"]
    theirs += ["--num_train_epochs", "1.5", "--warmup_ratio", "0.3", "--lr_scheduler_type", "cosine", "--dtype=float64"]
    ours = ["--model", model, "--data", data, "--output-dir", tmp_path / "ours", "--batch-size", "2", "--dtype=float64"]
    ours += ["--gradient-accumulation-steps", "2", "--max-length", "64", "--max-steps", "5", "--warmup-steps", "2"]
    assert minisft("sft", *theirs) == 0  # 9 rows, 4 a step: 3 steps an epoch, so 1.5 epochs are ⌈4.5⌉ = 5 steps
    assert minisft("sft", *ours, "--lr-scheduler-type", "cosine") == 0  # and ⌈0.3 · 5⌉ = 2 of them warm up
    assert_same_run(tmp_path / "theirs", tmp_path / "ours")


@pytest.mark.parametrize(("given", "warmup"), [(0.1, 2), (0.5, 10), (0.0, 0), (0.01, 1), (1, 1), (3, 3), (2.9, 2)])
def test_warmup_steps_below_1_are_a_fraction_of_all_steps_rounded_up(given, warmup):
    rates = [learning_rate(TrainConfig(learning_rate=1.0, warmup_steps=given), t, 20) for t in range(20)]
    assert rates == [learning_rate(TrainConfig(learning_rate=1.0, warmup_steps=warmup), t, 20) for t in range(20)]


@pytest.mark.parametrize(("epochs", "steps"), [(0.5, 2), (0.01, 1), (1, 3), (1.0, 3), (1.5, 5), (2.7, 9)])
def test_epochs_may_be_fractions_rounded_up_to_whole_steps(epochs, steps):
    assert steps_in([None] * 9, TrainConfig(num_train_epochs=epochs, batch_size=4)) == steps


@pytest.mark.parametrize("flag", ADVICE)
def test_a_flag_that_only_trl_has_is_refused_by_name_with_what_to_do(flag, capsys):
    spelled = "--" + flag[2:].replace("-", "_")
    assert_refused(capsys, f"{SFT} {spelled} True", f"{flag}: is a flag of TRL's", ADVICE[flag])


def test_no_flag_is_both_ours_and_only_trls_but_those_by_which_inspect_is_told_what_trl_is():
    known = {flag for command in COMMANDS for flag in flags_of(name_of(command))}
    assert known & (set(ADVICE) | set(OURS)) == set(WITH_AS_TRL) and set(OURS.values()) <= known
    others = {flag for command in COMMANDS if name_of(command) != "inspect" for flag in flags_of(name_of(command))}
    assert not others & set(WITH_AS_TRL)
    advised = {word.strip(";,:") for advice in ADVICE.values() for word in advice.split() if word.startswith("--")}
    assert advised <= known


def test_a_flag_that_nobody_has_is_refused_by_name_and_never_guessed(capsys):
    assert_refused(capsys, f"{SFT} --batch_sise 2", "--batch-sise 2")


def test_the_last_of_two_spellings_counts(shared, tmp_path):
    line = ["sft", "--model", shared / "theta_hat", "--data", shared / "train.jsonl", "--output-dir", tmp_path / "out"]
    flags = ["--warmup-steps", 3, "--warmup_ratio", 0.5, "--batch_size", 1, "--per_device_train_batch_size", 3]
    assert minisft(*line, *flags, "--max-steps", 1) == 0
    record = json.loads((tmp_path / "out" / "train_config.json").read_text())
    assert (record["warmup_steps"], record["batch_size"]) == (0.5, 3) and len(
        read_rows(tmp_path / "out" / "metrics.jsonl")
    ) == 1
