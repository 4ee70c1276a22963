"""Models that are a Llama under another name: a Mistral whose window hides nothing, and a Qwen2 with its biases."""

import json
from dataclasses import replace

import pytest
from numpy.testing import assert_array_equal
from support import model_directory
from support.model_directory import CONFIG, edit_config, edit_tensors, random_theta
from support.refusals import refusal

from minisft import checkpoint
from minisft.formats import huggingface

tokenizer, theta, directory = model_directory.fixtures


# A Mistral


def call_it_mistral(directory, **changes):
    edit_config(directory, model_type="mistral", architectures=["MistralForCausalLM"], **changes)


@pytest.mark.parametrize("window", [None, 64, 4096])
def test_a_mistral_whose_window_holds_the_context_is_a_llama_and_saved_as_one(directory, theta, window, tmp_path):
    call_it_mistral(directory, sliding_window=window)
    loaded, config, tokenizer = checkpoint.load(directory)
    assert config == CONFIG
    assert_array_equal(loaded.flat, theta.flat)
    checkpoint.save(tmp_path / "again", loaded, config, tokenizer)
    assert json.loads((tmp_path / "again" / "config.json").read_text())["model_type"] == "llama"


@pytest.mark.parametrize("window", [63, 0, "64", 64.5, True, [64]])
def test_a_mistral_whose_window_hides_something_is_refused(directory, window):
    call_it_mistral(directory, sliding_window=window)
    refusal(lambda: checkpoint.load(directory), directory / "config.json", "sliding_window", json.dumps(window), 64)


def test_a_mistral_that_leaves_out_its_window_has_one_of_4096_as_in_transformers(directory):
    call_it_mistral(directory, max_position_embeddings=4096)
    assert huggingface.read_config(directory).max_position_embeddings == 4096
    call_it_mistral(directory, max_position_embeddings=4097)
    refusal(lambda: huggingface.read_config(directory), "sliding_window", 4096, 4097)


def test_a_mistral_that_leaves_out_its_context_has_the_one_transformers_gives_it(directory):
    call_it_mistral(directory, sliding_window=None)
    edit_config(directory, drop=["max_position_embeddings"])
    assert huggingface.read_config(directory).max_position_embeddings == 131072


# A Qwen2


BIASED = replace(CONFIG, qkv_bias=True)


@pytest.fixture
def qwen2(tokenizer, tmp_path):
    checkpoint.save(tmp_path, random_theta(BIASED), BIASED, tokenizer)
    return tmp_path


def test_a_model_with_biases_is_saved_as_a_qwen2_and_loads_bit_for_bit(qwen2):
    theta, config, _ = checkpoint.load(qwen2)
    assert config == BIASED
    assert_array_equal(theta.flat, random_theta(BIASED).flat)
    written = json.loads((qwen2 / "config.json").read_text())
    assert written["architectures"] == ["Qwen2ForCausalLM"]
    assert (written["model_type"], written["use_sliding_window"]) == ("qwen2", False)
    assert not {"qkv_bias", "attention_bias", "mlp_bias"} & set(written)


@pytest.mark.parametrize("changes", [{"use_sliding_window": True}, {"attention_bias": True}, {"mlp_bias": True}])
def test_a_qwen2_with_a_window_or_further_biases_is_refused(qwen2, changes):
    edit_config(qwen2, **changes)
    refusal(lambda: checkpoint.load(qwen2), qwen2 / "config.json", *changes, "true", "not implemented")


def test_the_window_that_a_qwen2_does_not_use_is_no_matter(qwen2):
    edit_config(qwen2, sliding_window=16, max_window_layers=1)
    assert checkpoint.load(qwen2)[1] == BIASED


def test_a_qwen2_that_leaves_out_its_context_has_the_one_transformers_gives_it(qwen2):
    edit_config(qwen2, drop=["max_position_embeddings"])
    assert huggingface.read_config(qwen2).max_position_embeddings == 32768


def test_a_qwen2_without_its_biases_and_a_llama_with_some_are_refused(qwen2):
    name = "model.layers.1.self_attn.k_proj.bias"
    edit_tensors(qwen2, drop=[name])
    refusal(lambda: checkpoint.load(qwen2), qwen2 / "model.safetensors", name, "missing")
    edit_config(qwen2, model_type="llama", architectures=["LlamaForCausalLM"])
    refusal(lambda: checkpoint.load(qwen2), qwen2 / "model.safetensors", "k_proj.bias", "not part of the model")
