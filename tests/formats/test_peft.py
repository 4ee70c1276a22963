"""An adapter's directory in PEFT's layout: what is written, what is read, and what is refused by its name."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import load_file, save_file
from support import model_directory
from support.model_directory import CONFIG, edit_config, random_theta
from support.refusals import refusal

from minisft import adapter, checkpoint
from minisft.config import TrainConfig
from minisft.formats import peft

tokenizer = model_directory.tokenizer
PREFIX = "base_model.model."
SOME = ("q_proj", "model.layers.1.mlp.down_proj")
FIRST = "model.layers.0.self_attn.q_proj"

# What PEFT 0.21 writes for plain LoRA, field by field.
BY_PEFT = {
    "alora_invocation_tokens": None,
    "alpha_pattern": {},
    "arrow_config": None,
    "auto_mapping": None,
    "base_model_name_or_path": None,
    "bias": "none",
    "corda_config": None,
    "ensure_weight_tying": False,
    "eva_config": None,
    "exclude_modules": None,
    "fan_in_fan_out": False,
    "inference_mode": True,
    "init_lora_weights": True,
    "kasa_config": None,
    "layer_replication": None,
    "layers_pattern": None,
    "layers_to_transform": None,
    "loftq_config": {},
    "lora_alpha": 4,
    "lora_bias": False,
    "lora_dropout": 0.0,
    "lora_ga_config": None,
    "megatron_config": None,
    "megatron_core": "megatron.core",
    "modules_to_save": None,
    "monteclora_config": None,
    "peft_type": "LORA",
    "peft_version": "0.21.2",
    "qalora_group_size": 16,
    "r": 2,
    "rank_pattern": {},
    "revision": None,
    "target_modules": ["v_proj", "q_proj"],
    "target_parameters": None,
    "task_type": "CAUSAL_LM",
    "trainable_token_indices": None,
    "use_bdlora": None,
    "use_dora": False,
    "use_qalora": False,
    "use_rslora": False,
    "velora_config": None,
}


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


# --- written and read -------------------------------------------------------------------------------------------------


def test_the_directory_has_the_adapter_and_the_tokenizer_and_no_tensor_of_the_model(directory):
    names = {path.name for path in directory.iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "tokenizer_config.json"} | {
        "chat_template.jinja",
        "generation_config.json",
    }
    matrices = load_file(directory / "adapter_model.safetensors")
    assert len(matrices) == 2 * 3 and all(name.startswith(PREFIX + "model.layers.") for name in matrices)
    assert matrices[f"{PREFIX}{FIRST}.lora_A.weight"].shape == (3, 10)
    assert matrices[f"{PREFIX}{FIRST}.lora_B.weight"].shape == (24, 3)


def test_the_configuration_names_base_rank_alpha_and_every_module_in_full(directory, base):
    config = json.loads((directory / "adapter_config.json").read_text())
    assert set(config) <= set(BY_PEFT)
    modules = [FIRST, FIRST.replace("0", "1"), "model.layers.1.mlp.down_proj"]
    expected = {"base_model_name_or_path": str(base), "r": 3, "lora_alpha": 5, "target_modules": modules}
    assert expected.items() <= config.items()
    for field, value in config.items():
        assert field in expected or value == BY_PEFT[field]


def test_unmerged_it_is_what_was_saved_and_merged_it_is_the_sum(directory, base):
    theta_hat, config, _ = checkpoint.load(base)
    saved = on(theta_hat)
    theta, its_config, _ = checkpoint.load_unmerged(directory)
    assert its_config == config and theta.shapes == saved.shapes and theta.numbers == saved.numbers
    assert_array_equal(theta.flat, saved.flat)
    assert_array_equal(theta.frozen.flat, theta_hat.flat)
    whole, its_config, _ = checkpoint.load(directory)
    assert its_config == config and not whole.frozen
    assert_array_equal(whole.flat, adapter.merged(saved).flat)


def test_what_peft_writes_is_read_whether_modules_are_ends_or_whole_names(directory, base):
    theta_hat = checkpoint.load(base)[0]
    lists = [["v_proj", "q_proj"], "all-linear"]
    lists += [[f"model.layers.{i}.self_attn.{x}_proj" for i in (1, 0) for x in "vq"], ["self_attn.v_proj", "q_proj"]]
    for modules in lists:
        theta = on(theta_hat, [modules] if modules == "all-linear" else modules, 2, 4)
        save_file({PREFIX + k: v for k, v in theta.named.items()}, directory / "adapter_model.safetensors")
        config = BY_PEFT | {"target_modules": modules, "base_model_name_or_path": str(base)}
        (directory / "adapter_config.json").write_text(json.dumps(config))
        found = checkpoint.load_adapter(directory, theta_hat)
        assert_array_equal(found.flat, theta.flat)
        assert adapter.rank_and_alpha(found) == (2, 4)
        assert_array_equal(checkpoint.load(directory)[0].flat, adapter.merged(theta).flat)


def test_rank_stabilised_lora_divides_alpha_by_the_root_of_the_rank(directory, base):
    plain, _, _ = checkpoint.load_unmerged(directory, np.float64)
    edit(directory, use_rslora=True)
    stable, _, _ = checkpoint.load_unmerged(directory, np.float64)
    for (_, one), (_, other) in zip(adapter.changes(plain), adapter.changes(stable), strict=True):
        assert_allclose(other, one * 3**0.5, rtol=1e-14)  # (α/√r) / (α/r) = √r


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float64_and_float16_in_the_file_become_the_dtype_asked_for(directory, dtype):
    expected = checkpoint.load_unmerged(directory, dtype)[0].flat
    for kind, off in ((np.float64, 0), (np.float16, 2**-10)):  # half a digit of 11 bits; small numbers have fewer
        edit_matrices(directory, lambda m, kind=kind: m.update({k: v.astype(kind) for k, v in m.items()}))
        found = checkpoint.load_unmerged(directory, dtype)[0]
        assert found.flat.dtype == dtype == found.frozen.flat.dtype
        assert_allclose(found.flat, expected, rtol=off, atol=off * 2**-14)


def test_without_a_tokenizer_of_its_own_an_adapter_has_that_of_its_base(directory, base):
    for path in directory.glob("*token*"):
        path.unlink()
    (directory / "chat_template.jinja").unlink()
    (base / "chat_template.jinja").write_text("of the base{% for m in messages %}{{ m.content }}{% endfor %}")
    assert checkpoint.load(directory)[2].template.startswith("of the base")


def test_its_own_tokenizer_counts_and_has_the_end_tokens_of_the_base_where_it_names_none(directory, base):
    (base / "generation_config.json").write_text('{"eos_token_id": [0, 5]}')
    (directory / "generation_config.json").unlink()
    (directory / "chat_template.jinja").write_text("its own")
    own = checkpoint.load(directory)[2]
    assert own.template == "its own" and 5 in own.stop_ids


def test_fields_of_a_later_version_that_ask_for_nothing_are_no_reason_to_refuse(directory):
    before = checkpoint.load(directory)[0].flat
    edit(directory, something_new=None, another=False, more=[], last={}, none="")
    assert_array_equal(checkpoint.load(directory)[0].flat, before)


# --- refused ----------------------------------------------------------------------------------------------------------

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
