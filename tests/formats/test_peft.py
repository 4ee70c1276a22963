"""An adapter's directory in PEFT's layout: what is written, and what is read."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import load_file, save_file
from support import adapter_directory, model_directory
from support.adapter_directory import FIRST, PREFIX, edit, edit_matrices, on

from minisft import adapter, checkpoint

tokenizer = model_directory.tokenizer
base, directory = adapter_directory.base, adapter_directory.directory

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
