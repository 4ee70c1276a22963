"""LoRA compared with PEFT and TRL, in float64: a random adapter of PEFT's, twenty steps, and what either makes of it.

The allowance of 1e-9 is that of test_trl.py, for the same reasons.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from minisft import checkpoint, evaluate
from minisft.cli.main import main
from minisft.data import Sequence

from .measured import assert_close
from .test_trl import COMMON, CONVERSATIONS, COSINE, LINEAR, STEPS, theta_hat  # noqa: F401

if not find_spec("peft"):
    pytest.skip("needs peft", allow_module_level=True)

UPPER = ["layers.1.mlp.up_proj", "layers.1.mlp.down_proj"]
CASES = {  # (the adapter, the run)
    "all-linear": (
        {"r": 4, "lora_alpha": 6, "target_modules": "all-linear"},
        LINEAR | {"assistant_only_loss": True, "learning_rate": 1e-2},
    ),
    "new, with B = 0": (
        {"r": 4, "lora_alpha": 8, "target_modules": "all-linear"},
        LINEAR | {"assistant_only_loss": True},
    ),
    "queries and values, decay": (
        {"r": 3, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]},
        COSINE | {"assistant_only_loss": True, "learning_rate": 1e-2},
    ),
    "rsLoRA, the upper block": (
        {"r": 5, "lora_alpha": 4, "use_rslora": True, "target_modules": UPPER},
        LINEAR | {"assistant_only_loss": True, "learning_rate": 1e-2},
    ),
}
each_case = pytest.mark.parametrize("case", CASES)


def done_by_them(here, jobs):
    (here / "jobs.json").write_text(json.dumps(jobs, default=str))
    line = [sys.executable, Path(__file__).with_name("lora_run.py"), here / "jobs.json"]
    done = subprocess.run(line, env=os.environ | {"HF_HOME": str(here)}, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def places(theta_hat, tmp_path_factory):  # noqa: F811
    """{case: directory}: start/ drawn by PEFT, theirs/ after 21 steps of TRL, ours/ of minisft, merged/, read.json."""
    here, jobs, result = tmp_path_factory.mktemp("lora"), [], {}
    data = here / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in CONVERSATIONS), encoding="utf-8")
    for number, (case, (adapter, settings)) in enumerate(CASES.items()):
        result[case] = place = here / str(number)
        (place / "theirs").mkdir(parents=True)
        draw = {"what": "draw", "model": theta_hat, "output": place / "start", "settings": adapter}
        jobs.append(draw | {"new": case.startswith("new")})
        train = {"what": "train", "model": theta_hat, "adapter": place / "start", "data": data, "settings": settings}
        jobs.append(train | {"output": place / "theirs"})
    done_by_them(here, jobs)
    jobs = []
    for case, place in result.items():
        flags = []
        for name, value in CASES[case][1].items():
            flag = {"per_device_train_batch_size": "--batch-size", "assistant_only_loss": None}.get(
                name, "--" + name.replace("_", "-")
            )
            flags += [flag, str(value)] if flag else []
        line = ["sft", "--model", theta_hat, "--adapter", place / "start", "--data", data]
        line += ["--output-dir", place / "ours"]
        main([str(word) for word in [*line, "--dtype", "float64", "--no-shuffle", *flags]])
        line = ["merge", "--adapter", place / "ours", "--output-dir", place / "merged", "--dtype", "float64"]
        main([str(word) for word in line])
        jobs.append({"what": "read", "model": theta_hat, "adapter": place / "ours", "merged": place / "merged"})
        jobs[-1] |= {"ids": IDS.tolist(), "output": place / "read.json"}
    done_by_them(here, jobs)
    return result


IDS = np.random.default_rng(0).integers(0, 320, 60)


@each_case
def test_losses_norms_and_rates_of_every_step_are_those_of_trl(case, places):
    trace = json.loads((places[case] / "theirs" / "trace.json").read_text())
    rows = [json.loads(line) for line in (places[case] / "ours" / "metrics.jsonl").read_text().splitlines()]
    assert len(trace) == len(rows) == STEPS == COMMON["max_steps"]
    for quantity in ("loss", "grad_norm", "learning_rate"):
        for ours, theirs in zip(rows, trace, strict=True):
            assert_close(
                "TRL + PEFT", f"{quantity} of any step", ours[quantity], theirs[quantity], 1e-9, f"step {ours['step']}"
            )


@each_case
def test_the_adapter_after_the_run_is_that_of_trl_and_peft(case, places):
    start, ours, theirs = (
        load_file(places[case] / place / "adapter_model.safetensors") for place in ("start", "ours", "theirs/adapter")
    )
    assert set(ours) == set(theirs) == set(start)
    for name, tensor in theirs.items():
        assert np.abs(tensor - start[name]).max() > 1e-3, "it has hardly moved"
        assert_close("TRL + PEFT", f"A and B after {STEPS} steps", ours[name], tensor, 1e-9, name)


@each_case
def test_peft_reads_our_adapter_and_transformers_our_merged_model_as_we_do(case, places):
    found = json.loads((places[case] / "read.json").read_text())
    for place, judge in (("ours", "peft"), ("merged", "transformers")):
        theta, config, _ = checkpoint.load(places[case] / place, np.float64)
        [(log_prob, _)] = evaluate.log_probs(theta, config, [Sequence(IDS, np.full(len(IDS), True), "")])
        assert_close("PEFT" if judge == "peft" else "transformers", f"log Pr, {place}", log_prob, found[judge], 1e-9)
