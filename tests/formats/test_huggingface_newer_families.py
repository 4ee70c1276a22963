"""Qwen3, OLMo-2 and Gemma 3 in the Hugging Face layout: what their makers write is read, and written as they do."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import load_file
from support import model_directory
from support.model_directory import CONFIG, edit_config, edit_tensors, random_theta
from support.refusals import refusal

from minisft import checkpoint, model
from minisft.config import RopeScaling
from minisft.formats import huggingface

tokenizer = model_directory.tokenizer
HAS = {
    "qwen3": {"qk_norm": "head"},
    "olmo2": {"qk_norm": "all", "norms": "after"},
    "gemma3_text": {
        "qk_norm": "head",
        "norms": "both",
        "hidden_act": "gelu_pytorch_tanh",
        "embedding_scale": 10**0.5,
        "layer_types": ("sliding_attention", "full_attention"),
        "sliding_window": 7,
        "query_pre_attn_scalar": 5,
        "rope_local_base": 100.0,
    },
}
each_family = pytest.mark.parametrize("family", HAS)
FULL, NEAR = "full_attention", "sliding_attention"


@pytest.fixture
def save(tokenizer, tmp_path):
    def save(family, **changes):
        config = replace(CONFIG, **HAS[family] | changes)
        checkpoint.save(tmp_path, random_theta(config), config, tokenizer)
        return tmp_path, config

    return save


@each_family
def test_what_is_saved_loads_bit_for_bit(family, save):
    directory, config = save(family)
    theta, read, _ = checkpoint.load(directory)
    assert read == config
    assert_array_equal(theta.flat, random_theta(config).flat)
    assert json.loads((directory / "config.json").read_text())["model_type"] == family


def test_a_gain_of_a_gemma_is_1_more_than_its_file_says_and_no_other_tensor_is(save):
    directory, config = save("gemma3_text")
    theta, _, _ = checkpoint.load(directory)
    for name, stored in load_file(directory / "model.safetensors").items():
        assert_array_equal(theta.named[name], stored + (1 if stored.ndim == 1 else 0))
    fresh = model.init(config, np.random.default_rng(0))
    checkpoint.save(directory, fresh, config, checkpoint.load(directory)[2])
    assert not load_file(directory / "model.safetensors")["model.layers.1.self_attn.q_norm.weight"].any()


@each_family
def test_names_and_shapes_of_the_norms_are_those_of_the_family(family, save):
    directory, _ = save(family)
    found = {
        name.removeprefix("model.layers.1."): tensor.shape
        for name, tensor in load_file(directory / "model.safetensors").items()
        if "layers.1." in name and "norm" in name
    }
    heads = (
        {"self_attn.q_norm.weight": (24,), "self_attn.k_norm.weight": (12,)}
        if family == "olmo2"
        else {f"self_attn.{name}_norm.weight": (6,) for name in "qk"}
    )
    places = {"qwen3": ["input", "post_attention"], "olmo2": ["post_attention", "post_feedforward"]}.get(
        family, ["input", "post_attention", "pre_feedforward", "post_feedforward"]
    )
    assert found == heads | {f"{place}_layernorm.weight": (10,) for place in places}


def test_the_config_of_a_gemma_is_written_as_transformers_does(save):
    directory, _ = save("gemma3_text", rope_scaling=RopeScaling(8.0))
    written = json.loads((directory / "config.json").read_text())
    assert written["architectures"] == ["Gemma3ForCausalLM"]
    assert written["rope_parameters"] == {
        FULL: {"rope_type": "linear", "rope_theta": 5000.0, "factor": 8.0},
        NEAR: {"rope_type": "default", "rope_theta": 100.0},
    }
    assert (written["hidden_activation"], written["query_pre_attn_scalar"]) == ("gelu_pytorch_tanh", 5)
    assert (written["sliding_window"], written["layer_types"]) == (7, [NEAR, FULL])
    assert not {"hidden_act", "norms", "qk_norm", "embedding_scale", "rope_local_base", "mlp_bias"} & set(written)


def read(tmp_path, **fields):
    (tmp_path / "config.json").write_text(json.dumps(fields))
    return huggingface.read_config(tmp_path)


SIZES = {
    "vocab_size": 262,
    "hidden_size": 16,
    "intermediate_size": 14,
    "num_hidden_layers": 7,
    "num_attention_heads": 4,
}
GEMMA = SIZES | {"model_type": "gemma3_text", "architectures": ["Gemma3ForCausalLM"], "head_dim": 6}
GEMMA |= {"query_pre_attn_scalar": 6, "num_key_value_heads": 1}


@pytest.mark.parametrize(
    "fields",
    [
        {"rope_theta": 7e4, "rope_local_base_freq": 300, "rope_scaling": None},
        {"rope_parameters": {FULL: {"rope_type": "default", "rope_theta": 7e4}, NEAR: {"rope_theta": 300}}},
        {"rope_parameters": {FULL: None, NEAR: {"rope_theta": 300}}, "rope_theta": 7e4},
        {"rope_parameters": {FULL: {"rope_theta": 7e4}}, "rope_theta": 1.0, "rope_local_base_freq": 300},
    ],
)
def test_both_bases_of_a_gemma_are_read_wherever_they_stand(fields, tmp_path):
    config = read(tmp_path, **GEMMA, **fields)
    assert (config.rope_base, config.rope_local_base, config.rope_scaling) == (7e4, 300, None)


def test_scaling_is_for_the_blocks_of_a_gemma_that_see_everything(tmp_path):
    scaling = {"rope_type": "linear", "factor": 8.0}
    for fields in ({"rope_scaling": scaling}, {"rope_parameters": {FULL: scaling}}):
        config = read(tmp_path, **GEMMA, **fields)
        assert config.reaches[FULL].rope_scaling == RopeScaling(8.0)
        assert config.reaches[NEAR].rope_scaling is None
        assert (config.rope_base, config.rope_local_base) == (1e6, 1e4)  # left out


@pytest.mark.parametrize(
    "fields, kinds",
    [
        ({}, [NEAR] * 5 + [FULL, NEAR]),
        ({"sliding_window_pattern": 3}, [NEAR, NEAR, FULL] * 2 + [NEAR]),
        ({"sliding_window_pattern": 1}, [FULL] * 7),
        ({"layer_types": [FULL] + [NEAR] * 6, "_sliding_window_pattern": 6}, [FULL] + [NEAR] * 6),
    ],
)
def test_which_blocks_of_a_gemma_slide_is_said_one_by_one_or_by_a_pattern(fields, kinds, tmp_path):
    assert list(read(tmp_path, **GEMMA, **fields).kinds) == kinds


def test_fields_left_out_have_the_values_transformers_gives_each_family(tmp_path):
    qwen3 = read(tmp_path, **SIZES | {"num_attention_heads": 64}, model_type="qwen3")
    assert qwen3.num_key_value_heads == 32
    assert (qwen3.head_dim, qwen3.max_position_embeddings, qwen3.rms_norm_eps) == (128, 32768, 1e-6)
    refusal(
        lambda: read(tmp_path, **SIZES | {"num_attention_heads": 48}, model_type="qwen3"), "num_key_value_heads", 32
    )
    olmo2 = read(tmp_path, **SIZES, model_type="olmo2")
    assert (olmo2.head_dim, olmo2.num_key_value_heads) == (4, 4)
    assert (olmo2.max_position_embeddings, olmo2.rms_norm_eps, olmo2.tie_word_embeddings) == (2048, 1e-5, False)
    gemma = read(tmp_path, **SIZES, model_type="gemma3_text")
    assert (gemma.head_dim, gemma.num_key_value_heads, gemma.query_pre_attn_scalar) == (256, 4, 256)
    assert (gemma.max_position_embeddings, gemma.sliding_window, gemma.tie_word_embeddings) == (131072, 4096, True)
    assert_allclose(gemma.embedding_scale, 4)


@pytest.mark.parametrize(
    "family, field, value",
    [
        ("qwen3", "attention_bias", True),
        ("qwen3", "use_sliding_window", True),
        ("qwen3", "layer_types", [FULL, NEAR]),
        ("qwen3", "hidden_act", "gelu_pytorch_tanh"),
        ("olmo2", "attention_bias", True),
        ("olmo2", "clip_qkv", 8.0),
        ("olmo2", "architectures", ["OlmoForCausalLM"]),
        ("gemma3_text", "hidden_activation", "silu"),
        ("gemma3_text", "attn_logit_softcapping", 50.0),
        ("gemma3_text", "final_logit_softcapping", 30.0),
        ("gemma3_text", "use_bidirectional_attention", True),
        ("gemma3_text", "rope_parameters", {"rope_theta": 7e4}),
        ("gemma3_text", "rope_parameters", {NEAR: {"rope_type": "linear", "factor": 2.0}}),
        ("gemma3_text", "rope_parameters", "default"),
        ("gemma3_text", "rope_scaling", {"rope_type": "yarn", "factor": 2.0}),
        ("gemma3_text", "rope_scaling", [1]),
        ("gemma3_text", "layer_types", [NEAR]),
        ("gemma3_text", "layer_types", [NEAR, "chunked_attention"]),
        ("gemma3_text", "sliding_window", None),
        ("gemma3_text", "query_pre_attn_scalar", -6),
        ("gemma3_text", "hidden_size", "10"),
        ("gemma3_text", "hidden_size", -4),
        ("gemma3_text", "num_hidden_layers", 10**9),
        ("gemma3_text", "head_dim", 5),
    ],
)
def test_a_config_that_asks_for_what_is_not_implemented_or_impossible_is_refused(family, field, value, save):
    directory, _ = save(family)
    edit_config(directory, **{field: value})
    refusal(lambda: checkpoint.load(directory), directory / "config.json", field)


def test_a_pattern_that_is_no_number_is_refused(save):
    directory, _ = save("gemma3_text")
    for pattern in (0, "6", None, True):
        edit_config(directory, drop=["layer_types"], sliding_window_pattern=pattern)
        refusal(lambda: checkpoint.load(directory), "sliding_window_pattern")


def test_a_model_without_its_norms_or_with_those_of_another_family_is_refused(save):
    directory, _ = save("qwen3")
    edit_tensors(directory, drop=["model.layers.1.self_attn.k_norm.weight"])
    refusal(lambda: checkpoint.load(directory), "k_norm", "missing")
    directory, _ = save("qwen3")
    edit_config(directory, model_type="llama", architectures=["LlamaForCausalLM"])
    refusal(lambda: checkpoint.load(directory), "k_norm.weight", "not part of the model")
