"""A model in a GGUF file is the model it was made from."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from support import small_gguf
from support.commandline import minisft
from support.refusals import refusal
from support.small_gguf import CONFIG, KINDS, TEMPLATE, UNTIED, gguf, logits_of, random_theta, write

from minisft import checkpoint, model
from minisft.config import RopeScaling
from minisft.formats.gguf import read as gguf_files
from minisft.params import Params

tokenizer, theta, whole = small_gguf.fixtures


# What is read


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("config", [CONFIG, UNTIED], ids=["tied", "untied"])
def test_a_gguf_file_is_the_model_whose_safetensors_hold_the_same_numbers(config, kind, theta, tokenizer, tmp_path):
    numbers = write(tmp_path / "model.gguf", theta, config, tokenizer, kind)
    twin = Params(model.shapes(config))
    for name, view in twin.named.items():
        view[...] = numbers[name]
    checkpoint.save(tmp_path / "twin", twin, config, tokenizer)
    loaded, read, its_tokenizer = checkpoint.load(tmp_path / "model.gguf")
    expected, config_of_twin, tokenizer_of_twin = checkpoint.load(tmp_path / "twin")
    assert read == config == config_of_twin
    for name, view in expected.named.items():
        assert_array_equal(loaded.named[name], view, strict=True)
    ids = its_tokenizer.encode("the cat sat in 1984")
    assert ids == tokenizer_of_twin.encode("the cat sat in 1984")
    assert_array_equal(logits_of(loaded, read, ids), logits_of(expected, config, ids))


def test_a_file_of_any_kind_becomes_the_runs_dtype(theta, tokenizer, tmp_path):
    numbers = write(tmp_path / "model.gguf", theta, CONFIG, tokenizer, gguf.GGMLQuantizationType.Q4_1)
    loaded, _, _ = checkpoint.load(tmp_path / "model.gguf", np.float64)
    for name, view in loaded.named.items():
        assert_array_equal(view, numbers[name].astype(np.float64), strict=True)


@pytest.mark.parametrize("piece", [1, 200, 1000])
def test_how_many_rows_are_read_at_a_time_changes_nothing(piece, theta, tokenizer, tmp_path, monkeypatch):
    write(tmp_path / "model.gguf", theta, CONFIG, tokenizer, gguf.GGMLQuantizationType.Q8_0)
    expected, _, _ = checkpoint.load(tmp_path / "model.gguf")
    monkeypatch.setattr(gguf_files, "PIECE", piece)
    assert_array_equal(checkpoint.load(tmp_path / "model.gguf")[0].flat, expected.flat)


def test_neighbours_turn_in_the_file_and_halves_in_theta_so_scores_are_the_same(theta, tokenizer, tmp_path):
    """A second opinion on the order of rows: the scores of the file's own rows, turned as llama.cpp turns them."""
    path = tmp_path / "model.gguf"
    write(path, theta, CONFIG, tokenizer)
    loaded, config, _ = checkpoint.load(path, np.float64)
    stored = {tensor.name: tensor.data.astype(np.float64) for tensor in gguf.GGUFReader(path).tensors}
    D, x = config.head_dim, np.random.default_rng(1).standard_normal((2, config.hidden_size))
    omega = config.rope_base ** (-np.arange(0, D, 2) / D)

    def turned(rows, t, neighbours):
        a = rows @ x[t]
        z = a[::2] + 1j * a[1::2] if neighbours else a[: D // 2] + 1j * a[D // 2 :]
        return z * np.exp(5j * t * omega)

    for j in range(config.num_attention_heads):
        mine, shared = slice(j * D, (j + 1) * D), slice(j // 2 * D, (j // 2 + 1) * D)
        scores = [
            np.vdot(turned(k[shared], 1, neighbours), turned(q[mine], 0, neighbours)).real
            for q, k, neighbours in (
                (stored["blk.1.attn_q.weight"], stored["blk.1.attn_k.weight"], True),
                (*(loaded.named[f"model.layers.1.self_attn.{name}_proj.weight"] for name in "qk"), False),
            )
        ]
        assert_allclose(scores[0], scores[1], rtol=1e-12)


def test_linear_scaling_of_positions_is_read(theta, tokenizer, tmp_path):
    fields = {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 2.0}
    write(tmp_path / "model.gguf", theta, CONFIG, tokenizer, fields=fields)
    assert checkpoint.load(tmp_path / "model.gguf")[1] == replace(CONFIG, rope_scaling=RopeScaling(2.0))


def rounded(table):
    """As llama.cpp's converter computes Llama 3's divisors, everything in float32; by cases and wavelengths."""
    D, theta, factor = table
    waves = np.float32(2 * np.pi) * np.float32(theta) ** (np.arange(0, D, 2, dtype=np.float32) / np.float32(D))
    smooth = (np.float32(8192) / waves - np.float32(1)) / np.float32(3)
    between = 1 / ((1 - smooth) / np.float32(factor) + smooth)
    result = np.where(waves < 8192 / 4, 1, np.where(waves > 8192, factor, between)).astype(np.float32)
    assert 1 in result and factor in result and len(set(result)) > 2  # all three cases are met
    return result


@pytest.mark.parametrize("factor", [8.0, 32.0])
def test_llama_3s_table_of_divisors_is_read_as_its_scaling(factor, theta, tokenizer, tmp_path):
    """As a file has it, to float32: the numbers differ by up to 2e-6, those of a context of 8200 by 5e-4."""
    config = replace(CONFIG, rope_base=500000.0)
    also = {"rope_freqs.weight": (rounded((24, 500000.0, factor)), None)}
    write(tmp_path / "model.gguf", theta, config, tokenizer, also=also)
    loaded, read, _ = checkpoint.load(tmp_path / "model.gguf")
    assert read == replace(config, rope_scaling=RopeScaling(factor, 1.0, 4.0, 8192))
    assert set(loaded.named) == set(model.shapes(config))


def table_like(change):
    table = rounded((24, 500000.0, 8.0))
    return np.array(change(table), np.float32)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table * np.float32(1.001),
        lambda table: np.where(table == table.max(), table, table * 1.01),
        lambda table: table[:-1],
        lambda table: table[:0],
        lambda table: table[::-1],
        lambda table: 1 / table,
        lambda table: 0 * table,
        lambda table: np.where(table == 1, np.nan, table),
        lambda table: np.where(table == 1, np.inf, table),
    ],
    ids=["scaled", "bent", "short", "empty", "reversed", "inverse", "zero", "nan", "infinite"],
)
def test_any_other_table_of_divisors_is_refused(change, theta, tokenizer, tmp_path):
    path = tmp_path / "model.gguf"
    config = replace(CONFIG, rope_base=500000.0)
    write(path, theta, config, tokenizer, also={"rope_freqs.weight": (table_like(change), None)})
    refusal(lambda: checkpoint.load(path), path, "rope_freqs.weight", "Llama 3")


def test_a_table_of_divisors_beside_linear_scaling_is_refused(theta, tokenizer, tmp_path):
    path = tmp_path / "model.gguf"
    fields = {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 2.0}
    also = {"rope_freqs.weight": (rounded((24, 500000.0, 8.0)), None)}
    write(path, theta, replace(CONFIG, rope_base=500000.0), tokenizer, fields=fields, also=also)
    refusal(lambda: checkpoint.load(path), path, "rope_freqs.weight")


def test_a_file_of_a_qwen2_has_biases_and_rows_that_are_not_dealt_out(tokenizer, tmp_path):
    config = replace(CONFIG, qkv_bias=True)
    twin = random_theta(config)
    write(tmp_path / "model.gguf", twin, config, tokenizer)
    loaded, read, _ = checkpoint.load(tmp_path / "model.gguf")
    assert read == config
    assert_array_equal(loaded.flat, twin.flat)


def test_a_llama_with_biases_and_a_qwen2_without_are_refused(tokenizer, theta, tmp_path):
    path, name = tmp_path / "model.gguf", "blk.1.attn_k.bias"
    write(path, theta, CONFIG, tokenizer, also={name: (np.ones(48, np.float32), None)})
    refusal(lambda: checkpoint.load(path), path, "model.layers.1.self_attn.k_proj.bias", "not part of the model")
    config = replace(CONFIG, qkv_bias=True)
    write(path, random_theta(config), config, tokenizer, drop=[name])
    refusal(lambda: checkpoint.load(path), path, "model.layers.1.self_attn.k_proj.bias", "missing")


def test_what_the_file_leaves_out_follows_from_the_rest(theta, tokenizer, tmp_path):
    config = replace(CONFIG, head_dim=16, num_key_value_heads=4, rope_base=10000.0)
    drop = ["llama.attention.head_count_kv", "llama.attention.key_length", "llama.attention.value_length"]
    drop += ["llama.rope.freq_base", "llama.rope.dimension_count", "llama.vocab_size", "llama.expert_count"]
    write(tmp_path / "model.gguf", random_theta(config), config, tokenizer, drop=drop)
    assert checkpoint.load(tmp_path / "model.gguf")[1] == config


def test_what_is_loaded_from_gguf_is_saved_as_a_directory_and_is_the_same_there(theta, tokenizer, tmp_path):
    write(tmp_path / "model.gguf", theta, CONFIG, tokenizer)
    loaded, config, its_tokenizer = checkpoint.load(tmp_path / "model.gguf")
    checkpoint.save(tmp_path / "saved", loaded, config, its_tokenizer)
    again, config_again, tokenizer_again = checkpoint.load(tmp_path / "saved")
    assert_array_equal(again.flat, loaded.flat)
    assert config_again == config
    assert tokenizer_again.template == TEMPLATE
    assert tokenizer_again.encode("in 1984") == its_tokenizer.encode("in 1984")


# Where a model is asked for


def test_a_directory_is_one_whatever_its_name(theta, tokenizer, tmp_path):
    twin = random_theta(CONFIG)
    checkpoint.save(tmp_path / "model.gguf", twin, CONFIG, tokenizer)
    assert_array_equal(checkpoint.load(tmp_path / "model.gguf")[0].flat, twin.flat)


def test_commands_take_the_file_as_a_model(whole, tmp_path, capsys):
    path = tmp_path / "model.gguf"
    path.write_bytes(whole)
    assert minisft("generate", "--model", path, "--prompt", "the", "--max-new-tokens", "3", "--json") == 0
    assert json.loads(capsys.readouterr().out)["prompt"] == [{"role": "user", "content": "the"}]


def test_a_run_starts_from_the_file_and_never_writes_where_it_is(whole, tmp_path, capsys):
    path = tmp_path / "models" / "model.gguf"
    path.parent.mkdir()
    path.write_bytes(whole)
    (tmp_path / "data.jsonl").write_text('{"prompt": "the cat", "completion": " sat"}\n')
    line = ["sft", "--model", path, "--data", tmp_path / "data.jsonl", "--max-steps", "2", "--output-dir"]
    assert minisft(*line, path.parent) == 2
    assert "holds the model that is read" in capsys.readouterr().err
    assert path.read_bytes() == whole and list(path.parent.iterdir()) == [path]
    assert minisft(*line, tmp_path / "run") == 0
    assert checkpoint.load(tmp_path / "run")[1] == replace(CONFIG, num_hidden_layers=1)
