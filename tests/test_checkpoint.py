"""What is written to a model directory and read again, and which directories are refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from safetensors import safe_open
from safetensors.numpy import load_file
from support import model_directory
from support.model_directory import CONFIG, UNTIED, edit_config, random_theta, shard
from support.refusals import refusal

from minisft import checkpoint, model
from minisft.errors import MinisftError

tokenizer, theta, directory = model_directory.fixtures


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
    (directory / "generation_config.json").unlink()  # the end tokens that it lists are kept
    checkpoint.save(tmp_path / "again", *checkpoint.load(directory))
    assert json.loads((tmp_path / "again" / "generation_config.json").read_text())["eos_token_id"] == [2]


def test_generation_of_a_model_that_cannot_chat_stops_at_the_end_of_a_text(directory, tmp_path):
    path = directory / "tokenizer.json"
    path.write_text(path.read_text().replace("<|im_end|>", "<|another|>"))
    (directory / "generation_config.json").unlink()
    checkpoint.save(tmp_path / "again", *checkpoint.load(directory))
    assert json.loads((tmp_path / "again" / "generation_config.json").read_text())["eos_token_id"] == [0]


def test_the_tokenizers_file_tells_the_context(directory):
    assert json.loads((directory / "tokenizer_config.json").read_text())["model_max_length"] == 64


def test_everyone_who_may_read_the_config_may_read_the_weights(directory):
    modes = {path.name: path.stat().st_mode for path in directory.iterdir()}
    assert modes["model.safetensors"] == modes["config.json"]


def test_saving_over_a_sharded_model_is_not_undone_by_its_old_index(directory, theta, tokenizer):
    shard(directory)
    theta.flat[:] = 3
    checkpoint.save(directory, theta, CONFIG, tokenizer)
    assert (checkpoint.load(directory)[0].flat == 3).all()


# Refusals


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
