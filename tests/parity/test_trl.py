"""A whole run beside TRL's SFTTrainer: the same files and flags give the same losses, gradient norms and θ̃.

Float64 rounds at 1e-16; twenty steps of AdamW divide by √v̂, which is small at first, and feed errors back: 1e-9 of the
largest entry leaves room for that and for none of the mistakes of a trainer, the smallest of which (a gradient in
float32, a mean of means) show at 1e-7 and more.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from minisft import checkpoint, data, model
from minisft.cli.main import main
from minisft.config import ModelConfig
from minisft.formats import resources
from minisft.params import Params
from minisft.tokenizer import Tokenizer

from .measured import assert_close

STEPS = 21
COMMON = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2, "max_steps": STEPS, "max_length": 96}
LINEAR = COMMON | {"learning_rate": 3e-3, "lr_scheduler_type": "linear", "max_grad_norm": 0.5}
COSINE = COMMON | {"learning_rate": 5e-3, "lr_scheduler_type": "cosine", "max_grad_norm": 1.0}
COSINE |= {"warmup_steps": 5, "weight_decay": 0.1}
# 6.8 epochs of 3 steps are ⌈20.4⌉ = 21 steps, of which ⌈0.2 · 21⌉ = 5 warm up.
FRACTIONS = {name: value for name, value in LINEAR.items() if name != "max_steps"}
FRACTIONS |= {"num_train_epochs": 6.8, "warmup_steps": 0.2}

TURNS = [
    ("Hi!", "Hello — how are you?"),
    ("What is 2 + 3?", "5"),
    ("Say nothing.", ""),
    ("東京は?", "Tokyo, in Japan."),
]
CONVERSATIONS = [
    {
        "messages": [{"role": "system", "content": f"Answer number {i}."}][: i % 2]
        + [
            {"role": role, "content": content}
            for j in range(1 + i % 3)
            for role, content in zip(("user", "assistant"), TURNS[(i + j) % 4])
        ]
    }
    for i in range(11)
]
SUMS = [{"prompt": f"{a} + {b} =", "completion": f" {a + b}"} for a in range(2, 13, 3) for b in (1, 45, 1000)][:11]
LATER_TURNS = [{"prompt": row["messages"][:-1], "completion": row["messages"][-1:]} for row in CONVERSATIONS]

# 11 examples, 4 a step: 3 steps an epoch, the last of 3 examples; micro-batches of 2, and one of 1. Four of the
# conversations have more than 96 tokens and are cut.
CASES = {
    "messages, linear": (CONVERSATIONS, LINEAR | {"assistant_only_loss": True}),
    "messages, warm-up, cosine, decay": (CONVERSATIONS, COSINE | {"assistant_only_loss": True}),
    "prompt-completion, linear": (SUMS, LINEAR),
    "prompt-completion, warm-up, cosine, decay": (SUMS, COSINE),
    "fractions of epochs and of steps": (SUMS, FRACTIONS),
    "prompt-completion in messages, linear": (LATER_TURNS, LINEAR | {"max_length": 128, "assistant_only_loss": True}),
}
FLAGS = {"per_device_train_batch_size": "--batch-size", "assistant_only_loss": None}


@pytest.fixture(scope="module")
def theta_hat(tmp_path_factory):
    """A random checkpoint in float64, logits a few units apart, gains away from 1."""
    directory = tmp_path_factory.mktemp("theta_hat")
    tokenizer = Tokenizer.train((e.completion for e in data.read([resources.path("pretrain.jsonl")])[::20]), 320)
    config = ModelConfig(
        vocab_size=330,
        hidden_size=24,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=128,
    )
    theta = Params.random(np.random.default_rng(0), model.shapes(config))
    checkpoint.save(directory, theta, config, tokenizer)
    return directory


@pytest.fixture(scope="module")
def by_trl(theta_hat, tmp_path_factory):
    """{case: directory} with what TRL made of every case, and the data it read; all of them in one process."""
    here, jobs = tmp_path_factory.mktemp("trl"), {}
    for number, (case, (rows, settings)) in enumerate(CASES.items()):
        output = here / str(number)
        output.mkdir()
        (output / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        jobs[case] = {"model": theta_hat, "data": output / "data.jsonl", "settings": settings, "output": output}
    (here / "jobs.json").write_text(json.dumps(list(jobs.values()), default=str))
    line = [sys.executable, Path(__file__).with_name("trl_run.py"), here / "jobs.json"]
    done = subprocess.run(line, env=os.environ | {"HF_HOME": str(here)}, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return {case: job["output"] for case, job in jobs.items()}


@pytest.mark.parametrize("case", CASES)
def test_the_trajectory_is_that_of_trl(case, theta_hat, by_trl, tmp_path):
    flags = []
    for name, value in CASES[case][1].items():
        flag = FLAGS.get(name, "--" + name.replace("_", "-"))
        flags += [flag, str(value)] if flag else []
    source = ["--model", str(theta_hat), "--data", str(by_trl[case] / "data.jsonl"), "--output-dir", str(tmp_path)]
    main(["sft", *source, "--dtype", "float64", "--no-shuffle", *flags])

    trace = json.loads((by_trl[case] / "trace.json").read_text())
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert len(trace) == len(rows) == STEPS
    assert [row["num_tokens"] for row in rows] == [row["num_tokens"] for row in trace]
    for quantity in ("loss", "grad_norm", "learning_rate"):
        for ours, theirs in zip(rows, trace):
            assert_close(
                "TRL", f"{quantity} of any step", ours[quantity], theirs[quantity], 1e-9, f"step {ours['step']}"
            )
    theta_tilde, start = load_file(tmp_path / "model.safetensors"), load_file(theta_hat / "model.safetensors")
    theirs = load_file(by_trl[case] / "theta_tilde.safetensors")
    assert set(theta_tilde) == set(theirs)
    for name, tensor in theirs.items():
        assert np.abs(tensor - start[name]).max() > 1e-3, "it has hardly moved"
        assert_close("TRL", f"any tensor of θ̃ after {STEPS} steps", theta_tilde[name], tensor, 1e-9, name)
