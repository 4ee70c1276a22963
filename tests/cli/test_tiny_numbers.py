"""Numbers so small that they do nothing, or nearly nothing."""

import json
from pathlib import Path

import pytest
from support.commandline import minisft, read_rows

SFT = "sft --model model --data data.jsonl --max-steps 2 --batch-size 2 --output-dir"


@pytest.mark.parametrize(
    "flags",
    ["--adam-epsilon 1e300", "--learning-rate 1e-30", "--max-grad-norm 1e-300 --optim sgd", "--learning-rate 1e-320"],
)
def test_a_run_that_moves_nothing_says_so(here, capsys, flags):
    assert minisft(*SFT.split(), "out", *flags.split()) == 0
    assert capsys.readouterr().err.count("warning: the steps have not moved θ at all") == 1
    assert minisft(*SFT.split(), "out", *flags.split(), "--resume") == 0  # finished, and still so
    assert "have not moved θ" in capsys.readouterr().err


def test_a_run_that_moves_or_has_no_targets_does_not_say_so(here, capsys):
    assert minisft(*SFT.split(), "out") == 0
    assert "have not moved" not in capsys.readouterr().err


@pytest.mark.parametrize("weight", ["1e-46", "1e-320", "1e-31", "-1", "nan"])
def test_a_weight_of_the_prompt_that_would_become_0_is_refused(refused, weight):
    refused(f"{SFT} out --prompt-loss-weight {weight}", "--prompt-loss-weight", "1e-30, or 0")


@pytest.mark.parametrize("weight", ["0", "1e-30"])
def test_the_smallest_weights_of_the_prompt_are_counted(here, weight):
    assert minisft(*SFT.split(), "out", "--prompt-loss-weight", weight) == 0
    row = read_rows(here / "out" / "metrics.jsonl")[0]
    assert ("prompt_loss" in row) == (weight != "0") and row.get("prompt_loss", 1) > 0
    assert json.loads(Path("out/train_config.json").read_text())["prompt_loss_weight"] == float(weight)
