"""An adapter's directory in PEFT's layout: what is refused, by its name."""

from dataclasses import replace

import numpy as np
import pytest
from support import adapter_directory, model_directory
from support.adapter_directory import FIRST, PREFIX, edit, edit_matrices, load_error, on
from support.model_directory import CONFIG, edit_config, random_theta
from support.refusals import refusal

from minisft import adapter, checkpoint
from minisft.config import TrainConfig
from minisft.formats import peft

tokenizer = model_directory.tokenizer
base, directory = adapter_directory.base, adapter_directory.directory


OTHER_KINDS = [
    ("peft_type", "LOHA"),
    ("peft_type", None),
    ("peft_type", 3),
    ("task_type", "SEQ_CLS"),
    ("use_dora", True),
    ("bias", "all"),
    ("bias", "lora_only"),
    ("lora_bias", True),
    ("rank_pattern", {"q_proj": 4}),
    ("alpha_pattern", {"q_proj": 4}),
    ("modules_to_save", ["lm_head"]),
    ("fan_in_fan_out", True),
    ("layers_to_transform", [0]),
    ("layers_to_transform", 1),
    ("exclude_modules", ["q_proj"]),
    ("layer_replication", [[0, 1]]),
    ("trainable_token_indices", [1]),
    ("target_parameters", ["x"]),
    ("init_lora_weights", "pissa"),
    ("init_lora_weights", "pissa_niter_16"),
    ("init_lora_weights", "olora"),
    ("init_lora_weights", "loftq"),
    ("use_qalora", True),
    ("alora_invocation_tokens", [3]),
    ("corda_config", {"a": 1}),
    ("something_new", 1),
]


@pytest.mark.parametrize(("field", "value"), OTHER_KINDS)
def test_what_would_be_computed_wrongly_is_refused_by_its_field(directory, field, value):
    edit(directory, **{field: value})
    load_error(directory, "adapter_config.json", f"{field} ", "is not implemented")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("r", value) for value in (0, -1, 2.0, "3", None, True, 2**40, [3])),
        *(("lora_alpha", value) for value in (0, -1, "16", None, True, [])),
        *(
            ("target_modules", value)
            for value in (None, [], "q_proj", ".*", [1], [""], {"q_proj": 1}, ["q_proj", None])
        ),
        *(("lora_dropout", value) for value in ("a", -1, 1, [1])),
        *(("base_model_name_or_path", value) for value in (3, ["a"], "a\nb", "x" * 5000, "a\0b")),
    ],
)
def test_a_field_that_makes_no_sense_is_refused_by_its_name(directory, field, value):
    edit(directory, **{field: value})
    load_error(directory, "adapter_config.json", field)


@pytest.mark.parametrize("field", ["peft_type", "r", "lora_alpha", "target_modules"])
def test_a_field_that_is_missing_is_named(directory, field):
    edit(directory, drop=[field])
    load_error(directory, "adapter_config.json", field)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (None, ("is empty", "minisft merge --model BASE")),
        ("", ("is empty",)),
        ("/nowhere/at/all", ('"/nowhere/at/all" is not a model here', "minisft merge --model BASE")),
        ("owner/name", ('"owner/name" is not a model here',)),
    ],
)
def test_a_base_model_that_is_not_said_or_not_there_is_asked_for(directory, name, words):
    edit(directory, base_model_name_or_path=name)
    load_error(directory, "base_model_name_or_path", *words)


def test_an_adapter_of_an_adapter_and_one_of_itself_are_refused(directory):
    edit(directory, base_model_name_or_path=str(directory))
    load_error(directory, "is an adapter; merge that one first")


def test_a_directory_with_an_adapter_and_a_whole_model_is_refused(directory, base):
    for name in ("model.safetensors", "model.safetensors.index.json"):
        (directory / name).write_bytes(b"")
        load_error(directory, "holds an adapter", name, "move one of them away")
        (directory / name).unlink()


def test_a_target_that_is_no_linear_map_of_a_block_is_refused(directory):
    for name in ("lm_head", "embed_tokens", "c_attn", "model.layers.7.mlp.up_proj"):
        edit(directory, target_modules=["q_proj", name])
        load_error(directory, f'target_modules: "{name}" is not a linear map', "all-linear")


MATRIX = f"{PREFIX}{FIRST}.lora_A.weight"
DAMAGE = {
    "another shape": (lambda m: m.update({MATRIX: np.zeros((3, 11), np.float32)}), ("lora_A", "(3, 11)", "(3, 10)")),
    "turned": (lambda m: m.update({MATRIX: m[MATRIX].T.copy()}), ("lora_A", "(10, 3)")),
    "another rank": (lambda m: m.update({MATRIX: np.zeros((4, 10), np.float32)}), ("lora_A", "(4, 10)")),
    "NaN": (lambda m: m[MATRIX].__setitem__((0, 0), np.nan), ("lora_A", "NaN")),
    "infinity": (lambda m: m[MATRIX].__setitem__((0, 0), -np.inf), ("lora_A", "infinity")),
    "whole numbers": (lambda m: m.update({MATRIX: np.zeros((3, 10), np.int64)}), ("lora_A", "I64")),
    "missing": (lambda m: m.pop(MATRIX), (f"{FIRST}.lora_A.weight is missing", "copy an adapter again")),
    "foreign": (lambda m: m.update({"x": np.zeros(1, np.float32)}), ("tensor x is not part of an adapter",)),
    "a magnitude of DoRA": (
        lambda m: m.update({f"{PREFIX}{FIRST}.lora_magnitude_vector": np.zeros(24, np.float32)}),
        ("lora_magnitude_vector is not part of an adapter",),
    ),
    "a module that is no target": (
        lambda m: m.update({f"{PREFIX}model.layers.0.mlp.up_proj.lora_A.weight": np.zeros((3, 10), np.float32)}),
        ("up_proj.lora_A.weight is not part of",),
    ),
    "a name that acts": (lambda m: m.update({"\x1b[31m": np.zeros(1, np.float32)}), ("\\x1b[31m is not part",)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_matrices_that_do_not_fit_are_named_with_their_file(directory, damage):
    change, words = DAMAGE[damage]
    edit_matrices(directory, change)
    load_error(directory, "adapter_model.safetensors", *words)


def test_an_adapter_of_another_model_is_refused_by_the_first_matrix_that_does_not_fit(directory, tokenizer, tmp_path):
    other = replace(CONFIG, hidden_size=14)
    checkpoint.save(tmp_path / "other", random_theta(other), other, tokenizer)
    edit(directory, base_model_name_or_path=str(tmp_path / "other"))
    load_error(directory, "adapter_model.safetensors", "has shape", "use files that belong together")
    edit_config(tmp_path / "other", model_type="phi3")
    load_error(directory, "other", "model_type")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02}"])
def test_weights_that_are_not_safetensors_or_missing_are_refused_and_never_unpickled(directory, content):
    path = directory / "adapter_model.safetensors"
    path.write_bytes(content)
    load_error(directory, "adapter_model.safetensors", "safetensors")
    path.unlink()
    (directory / "adapter_model.bin").write_bytes(b"\x80\x02}q\x00.")
    load_error(directory, "adapter_model.safetensors")


def test_a_scale_that_makes_the_sum_infinite_is_refused(directory):
    edit(directory, lora_alpha=1e308)
    load_error(directory, "lora_alpha")


def test_an_adapter_that_is_not_finite_is_not_saved(base, tokenizer, tmp_path):
    theta = on(checkpoint.load(base)[0])
    theta.flat[3] = np.nan
    refusal(lambda: checkpoint.save(tmp_path / "new", theta, CONFIG, tokenizer), "theta: ", "lora_A", "NaN")
    assert not (tmp_path / "new").exists()


def test_a_directory_without_an_adapter_is_no_adapter(base, tmp_path):
    assert not peft.is_adapter(base) and not peft.is_adapter(tmp_path) and not peft.is_adapter(tmp_path / "nowhere")
    refusal(lambda: checkpoint.load_adapter(base, checkpoint.load(base)[0]), str(base), "has no adapter_config.json")


def test_a_tokenizer_with_more_ids_than_the_base_model_is_refused(directory, tokenizer, base):
    small = replace(CONFIG, vocab_size=200)
    theta = adapter.start(random_theta(small), TrainConfig(lora_r=2))
    refusal(lambda: checkpoint.save(directory, theta, small, tokenizer), "vocab_size")
