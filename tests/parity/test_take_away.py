"""The TRL script of the playground, run as it stands but in float64: the same θ̃ as ours."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from minisft import checkpoint
from minisft.formats import resources
from minisft.playground import choice, scripts
from minisft.playground.run import Run

from .measured import assert_close

# 200 pairs, 16 a step: the 13th step of an epoch has 8. Strings and conversations; both weights; both optimisers.
STRINGS = "\n".join(f'{{"prompt": "{a} + {b} =", "completion": " {a + b}"}}' for a in range(3) for b in (7, 45, 1000))
CASES = {
    "conditional": {"max_steps": 14},
    "joint, cosine": {"max_steps": 3, "prompt_loss_weight": 1.0, "lr_scheduler_type": "cosine", "seed": 5},
    "support, sgd": {"max_steps": 3, "data": "support", "optim": "sgd", "learning_rate": 0.05},
    "pasted strings": {"max_steps": 7, "data": "pasted rows", "rows": STRINGS, "batch_size": 4},
    "pasted strings, joint": {
        "max_steps": 5,
        "data": "pasted rows",
        "rows": STRINGS,
        "batch_size": 2,
        "prompt_loss_weight": 1.0,
        "lr_scheduler_type": "linear",
    },
}
# As in trl_run.py: transformers and TRL cast to float32; here those casts go to float64, and the algorithm stays.
IN_FLOAT64 = """\
import torch, transformers, trl
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
torch.float32 = torch.float = torch.float64
torch.Tensor.float = torch.Tensor.double
exec(compile(open("run_trl.py", encoding="utf-8").read(), "run_trl.py", "exec"))
"""


@pytest.mark.parametrize("case", CASES)
def test_the_trl_script_gives_the_same_theta(case, tmp_path):
    wanted = CASES[case]
    theta_hat, config, tokenizer = checkpoint.load(resources.path("atlas"), np.float64)
    checkpoint.save(tmp_path / "theta_hat", theta_hat, config, tokenizer)  # in float64, as the script is run
    chosen = choice.choose(wanted)
    run = Run(theta_hat, config, choice.sequences_of(chosen.examples, tokenizer, config), chosen.settings)
    while run.state.step < run.total:
        run.advance()
    (tmp_path / "run_trl.py").write_text(scripts.trl(str(tmp_path / "theta_hat"), wanted, run), encoding="utf-8")
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", IN_FLOAT64],
        cwd=tmp_path,
        env=os.environ | {"HF_HOME": str(tmp_path), "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    theirs = load_file(tmp_path / "theta_tilde" / "model.safetensors")
    assert set(theirs) == set(run.state.theta.named)
    for name, tensor in run.state.theta.named.items():
        assert np.abs(tensor - theta_hat.named[name]).max() > 1e-4, "it has hardly moved"
        assert_close("TRL", "any tensor of θ̃, by the script", tensor, theirs[name], 1e-9, f"{case}: {name}")
