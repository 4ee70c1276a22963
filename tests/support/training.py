"""Runs in tests: settings, sequences, and what comes of a whole run."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import random_sequences

from minisft import evaluate, train
from minisft.config import TrainConfig
from minisft.data import Sequence

LENGTHS = (7, 2, 5, 7, 3, 9, 4, 6, 5, 8)
SGD = TrainConfig(optim="sgd", learning_rate=0.1, max_grad_norm=0.0, batch_size=4, lr_scheduler_type="constant")
ADAMW = TrainConfig(learning_rate=0.01, batch_size=4)
both = pytest.mark.parametrize("settings", [SGD, ADAMW], ids=["sgd", "adamw"])


def ten_sequences():
    """Ten sequences; steps of 4 make 3 steps an epoch, the last of 2."""
    return random_sequences(lengths=LENGTHS)


def no_target(n=4, line=99):
    return Sequence(np.arange(n), np.zeros(n, bool), f"data.jsonl:{line}")


def run(theta, config, sequences, settings):
    """θ̃ and the rows of the whole run."""
    rows = []
    for state in train.finetune(theta, config, sequences, settings):
        rows.append(state.metrics)
    return state.theta, rows


def gradient(theta, config, sequences, settings):
    """∇L at θ of all sequences as one step: what one step of SGD with rate 1 subtracts."""
    settings = replace(settings, optim="sgd", learning_rate=1.0, max_grad_norm=0.0, max_steps=1, shuffle=False)
    settings = replace(settings, batch_size=len(sequences), gradient_accumulation_steps=1, warmup_steps=0)
    theta_1, _ = run(theta, config, sequences, settings)
    return theta.flat - theta_1.flat


def without_time(rows):
    return [{name: value for name, value in row.items() if name != "tokens_per_second"} for row in rows]


def log_probs(theta, config, sequences):
    """Of all sequences: log Pr of every row, whether it predicts y, whether it is the likeliest."""
    values, hits = (np.concatenate(part) for part in zip(*evaluate.log_probs(theta, config, sequences), strict=True))
    return values, np.concatenate([sequence.is_y[1:] for sequence in sequences]), hits
