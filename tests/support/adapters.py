"""θ̂ with an adapter, for each kind of model: what the tests of LoRA work on."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import random_theta, tiny_config
from test_families import KINDS

from minisft import adapter, model, train
from minisft.config import TrainConfig

SETTINGS = TrainConfig(lora_r=3, learning_rate=0.02, batch_size=2, max_steps=4)
MODELS = KINDS | {
    "llama": tiny_config(),
    "llama, a head of its own": tiny_config(tied=False),
    "qwen2": replace(tiny_config(), qkv_bias=True),
}
each_model = pytest.mark.parametrize("config", MODELS.values(), ids=MODELS)
each_optimizer = pytest.mark.parametrize("optimizer", ["adamw", "sgd"])


def moved(config, settings=SETTINGS, seed=0):
    """θ̂ with an adapter whose A and B are both random."""
    theta = adapter.start(random_theta(config, seed), settings)
    theta.flat[:] = 0.3 * np.random.default_rng(seed + 1).standard_normal(theta.flat.size)
    return theta


def logits(theta, config, batch):
    return model.forward(theta, config, batch.ids, batch.starts, np.flatnonzero(batch.weights))[0]


def gradient(theta, config, batch):
    grad = theta.like()
    train.value_and_grad(theta, grad, config, batch, dJ=-1.0)
    return grad


def finetuned(theta_hat, config, sequences, settings=SETTINGS):
    *_, state = train.finetune(theta_hat, config, sequences, settings)
    return state


def of(theta, letter):
    return np.concatenate([view.ravel() for name, view in theta.named.items() if f"lora_{letter}" in name])
