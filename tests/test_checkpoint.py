"""What is read from a model directory, what is written to it, and what is refused."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from support.refusals import refusal

from minisft import checkpoint, model
from minisft.config import ModelConfig, RopeScaling
from minisft.errors import MinisftError
from minisft.formats import files, huggingface
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


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(["the cat"], 262)


def random_theta(config, dtype=np.float32):
    """Eighths between -2 and 2: exact in every floating dtype, BF16 too."""
    theta = Params(model.shapes(config), dtype)
    theta.flat[:] = np.random.default_rng(0).integers(-16, 17, theta.flat.size) / 8
    return theta


@pytest.fixture
def theta():
    return random_theta(CONFIG)


@pytest.fixture
def directory(theta, tokenizer, tmp_path):
    """A saved model, tied, for a test to edit."""
    checkpoint.save(tmp_path, theta, CONFIG, tokenizer)
    return tmp_path


def edit_config(directory, drop=(), **changes):
    path = directory / "config.json"
    value = {key: old for key, old in json.loads(path.read_text()).items() if key not in drop}
    path.write_text(json.dumps(value | changes))


def edit_tensors(directory, drop=(), **changes):
    """Rewrite model.safetensors; keyword names have __ for a dot."""
    path = directory / "model.safetensors"
    tensors = {name: tensor for name, tensor in load_file(path).items() if name not in drop}
    save_file(tensors | {name.replace("__", "."): tensor for name, tensor in changes.items()}, path)


def save_as_bfloat16(tensors, path):
    """By the definition of the format; exact for tensors whose float32 has nothing in its lower 16 bits."""
    header, data = {}, b""
    for name, tensor in tensors.items():
        upper = (tensor.astype(np.float32).view(np.uint32) >> 16).astype("<u2").tobytes()
        header[name] = {"dtype": "BF16", "shape": tensor.shape, "data_offsets": [len(data), len(data) + len(upper)]}
        data += upper
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def shard(directory):
    """Split model.safetensors into two files with an index, as large models come."""
    tensors = load_file(directory / "model.safetensors")
    (directory / "model.safetensors").unlink()
    weight_map = {name: f"model-0000{1 + n % 2}-of-00002.safetensors" for n, name in enumerate(tensors)}
    for file in set(weight_map.values()):
        save_file({name: tensors[name] for name in tensors if weight_map[name] == file}, directory / file)
    (directory / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return weight_map


# Writing, and reading it again


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("config", [CONFIG, UNTIED], ids=["tied", "untied"])
def test_what_is_saved_loads_bit_for_bit(config, dtype, tokenizer, tmp_path):
    theta = model.init(config, np.random.default_rng(0), dtype)
    checkpoint.save(tmp_path, theta, config, tokenizer)
    loaded, loaded_config, loaded_tokenizer = checkpoint.load(tmp_path, dtype)
    assert loaded.flat.dtype == dtype
    assert_array_equal(loaded.flat, theta.flat, strict=True)
    assert loaded_config == config
    assert loaded_tokenizer.source == tokenizer.source


def test_saving_writes_the_six_files_of_the_layout_and_nothing_else(directory):
    assert sorted(path.name for path in directory.iterdir()) == [
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_config_json_is_what_transformers_writes_for_a_llama(directory):
    assert json.loads((directory / "config.json").read_text()) == {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": 262,
        "hidden_size": 10,
        "intermediate_size": 14,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 6,
        "max_position_embeddings": 64,
        "rms_norm_eps": 2e-5,
        "rope_parameters": {"rope_theta": 5000.0, "rope_type": "default"},
        "tie_word_embeddings": True,
        "initializer_range": 0.03,
        "hidden_act": "silu",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        "use_cache": True,
        "dtype": "float32",
        "bos_token_id": None,
        "eos_token_id": 0,
        "pad_token_id": None,
    }


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_file_has_the_dtype_of_theta(dtype, tokenizer, tmp_path):
    checkpoint.save(tmp_path, random_theta(CONFIG, dtype), CONFIG, tokenizer)
    assert {tensor.dtype.name for tensor in load_file(tmp_path / "model.safetensors").values()} == {dtype}
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == dtype


def test_the_weights_file_has_the_names_of_theta_and_the_format_transformers_asks_for(directory, theta):
    with safe_open(directory / "model.safetensors", framework="np") as file:
        assert set(file.keys()) == set(theta.named)
        assert "lm_head.weight" not in theta.named  # tied
        assert file.metadata() == {"format": "pt"}


def test_generation_stops_at_the_end_of_a_turn_and_of_a_text(directory, tokenizer):
    stops = json.loads((directory / "generation_config.json").read_text())["eos_token_id"]
    assert stops == [tokenizer.end_of_turn_id, tokenizer.eos_id] == [2, 0]


def test_generation_stops_at_one_token_where_both_are_the_same(directory, tmp_path):
    path = directory / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token": "<|im_end|>"}))
    checkpoint.save(tmp_path / "again", *checkpoint.load(directory))
    assert json.loads((tmp_path / "again" / "generation_config.json").read_text())["eos_token_id"] == [2]


def test_generation_of_a_model_that_cannot_chat_stops_at_the_end_of_a_text(directory, tmp_path):
    path = directory / "tokenizer.json"
    path.write_text(path.read_text().replace("<|im_end|>", "<|another|>"))
    checkpoint.save(tmp_path / "again", *checkpoint.load(directory))
    assert json.loads((tmp_path / "again" / "generation_config.json").read_text())["eos_token_id"] == [0]


def test_the_tokenizers_file_tells_the_context(directory):
    assert json.loads((directory / "tokenizer_config.json").read_text())["model_max_length"] == 64


def test_everyone_who_may_read_the_config_may_read_the_weights(directory):
    modes = {path.name: path.stat().st_mode for path in directory.iterdir()}
    assert modes["model.safetensors"] == modes["config.json"]


# Reading what others wrote


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("stored", ["float16", "float32", "float64", "bfloat16"])
def test_weights_of_any_floating_dtype_become_the_runs_dtype(directory, theta, stored, dtype):
    path = directory / "model.safetensors"
    if stored == "bfloat16":
        save_as_bfloat16(theta.named, path)
    else:
        save_file(theta.astype(stored).named, path)
    loaded, _, _ = checkpoint.load(directory, dtype)
    assert_array_equal(loaded.flat, theta.flat.astype(dtype), strict=True)


def test_sharded_weights_are_read_by_their_index(directory, theta):
    assert len(set(shard(directory).values())) == 2
    assert_array_equal(checkpoint.load(directory)[0].flat, theta.flat)


def test_a_single_file_goes_before_an_index(directory, theta):
    (directory / "model.safetensors.index.json").write_text("{}")
    assert_array_equal(checkpoint.load(directory)[0].flat, theta.flat)


def test_saving_over_a_sharded_model_is_not_undone_by_its_old_index(directory, theta, tokenizer):
    shard(directory)
    theta.flat[:] = 3
    checkpoint.save(directory, theta, CONFIG, tokenizer)
    assert (checkpoint.load(directory)[0].flat == 3).all()


def test_old_rotary_tables_are_ignored(directory, theta):
    edit_tensors(directory, model__layers__0__self_attn__rotary_emb__inv_freq=np.ones(3, np.float32))
    assert_array_equal(checkpoint.load(directory)[0].flat, theta.flat)


def test_a_tied_head_saved_twice_is_read_once(directory, theta):
    edit_tensors(directory, lm_head__weight=theta.named[EMBEDDING].copy())
    loaded, _, _ = checkpoint.load(directory)
    assert_array_equal(loaded.flat, theta.flat)
    assert "lm_head.weight" not in loaded.named


@pytest.mark.parametrize(
    "changes",
    [
        {"rope_parameters": {"rope_theta": 7e4, "rope_type": "default"}},
        {"rope_parameters": {"rope_theta": 7e4}},
        {"rope_theta": 7e4},
        {"rope_theta": 7e4, "rope_scaling": None},
        {"rope_theta": 7e4, "rope_scaling": {"type": "default"}},
        {"rope_theta": 7e4, "rope_parameters": {"rope_type": "default"}},
        {
            "rope_theta": 1.0,
            "rope_parameters": {"rope_theta": 7e4, "rope_type": "default", "partial_rotary_factor": 1.0},
        },
    ],
)
def test_rope_theta_is_read_at_the_top_or_in_rope_parameters(directory, changes):
    edit_config(directory, drop=["rope_parameters"], **changes)
    assert huggingface.read_config(directory).rope_base == 7e4


LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16}


@pytest.mark.parametrize(
    "changes, scaling",
    [
        ({"rope_theta": 7e4, "rope_scaling": {"rope_type": "llama3"} | LLAMA3}, RopeScaling(**LLAMA3)),
        ({"rope_parameters": {"rope_theta": 7e4, "rope_type": "llama3"} | LLAMA3}, RopeScaling(**LLAMA3)),
        ({"rope_theta": 7e4, "rope_scaling": {"type": "linear", "factor": 2}}, RopeScaling(2)),
    ],
)
def test_rotary_scaling_is_read_under_either_name_and_written_as_transformers_does(directory, changes, scaling):
    edit_config(directory, drop=["rope_parameters"], **changes)
    theta, config, tokenizer = checkpoint.load(directory)
    assert (config.rope_base, config.rope_scaling) == (7e4, scaling)
    checkpoint.save(directory, theta, config, tokenizer)
    [given] = (value for value in changes.values() if isinstance(value, dict))
    written = json.loads((directory / "config.json").read_text())["rope_parameters"]
    kind = {"rope_theta": 7e4, "rope_type": given.get("rope_type", "linear")}
    assert written == {name: value for name, value in given.items() if name != "type"} | kind
    assert huggingface.read_config(directory) == config


@pytest.mark.parametrize("field", LLAMA3)
def test_rotary_scaling_without_one_of_its_numbers_is_refused(field, directory):
    scaling = {"rope_type": "llama3"} | {name: value for name, value in LLAMA3.items() if name != field}
    edit_config(directory, rope_scaling=scaling)
    refusal(lambda: checkpoint.load(directory), directory / "config.json", f"rope_scaling.{field}", "missing")


@pytest.mark.parametrize("field, value", [("factor", 0), ("factor", "8"), ("low_freq_factor", 4.0)])
def test_rotary_scaling_with_an_impossible_number_is_refused(field, value, directory):
    edit_config(directory, rope_scaling={"rope_type": "llama3"} | LLAMA3 | {field: value})
    refusal(lambda: checkpoint.load(directory), directory / "config.json", field)


@pytest.mark.parametrize("changes", [{"dtype": "bfloat16"}, {"torch_dtype": "float16"}, {}])
def test_dtype_under_either_name_or_none_is_no_matter(directory, theta, changes):
    edit_config(directory, drop=["dtype"], **changes)
    assert_array_equal(checkpoint.load(directory)[0].flat, theta.flat, strict=True)


@pytest.mark.parametrize("changes, head_dim", [({}, 3), ({"head_dim": None}, 3), ({"head_dim": 6}, 6)])
def test_head_dim_is_hidden_size_over_heads_where_it_is_not_given(directory, changes, head_dim):
    edit_config(directory, drop=["head_dim"], hidden_size=12, **changes)
    if head_dim % 2:
        refusal(lambda: huggingface.read_config(directory), "config.json", "head_dim", "3")
    else:
        assert huggingface.read_config(directory).head_dim == head_dim


def test_fields_left_out_have_the_values_transformers_gives_a_llama(directory):
    edit_config(
        directory,
        drop=[
            "num_key_value_heads",
            "max_position_embeddings",
            "rms_norm_eps",
            "rope_parameters",
            "tie_word_embeddings",
            "initializer_range",
            "hidden_act",
            "attention_bias",
            "mlp_bias",
            "architectures",
        ],
    )
    assert huggingface.read_config(directory) == ModelConfig(
        vocab_size=262,
        hidden_size=10,
        intermediate_size=14,
        num_hidden_layers=2,
        num_attention_heads=4,
        head_dim=6,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        rms_norm_eps=1e-6,
        rope_base=10000.0,
        tie_word_embeddings=False,
        initializer_range=0.02,
    )


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


# Refusals: config.json


@pytest.mark.parametrize(
    "field, value",
    [
        ("model_type", "qwen3"),
        ("model_type", None),
        ("model_type", ["llama"]),
        ("architectures", ["MistralForCausalLM"]),
        ("architectures", []),
        ("hidden_act", "gelu"),
        ("attention_bias", True),
        ("mlp_bias", True),
        ("rope_scaling", {"type": "dynamic", "factor": 2.0}),
        ("rope_scaling", {"rope_type": ["llama3"], "factor": 8.0}),
        ("rope_parameters", {"rope_type": "yarn", "rope_theta": 1e4}),
        ("rope_parameters", "default"),
        ("partial_rotary_factor", 0.5),
    ],
)
def test_a_config_that_asks_for_what_is_not_implemented_is_refused(directory, field, value):
    edit_config(directory, **{field: value})
    refusal(lambda: checkpoint.load(directory), directory / "config.json", field, json.dumps(value), "not implemented")


@pytest.mark.parametrize(
    "field", ["vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"]
)
def test_a_config_without_a_size_is_refused(directory, field):
    edit_config(directory, drop=[field])
    refusal(lambda: checkpoint.load(directory), directory / "config.json", field, "missing")


@pytest.mark.parametrize(
    "field, value",
    [
        ("vocab_size", 0),
        ("hidden_size", "10"),
        ("num_hidden_layers", 1.5),
        ("rms_norm_eps", None),
        ("tie_word_embeddings", "yes"),
        ("num_key_value_heads", 3),
    ],
)
def test_a_config_with_an_impossible_value_is_refused(directory, field, value):
    edit_config(directory, **{field: value})
    refusal(lambda: checkpoint.load(directory), directory / "config.json", field)


@pytest.mark.parametrize("content", [b"", b'{"model_type": "lla', b"\xff", b"[]", b"null"])
def test_a_broken_config_is_refused(directory, content):
    (directory / "config.json").write_bytes(content)
    refusal(lambda: checkpoint.load(directory), directory / "config.json")


def test_a_missing_directory_is_refused(tmp_path):
    refusal(lambda: checkpoint.load(tmp_path / "nowhere"), tmp_path / "nowhere", "no such directory")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_refused(directory, name):
    (directory / name).unlink()
    refusal(lambda: checkpoint.load(directory), directory / name, "No such file")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors", "chat_template.jinja"])
def test_a_file_that_cannot_be_read_is_refused(directory, name):
    (directory / name).unlink()
    (directory / name).mkdir()
    refusal(lambda: checkpoint.load(directory), directory / name, "cannot be read")


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"num_hidden_layers": 2**23}, ["num_hidden_layers", 2**23]),
        ({"num_hidden_layers": 4096}, ["model.layers.2.input_layernorm.weight", "missing"]),
        ({"hidden_size": 2**24, "vocab_size": 2**24}, ["model.embed_tokens.weight", 2**24]),
        ({"num_attention_heads": 2**24, "num_hidden_layers": 4096}, ["self_attn.o_proj.weight", 6 * 2**24]),
    ],
)
def test_sizes_that_lie_are_refused_before_there_is_memory_for_them(directory, changes, words, monkeypatch):
    monkeypatch.setattr(checkpoint, "Params", lambda *_: pytest.fail("asked for memory"))
    edit_config(directory, **changes)
    refusal(lambda: checkpoint.load(directory), directory, *words)


def test_a_tokenizer_whose_ids_reach_beyond_vocab_size_is_refused(directory, theta, tokenizer):
    edit_config(directory, vocab_size=261)
    refusal(lambda: checkpoint.load(directory), directory, "tokenizer.json", "261", "vocab_size", "config.json")
    refusal(lambda: checkpoint.save(directory, theta, replace(CONFIG, vocab_size=261), tokenizer), "vocab_size")


def test_a_vocabulary_larger_than_the_tokenizer_is_read(tokenizer, tmp_path):
    config = replace(CONFIG, vocab_size=300)
    checkpoint.save(tmp_path, random_theta(config), config, tokenizer)
    assert checkpoint.load(tmp_path)[1] == config


# Refusals: weights


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_weight_that_is_not_finite_is_refused(directory, value):
    edit_tensors(directory, model__norm__weight=np.array([1] * 9 + [value], np.float32))
    refusal(lambda: checkpoint.load(directory), directory / "model.safetensors", NORM, "NaN")


def test_a_weight_beyond_the_range_of_the_runs_dtype_is_refused(directory):
    edit_tensors(directory, model__norm__weight=np.full(10, 1e300))
    assert (checkpoint.load(directory, np.float64)[0].named[NORM] == 1e300).all()
    refusal(lambda: checkpoint.load(directory, np.float32), directory / "model.safetensors", NORM, "float32")


def test_a_missing_tensor_is_refused(directory):
    edit_tensors(directory, drop=[NORM])
    refusal(lambda: checkpoint.load(directory), directory / "model.safetensors", NORM, "missing")


def test_a_head_that_is_missing_where_it_is_not_tied_is_refused(directory):
    edit_config(directory, tie_word_embeddings=False)
    refusal(lambda: checkpoint.load(directory), directory / "model.safetensors", "lm_head.weight", "missing")


def test_an_unknown_tensor_is_refused(directory):
    edit_tensors(directory, model__layers__2__mlp__up_proj__weight=np.ones((14, 10), np.float32))
    refusal(lambda: checkpoint.load(directory), directory / "model.safetensors", "model.layers.2.mlp.up_proj.weight")


@pytest.mark.parametrize("shape", [(10, 262), (261, 10), (2620,), (262, 10, 1)])
def test_a_tensor_of_another_shape_is_refused(directory, shape):
    edit_tensors(directory, model__embed_tokens__weight=np.ones(shape, np.float32))
    refusal(lambda: checkpoint.load(directory), directory / "model.safetensors", EMBEDDING, shape, (262, 10))


@pytest.mark.parametrize("dtype, name", [(np.int8, "I8"), (np.int64, "I64"), (np.uint16, "U16"), (bool, "BOOL")])
def test_a_tensor_that_is_not_of_a_floating_dtype_is_refused(directory, dtype, name):
    edit_tensors(directory, model__norm__weight=np.ones(10, dtype))
    refusal(lambda: checkpoint.load(directory), directory / "model.safetensors", NORM, name)


def test_a_tied_head_that_differs_from_the_embedding_is_refused(directory, theta):
    edit_tensors(directory, lm_head__weight=theta.named[EMBEDDING] + np.float32(0.125))
    refusal(lambda: checkpoint.load(directory), directory / "model.safetensors", "lm_head.weight", EMBEDDING)


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_a_weights_file_that_is_cut_off_is_refused(directory, keep):
    path = directory / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    refusal(lambda: checkpoint.load(directory), path, "cannot be read")


def test_a_weights_file_of_another_kind_is_refused(directory):
    (directory / "model.safetensors").write_bytes(b"PK\x03\x04" * 1000)
    refusal(lambda: checkpoint.load(directory), directory / "model.safetensors", "cannot be read")


def test_a_pickled_model_is_never_opened(directory):
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")
    refusal(lambda: checkpoint.load(directory), directory / "model.safetensors", "the only kind")


def test_a_shard_that_is_missing_is_refused(directory):
    name = next(iter(shard(directory).values()))
    (directory / name).unlink()
    refusal(lambda: checkpoint.load(directory), directory / name, "cannot be read")


@pytest.mark.parametrize(
    "name", ["../model.safetensors", "/tmp/model.safetensors", "a/b.safetensors", "..", "", 7, None, "model-00001.bin"]
)
def test_a_shard_outside_the_directory_is_refused(directory, name):
    weight_map = shard(directory)
    weight_map[NORM] = name
    index = directory / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    refusal(lambda: checkpoint.load(directory), index, json.dumps(name))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"weight_map": {}}', '{"weight_map": [1]}'])
def test_a_broken_index_is_refused(directory, content):
    shard(directory)
    index = directory / "model.safetensors.index.json"
    index.write_text(content)
    refusal(lambda: checkpoint.load(directory), index)


def test_a_tensor_in_two_shards_is_refused(directory):
    names = sorted(set(shard(directory).values()))
    first, second = (load_file(directory / name) for name in names)
    save_file(second | dict(list(first.items())[:1]), directory / names[1])
    refusal(lambda: checkpoint.load(directory), directory / names[1], next(iter(first)), "two files")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(),
    name=st.sampled_from(
        ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]
    ),
)
def test_a_damaged_directory_loads_or_is_refused_in_one_line(directory, data, name):
    path = directory / name
    whole = path.read_bytes()
    place = data.draw(st.integers(0, min(len(whole), 3000) - 1))
    damaged = data.draw(
        st.sampled_from(
            [
                whole[:place],
                whole[:place] + b"\x00" + whole[place + 1 :],
                whole[:place] + b"9" + whole[place + 1 :],
                whole[:place] + whole[place + 1 :],
            ]
        )
    )
    path.write_bytes(damaged)
    try:
        checkpoint.load(directory)
    except MinisftError as error:
        assert "\n" not in str(error)
        assert str(directory) in str(error)
    finally:
        path.write_bytes(whole)


# Writing safely


def test_a_write_that_is_interrupted_leaves_the_previous_file_whole(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"previous")
    with pytest.raises(KeyboardInterrupt), files.replacing(path) as beside:
        beside.write_bytes(b"half of the ne")
        assert path.read_bytes() == b"previous"
        raise KeyboardInterrupt
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("model.safetensors", b"previous")]


def test_what_a_killed_process_left_beside_a_file_does_not_matter(directory, theta, tokenizer):
    (directory / "model.safetensors.partial").write_bytes(b"half of the ne")
    checkpoint.save(directory, theta, CONFIG, tokenizer)
    assert_array_equal(checkpoint.load(directory)[0].flat, theta.flat)
    assert not (directory / "model.safetensors.partial").exists()


def test_every_file_is_renamed_into_its_place(theta, tokenizer, tmp_path, monkeypatch):
    renamed = []
    monkeypatch.setattr(files.os, "replace", lambda beside, path: renamed.append((beside.name, path.name)))
    checkpoint.save(tmp_path, theta, CONFIG, tokenizer)
    assert sorted(renamed) == [
        (f"{name}.partial", name)
        for name in (
            "chat_template.jinja",
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
        )
    ]
    assert renamed[-1][1] == "model.safetensors"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "generation_config.json"])
def test_a_file_that_cannot_be_written_is_refused(theta, tokenizer, tmp_path, name):
    (tmp_path / name).mkdir()
    refusal(lambda: checkpoint.save(tmp_path, theta, CONFIG, tokenizer), tmp_path / name, "cannot be written")


def test_an_output_directory_that_cannot_be_made_is_refused(theta, tokenizer, tmp_path):
    (tmp_path / "file").write_text("in the way")
    refusal(lambda: checkpoint.save(tmp_path / "file" / "out", theta, CONFIG, tokenizer), tmp_path / "file" / "out")


def test_a_full_disk_is_refused_naming_the_file(theta, tokenizer, tmp_path, monkeypatch):
    def no_space(tensors, path, metadata):
        raise checkpoint.SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoint, "save_file", no_space)
    refusal(
        lambda: checkpoint.save(tmp_path, theta, CONFIG, tokenizer), tmp_path / "model.safetensors", "No space left"
    )
