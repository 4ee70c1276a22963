"""Take it away: the script gives the same θ̃."""

import json
import os
import subprocess
import sys

import pytest
from safetensors.numpy import load_file
from support.commandline import ROOT

from minisft import checkpoint, train
from minisft.errors import MinisftError
from minisft.formats import resources
from minisft.lab.experiment import during
from minisft.playground import choice, scripts
from minisft.playground.run import Run

ROWS = """\
{"prompt": "It's \\"a\\" \\\\n {x}", "completion": " Lima."}
{"prompt": "Hi", "completion": "東京\u2028 \\n'''"}
"""
CASES = {
    "atlas": {"max_steps": 3, "batch_size": 2, "prompt_loss_weight": 0.25, "loss_reduction": "sum"},
    "random": {"start": "random", "max_steps": 2, "batch_size": 1, "seed": 3, "optim": "sgd", "data": "sums"},
    "pasted": {"data": "pasted rows", "rows": ROWS, "max_steps": 3, "batch_size": 2, "lr_scheduler_type": "cosine"},
    "a mistake in the data": {"max_steps": 2, "batch_size": 2, "mistake": "test-rows-in-training"},
    "a mistake that remembers": {"max_steps": 3, "batch_size": 2, "mistake": "gradient-not-zeroed"},
}


def run_of(wanted):
    theta_hat, config, tokenizer = checkpoint.load(resources.path("atlas"))
    chosen = choice.choose(wanted)
    start = choice.theta_at_start(chosen, theta_hat, config)
    return Run(start, config, choice.sequences_of(chosen.examples, tokenizer, config), chosen.settings)


@pytest.mark.parametrize("case", CASES)
def test_the_python_script_gives_the_same_theta_bit_for_bit(case, tmp_path):
    with during(choice.mistake_of(CASES[case].get("mistake", choice.NONE))):
        run = run_of(CASES[case])
        while run.state.step < run.total:
            run.advance()
    (tmp_path / "run.py").write_text(scripts.python("atlas", CASES[case], run), encoding="utf-8")
    line = [sys.executable, "run.py"]
    done = subprocess.run(
        line, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == run.total
    theta_tilde = load_file(tmp_path / "theta_tilde" / "model.safetensors")
    for name, view in run.state.theta.named.items():
        assert theta_tilde[name].tobytes() == view.tobytes(), name


@pytest.mark.parametrize(
    "wanted, why",
    [
        ({"prompt_loss_weight": 0.5}, "λ"),
        ({"loss_reduction": "sum"}, "reduction"),
        ({"start": "random"}, "start"),
        ({"mistake": "no-shift"}, "mistake"),
    ],
)
def test_where_trl_has_no_such_run_the_reason_is_given(wanted, why):
    with pytest.raises(MinisftError, match=why):
        scripts.trl("atlas", wanted, run_of(wanted))


@pytest.mark.parametrize("optim", ["adamw", "sgd"])
def test_the_trl_script_is_python_and_has_the_batches_of_the_run(optim):
    wanted = {"max_steps": 14, "optim": optim, "prompt_loss_weight": 1.0}
    text = scripts.trl("atlas", wanted, run_of(wanted))
    compile(text, "run_trl.py", "exec")
    [line] = [line for line in text.splitlines() if line.startswith("BATCHES")]
    batches = json.loads(line.partition(" = ")[2].partition("  #")[0])
    sequences = run_of(wanted).sequences
    settings = run_of(wanted).settings
    for numbers, (chosen, _) in zip(batches, train.batches(sequences, settings), strict=True):
        assert [sequences[number].where for number in numbers] == [sequence.where for sequence in chosen]
    assert "'assistant_only_loss': True" not in text
