"""A GGUF file that is in order but asks for what is not implemented is refused, naming the key or tensor."""

import numpy as np
import pytest
from support import small_gguf
from support.growth import growth
from support.refusals import refusal
from support.small_gguf import CONFIG, gguf, random_theta, write

from minisft import checkpoint
from minisft.formats import sentencepiece

tokenizer, theta, whole = small_gguf.fixtures
LLAMA = {"tokenizer.ggml.model": "llama", "tokenizer.ggml.scores": [0.0] * 300}


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"general.architecture": "phi3"}, ["general.architecture", "phi3", "llama", "qwen2", "gemma3"]),
        ({"llama.attention.sliding_window": 5}, ["llama.attention.sliding_window", "5"]),
        ({"llama.expert_count": 8}, ["llama.expert_count", "8"]),
        ({"llama.rope.scaling.type": "yarn"}, ["llama.rope.scaling.type", "yarn", "linear"]),
        ({"llama.rope.scaling.type": [1, 2]}, ["llama.rope.scaling.type"]),
        ({"llama.rope.scaling.type": "linear"}, ["llama.rope.scaling.factor"]),
        ({"llama.rope.dimension_count": 12}, ["llama.rope.dimension_count", "12", "24"]),
        ({"llama.attention.value_length": 12}, ["llama.attention.value_length", "12", "24"]),
        ({"llama.attention.head_count_kv": [2, 2]}, ["llama.attention.head_count_kv"]),
        ({"llama.attention.head_count_kv": 3}, ["num_key_value_heads", "3"]),
        ({"llama.block_count": "two"}, ["llama.block_count"]),
        ({"llama.block_count": 2**24}, ["num_hidden_layers", 2**24]),
        ({"llama.block_count": 3}, ["model.layers.2.input_layernorm.weight", "missing"]),
        ({"llama.embedding_length": 2**24}, ["model.embed_tokens.weight", "(300, 64)", 2**24]),
        ({"llama.attention.head_count": 2**24, "llama.attention.head_count_kv": 2**24}, ["q_proj", 24 * 2**24]),
        ({"llama.rope.freq_base": float("nan")}, ["rope.freq_base", "nan"]),
        ({"tokenizer.ggml.model": "t5"}, ["tokenizer.ggml.model", "t5", "gpt2", "llama"]),
        ({"tokenizer.ggml.model": "llama"}, ["tokenizer.ggml.scores"]),
        ({"tokenizer.ggml.model": "llama", "tokenizer.ggml.scores": [0.0] * 5}, [" 5 scores"]),
        ({"tokenizer.ggml.model": "llama", "tokenizer.ggml.scores": ["a"]}, ["tokenizer.ggml.scores"]),
        (LLAMA | {"tokenizer.ggml.add_space_prefix": 2**22}, ["tokenizer.ggml.add_space_prefix"]),
        (LLAMA | {"tokenizer.ggml.add_space_prefix": "yes"}, ["tokenizer.ggml.add_space_prefix"]),
        (LLAMA | {"tokenizer.ggml.add_space_prefix": [1] * 9}, ["tokenizer.ggml.add_space_prefix"]),
        (LLAMA | {"tokenizer.ggml.scores": [float("nan")] * 300}, ["tokenizer.ggml.scores"]),
        (LLAMA | {"tokenizer.ggml.scores": [float("inf")] * 300}, ["tokenizer.ggml.scores"]),
        ({"tokenizer.ggml.eos_token_id": True}, ["tokenizer.ggml.eos_token_id"]),
        ({"tokenizer.ggml.eos_token_id": 2.0}, ["tokenizer.ggml.eos_token_id"]),
        ({"tokenizer.ggml.token_type": 1}, ["tokenizer.ggml.token_type"]),
        ({"llama.block_count": True}, ["num_hidden_layers"]),
        ({"llama.context_length": 2.5}, ["max_position_embeddings"]),
        ({"llama.attention.layer_norm_rms_epsilon": "1e-5"}, ["layer_norm_rms_epsilon"]),
        ({"general.alignment": 1}, ["general.alignment", "multiple of 8"]),
        ({"general.alignment": 4}, ["general.alignment", "multiple of 8"]),
        ({"general.alignment": 12}, ["general.alignment", "multiple of 8"]),
        ({"general.alignment": 0}, ["general.alignment"]),
        ({"general.alignment": True}, ["general.alignment"]),
        ({"general.alignment": 32.0}, ["general.alignment"]),
        ({"general.alignment": "32"}, ["general.alignment"]),
        ({"general.alignment": 2**31}, ["general.alignment"]),
        ({"tokenizer.ggml.pre": "tekken"}, ["tokenizer.ggml.pre", "tekken", "smollm"]),
        ({"tokenizer.ggml.eos_token_id": 300}, ["tokens"]),
        ({"tokenizer.ggml.tokens": [1, 2]}, ["tokenizer.ggml.tokens"]),
        ({"tokenizer.ggml.tokens": ["a", "a"]}, ["tokens"]),
        ({"tokenizer.ggml.merges": ["no such"]}, ["merges"]),
        ({"tokenizer.ggml.merges": ["one"]}, ["merges"]),
    ],
)
def test_a_key_that_asks_for_what_is_not_implemented_or_impossible_is_refused(
    fields, words, theta, tokenizer, tmp_path
):
    path = tmp_path / "model.gguf"
    write(path, theta, CONFIG, tokenizer, fields=fields)
    refusal(lambda: checkpoint.load(path), path, *words)


@pytest.mark.parametrize(
    "key",
    [
        "llama.block_count",
        "llama.attention.layer_norm_rms_epsilon",
        "tokenizer.ggml.model",
        "tokenizer.ggml.pre",
        "tokenizer.ggml.tokens",
        "tokenizer.ggml.token_type",
        "tokenizer.ggml.eos_token_id",
        "token_embd.weight",
        "output_norm.weight",
        "blk.1.ffn_up.weight",
    ],
)
def test_a_file_without_a_key_or_tensor_that_is_needed_is_refused(key, theta, tokenizer, tmp_path):
    path = tmp_path / "model.gguf"
    write(path, theta, CONFIG, tokenizer, drop=[key])
    named = "model.layers.1.mlp.up_proj.weight" if key.startswith("blk") else key.replace("output_norm", "model.norm")
    refusal(lambda: checkpoint.load(path), path, named)


def test_a_tensor_that_a_llama_has_not_is_refused(theta, tokenizer, tmp_path):
    path = tmp_path / "model.gguf"
    write(path, theta, CONFIG, tokenizer, also={"blk.0.attn_q_norm.weight": (np.ones(24, np.float32), None)})
    refusal(lambda: checkpoint.load(path), path, "blk.0.attn_q_norm.weight")


def test_a_type_of_blocks_that_is_not_read_is_refused_by_name(theta, tokenizer, tmp_path):
    path, other = tmp_path / "model.gguf", gguf.GGMLQuantizationType.TQ2_0
    write(
        path,
        theta,
        CONFIG,
        tokenizer,
        drop=["output_norm.weight"],
        also={"output_norm.weight": (gguf.quantize(np.ones((1, 256), np.float32), other), other)},
    )
    refusal(lambda: checkpoint.load(path), path, "output_norm.weight", "TQ2_0", "Q4_K")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_not_finite_is_refused(value, tokenizer, tmp_path):
    theta, path = random_theta(CONFIG), tmp_path / "model.gguf"
    theta.named["model.norm.weight"][7] = value
    write(path, theta, CONFIG, tokenizer)
    refusal(lambda: checkpoint.load(path), path, "model.norm.weight", "NaN")


def test_without_the_package_the_error_says_how_to_install_it(whole, tmp_path, monkeypatch):
    (tmp_path / "model.gguf").write_bytes(whole)
    monkeypatch.setitem(__import__("sys").modules, "gguf", None)
    refusal(lambda: checkpoint.load(tmp_path / "model.gguf"), 'pip install "minisft[gguf]"')


def test_what_fails_while_a_tensor_is_converted_names_the_file(whole, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise ValueError("inside the package")

    (tmp_path / "model.gguf").write_bytes(whole)
    monkeypatch.setattr(gguf, "dequantize", fails)
    refusal(lambda: checkpoint.load(tmp_path / "model.gguf"), tmp_path / "model.gguf", "inside the package")


def test_long_tokens_are_halved_in_time_that_grows_with_their_number():
    def work(size):
        tokens = [f"{i:06d}" + "a" * 500 for i in range(size)]
        sentencepiece.from_scores(tokens, [0.0] * size, [1] * size, True)

    assert growth(work, 30) < 9
