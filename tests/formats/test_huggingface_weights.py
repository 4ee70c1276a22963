"""What is read from safetensors files, whoever wrote them, and what is refused by the name of its tensor or file."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from safetensors.numpy import load_file, save_file
from support import model_directory
from support.model_directory import EMBEDDING, NORM, edit_config, edit_tensors, shard
from support.refusals import refusal

from minisft import checkpoint
from minisft.formats import huggingface

tokenizer, theta, directory = model_directory.fixtures


def save_as_bfloat16(tensors, path):
    """By the definition of the format; exact for tensors whose float32 has nothing in its lower 16 bits."""
    header, data = {}, b""
    for name, tensor in tensors.items():
        upper = (tensor.astype(np.float32).view(np.uint32) >> 16).astype("<u2").tobytes()
        header[name] = {"dtype": "BF16", "shape": tensor.shape, "data_offsets": [len(data), len(data) + len(upper)]}
        data += upper
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


# What is read


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


def test_old_rotary_tables_are_ignored(directory, theta):
    edit_tensors(directory, model__layers__0__self_attn__rotary_emb__inv_freq=np.ones(3, np.float32))
    assert_array_equal(checkpoint.load(directory)[0].flat, theta.flat)


def test_a_tied_head_saved_twice_is_read_once(directory, theta):
    edit_tensors(directory, lm_head__weight=theta.named[EMBEDDING].copy())
    loaded, _, _ = checkpoint.load(directory)
    assert_array_equal(loaded.flat, theta.flat)
    assert "lm_head.weight" not in loaded.named


# Refusals


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


class Panic(BaseException):
    """As a panic of code in Rust arrives in Python."""


def test_a_panic_of_the_package_names_the_file(directory, monkeypatch):
    def panics(*_, **__):
        raise Panic("index out of bounds")

    monkeypatch.setattr(huggingface, "safe_open", panics)
    refusal(lambda: checkpoint.load(directory), directory / "model.safetensors", "index out of bounds")
