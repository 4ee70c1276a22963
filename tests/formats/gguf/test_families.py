"""Files of Qwen3, OLMo-2 and Gemma 3: their names, their rows as in θ, their gains as they act."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from support import small_gguf
from support.refusals import refusal
from support.small_gguf import CONFIG, FAMILIES, gguf, logits_of, random_theta, write

from minisft import checkpoint
from minisft.config import RopeScaling
from minisft.formats.gguf import write as gguf_export

tokenizer = small_gguf.tokenizer
GEMMA = replace(CONFIG, **FAMILIES["gemma3"])
each_family = pytest.mark.parametrize("family", ["qwen3", "olmo2", "gemma3"])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.gguf"


@each_family
def test_a_file_of_a_family_is_read_with_all_its_norms_and_nothing_is_dealt_out(family, tokenizer, path):
    config = replace(CONFIG, **FAMILIES[family])
    theta = random_theta(config)
    write(path, theta, config, tokenizer)
    loaded, read, _ = checkpoint.load(path)
    assert read == config
    assert_array_equal(loaded.flat, theta.flat)  # a Gemma's gains too: such a file has 1 + w


@each_family
@pytest.mark.parametrize("tied", [True, False])
def test_what_is_written_is_read_bit_for_bit_under_the_names_of_llama_cpp(family, tied, tokenizer, path):
    config = replace(CONFIG, tie_word_embeddings=tied, **FAMILIES[family])
    theta = random_theta(config)
    gguf_export.write(path, theta, config, tokenizer)
    loaded, read, _ = checkpoint.load(path)
    assert read == config
    assert_array_equal(loaded.flat, theta.flat)
    assert_array_equal(logits_of(loaded, read, [3, 4, 5, 6, 7, 8, 9]), logits_of(theta, config, [3, 4, 5, 6, 7, 8, 9]))
    reader = gguf.GGUFReader(path)
    architecture = gguf.MODEL_ARCH[family.upper()]
    known = {gguf.TENSOR_NAMES[tensor] for tensor in gguf.MODEL_TENSORS[architecture]}
    found = {tensor.name.removesuffix(".weight").replace("blk.0", "blk.{bid}") for tensor in reader.tensors}
    assert {name for name in found if "blk.1" not in name} == known - {"rope_freqs", "output"} | (
        set() if tied else {"output"}
    )
    assert reader.fields["general.architecture"].contents() == family


def test_every_sixth_block_of_a_gemma_sees_all_and_its_local_base_may_be_said(tokenizer, path):
    config = replace(CONFIG, num_hidden_layers=7, **{k: v for k, v in FAMILIES["gemma3"].items() if k != "layer_types"})
    write(path, random_theta(config), config, tokenizer, fields={"llama.rope.freq_base_swa": 500.0})
    kinds = ["sliding_attention"] * 5 + ["full_attention", "sliding_attention"]
    read = checkpoint.load(path)[1]
    assert read == replace(config, layer_types=kinds, rope_local_base=500.0)


@pytest.mark.parametrize(
    "changes",
    [{"layer_types": ("full_attention",) * 2}, {"rope_local_base": 500.0}, {"query_pre_attn_scalar": 25}],
)
def test_a_gemma_that_the_format_cannot_describe_is_refused_by_name(changes, tokenizer, path):
    config = replace(GEMMA, **changes)
    refusal(lambda: gguf_export.write(path, random_theta(config), config, tokenizer), path, *changes)
    assert not path.exists()


def test_a_gemma_whose_scores_are_divided_by_the_root_of_its_head_size_is_written(tokenizer, path):
    config = replace(GEMMA, query_pre_attn_scalar=GEMMA.head_dim, rope_scaling=RopeScaling(2.0))
    gguf_export.write(path, random_theta(config), config, tokenizer)
    assert checkpoint.load(path)[1] == replace(config, query_pre_attn_scalar=0)


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"llama.attention.sliding_window": 0}, ["sliding_window"]),
        ({"llama.attention.sliding_window_pattern": 3}, ["sliding_window_pattern", "3"]),
        ({"llama.final_logit_softcapping": 30.0}, ["final_logit_softcapping", "30"]),
        ({"llama.block_count": 62}, ["block_count", "62"]),
        ({"llama.embedding_length": 0}, ["hidden_size"]),
    ],
)
def test_a_gemma_that_asks_for_what_is_not_implemented_is_refused(fields, words, tokenizer, path):
    write(path, random_theta(GEMMA), GEMMA, tokenizer, fields=fields)
    refusal(lambda: checkpoint.load(path), path, *words)


def test_a_gemma_without_its_window_is_refused(tokenizer, path):
    write(path, random_theta(GEMMA), GEMMA, tokenizer, drop=["llama.attention.sliding_window"])
    refusal(lambda: checkpoint.load(path), path, "gemma3.attention.sliding_window", "missing")


def test_a_norm_that_is_missing_is_refused(tokenizer, path):
    config = replace(CONFIG, **FAMILIES["olmo2"])
    write(path, random_theta(config), config, tokenizer, drop=["blk.1.post_ffw_norm.weight"])
    refusal(lambda: checkpoint.load(path), path, "model.layers.1.post_feedforward_layernorm.weight", "missing")


def test_float16_of_a_gemmas_matrices_changes_no_gain(tokenizer, path):
    numbers = write(path, random_theta(GEMMA), GEMMA, tokenizer, gguf.GGMLQuantizationType.F16)
    for name, view in checkpoint.load(path)[0].named.items():
        np.testing.assert_array_equal(view, numbers[name])
