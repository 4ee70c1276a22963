"""An adapter's directory beside that of its base model, for a test to read or to damage."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from minisft import adapter, checkpoint
from support.model_directory import CONFIG, random_theta
from support.refusals import refusal

PREFIX = "base_model.model."
SOME = ("q_proj", "model.layers.1.mlp.down_proj")
FIRST = "model.layers.0.self_attn.q_proj"


def on(theta_hat, modules=SOME, r=3, alpha=5.0):
    """θ̂ with a random adapter."""
    theta = adapter.attach(theta_hat, adapter.chosen(theta_hat, modules), r, alpha)
    theta.flat[:] = np.random.default_rng(1).standard_normal(theta.flat.size)
    return theta


@pytest.fixture
def base(tokenizer, tmp_path):
    checkpoint.save(tmp_path / "base", random_theta(CONFIG), CONFIG, tokenizer)
    return tmp_path / "base"


@pytest.fixture
def directory(base, tokenizer):
    """An adapter beside its base model, for a test to edit."""
    theta_hat = checkpoint.load(base)[0]
    checkpoint.save(base.parent / "adapter", on(theta_hat), CONFIG, tokenizer, str(base))
    return base.parent / "adapter"


def edit(directory, drop=(), **changes):
    path = directory / "adapter_config.json"
    value = {key: old for key, old in json.loads(path.read_text()).items() if key not in drop}
    path.write_text(json.dumps(value | changes))


def edit_matrices(directory, change):
    path = directory / "adapter_model.safetensors"
    matrices = load_file(path)
    change(matrices)
    save_file(matrices, path)


def load_error(directory, *words):
    return refusal(lambda: checkpoint.load(directory), *words)
