"""What is read from config.json, whoever wrote it, and what is refused by the name of its field."""

import json

import pytest
from numpy.testing import assert_array_equal
from support import model_directory
from support.model_directory import edit_config
from support.refusals import refusal

from minisft import checkpoint
from minisft.config import ModelConfig, RopeScaling
from minisft.formats import huggingface

tokenizer, theta, directory = model_directory.fixtures


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


# Refusals


@pytest.mark.parametrize(
    "field, value",
    [
        ("model_type", "smollm3"),
        ("model_type", "gemma3"),
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
