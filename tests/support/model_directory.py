"""A small model in a directory of the Hugging Face layout, for a test to edit.

A file of tests that needs the three fixtures takes them by their names: `tokenizer, theta, directory = fixtures`.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from minisft import checkpoint, model
from minisft.config import ModelConfig
from minisft.params import Params
from minisft.tokenizer import Tokenizer

EMBEDDING, NORM = "model.embed_tokens.weight", "model.norm.weight"
CONFIG = ModelConfig(
    vocab_size=262,
    hidden_size=10,
    intermediate_size=14,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=6,
    max_position_embeddings=64,
    rms_norm_eps=2e-5,
    rope_base=5000.0,
    tie_word_embeddings=True,
    initializer_range=0.03,
)
UNTIED = replace(CONFIG, tie_word_embeddings=False)


def random_theta(config, dtype=np.float32):
    """Eighths between -2 and 2: exact in every floating dtype, BF16 too."""
    theta = Params(model.shapes(config), dtype)
    theta.flat[:] = np.random.default_rng(0).integers(-16, 17, theta.flat.size) / 8
    return theta


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(["the cat"], 262)


@pytest.fixture
def theta():
    return random_theta(CONFIG)


@pytest.fixture
def directory(theta, tokenizer, tmp_path):
    """A saved model, tied, for a test to edit."""
    checkpoint.save(tmp_path, theta, CONFIG, tokenizer)
    return tmp_path


fixtures = tokenizer, theta, directory


def edit_config(directory, drop=(), **changes):
    path = directory / "config.json"
    value = {key: old for key, old in json.loads(path.read_text()).items() if key not in drop}
    path.write_text(json.dumps(value | changes))


def edit_tensors(directory, drop=(), **changes):
    """Rewrite model.safetensors; keyword names have __ for a dot."""
    path = directory / "model.safetensors"
    tensors = {name: tensor for name, tensor in load_file(path).items() if name not in drop}
    save_file(tensors | {name.replace("__", "."): tensor for name, tensor in changes.items()}, path)


def shard(directory):
    """Split model.safetensors into two files with an index, as large models come."""
    tensors = load_file(directory / "model.safetensors")
    (directory / "model.safetensors").unlink()
    weight_map = {name: f"model-0000{1 + n % 2}-of-00002.safetensors" for n, name in enumerate(tensors)}
    for file in set(weight_map.values()):
        save_file({name: tensors[name] for name in tensors if weight_map[name] == file}, directory / file)
    (directory / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return weight_map
