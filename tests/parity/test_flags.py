"""TRL's flags and callbacks: each flag is ours, or refused by its name; patience is that of transformers."""

import dataclasses
from types import SimpleNamespace

import pytest
from support.commandline import assert_refused

from minisft.cli.spelling import ADVICE, ours
from minisft.runs.record import Measured

transformers = pytest.importorskip("transformers")
trl = pytest.importorskip("trl")

NAMES = [field.name for of in (trl.SFTConfig, trl.ModelConfig, trl.ScriptArguments) for field in dataclasses.fields(of)]


@pytest.mark.parametrize("name", NAMES)
def test_a_flag_of_trls_is_ours_or_refused_by_its_name(name, capsys):
    flag = "--" + name.replace("_", "-")
    if flag in ADVICE:
        assert_refused(capsys, ["sft", f"--{name}", "1"], f"{flag}: is a flag of TRL's", ADVICE[flag])
        return
    line = ["sft", "--model", "m", "--data", "d", "--output-dir", "o", f"--{name}=?"]
    (spelled,) = ours([f"--{name}"])
    any_text = ("--model", "--output-dir", "--lora-target-modules")
    assert_refused(capsys, line, *([] if spelled in any_text else [spelled]))


def test_the_names_that_are_told_what_to_do_are_trls():
    older = {"--overwrite-output-dir", "--resume-from-checkpoint"}
    assert {name[2:].replace("-", "_") for name in set(ADVICE) - older} <= set(NAMES)


@pytest.mark.parametrize("patience", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "losses", [[5, 4, 4.5, 4, 3.9, 4.1, 4.2, 4.3], [1, 2, 3], [3, 2, 1, 1, 1, 1], [2, 2, 2, 2], [3, 4, 2, 4, 1, 4, 4]]
)
def test_patience_ends_a_run_where_transformers_does_and_keeps_the_same_step(tmp_path, losses, patience):
    arguments = transformers.TrainingArguments(
        output_dir=tmp_path, use_cpu=True, report_to="none", metric_for_best_model="eval_loss", greater_is_better=False
    )
    callback = transformers.EarlyStoppingCallback(early_stopping_patience=patience)
    state, control = transformers.TrainerState(), transformers.TrainerControl()
    measured = Measured(tmp_path)
    for step, loss in enumerate(losses, 1):
        state.global_step = step
        callback.on_evaluate(arguments, state, control, metrics={"eval_loss": loss})
        trainer = SimpleNamespace(args=arguments, state=state)
        transformers.Trainer._determine_best_metric(trainer, {"eval_loss": loss}, None)
        measured.losses[step] = loss
        assert (measured.waited >= patience) == control.should_training_stop
        if control.should_training_stop:
            break
    arguments.save_strategy = "steps"
    assert measured.losses[measured.best] == state.best_metric
    assert measured.best == state.best_global_step
