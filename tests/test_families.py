"""Models that are not quite Llamas: norms of heads and after branches, GELU, windows, two rotations, scales."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import random_sequences, random_theta, tiny_config
from numpy.testing import assert_allclose, assert_array_equal
from support.by_hand import log_pi
from support.refusals import refusal

from minisft import evaluate, model
from minisft.config import ModelConfig, RopeScaling
from minisft.formats.families import FAMILIES, family_of
from minisft.formats.huggingface import architecture_fields
from minisft.generate import Past, generate
from minisft.layers import attention, geglu, head_norm
from minisft.params import Params

GEMMA = {
    "qk_norm": "head",
    "norms": "both",
    "hidden_act": "gelu_pytorch_tanh",
    "query_pre_attn_scalar": 5,
    "embedding_scale": 10**0.5,
    "sliding_window": 3,
    "rope_local_base": 50.0,
    "layer_types": ("sliding_attention", "full_attention"),
}
KINDS = {
    "qwen3": replace(tiny_config(), qk_norm="head"),
    "olmo2": replace(tiny_config(tied=False), qk_norm="all", norms="after"),
    "gemma3_text": replace(tiny_config(), **GEMMA, rope_scaling=RopeScaling(2.5)),
    "gemma3_text, the last block slides": replace(
        tiny_config(), **GEMMA | {"layer_types": ("full_attention", "sliding_attention"), "sliding_window": 2}
    ),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
@pytest.mark.parametrize("seed", range(3))
def test_the_whole_model_equals_its_formulas_written_as_loops(kind, seed):
    theta, sequences = random_theta(KINDS[kind], seed), random_sequences(lengths=(9, 2, 5, 9, 12))
    found = evaluate.log_probs(theta, KINDS[kind], sequences)
    for sequence, (value, _) in zip(sequences, found, strict=True):
        by_hand = log_pi(theta, KINDS[kind], sequence.ids[:-1])
        assert_allclose(value, by_hand[np.arange(len(by_hand)), sequence.ids[1:]], rtol=1e-10)


@each_kind
def test_with_remembered_keys_and_values_the_logits_are_those_of_the_whole_text(kind):
    """Pieces of 4, 1, 3, 1 and 2 tokens: a window may begin in an earlier piece, or in this one."""
    config, ids, read = KINDS[kind], np.random.default_rng(1).integers(0, 17, 11), 0
    theta, past = random_theta(config), Past(config, 1, 12, np.float64)
    whole, _ = model.forward(theta, config, ids, np.array([0, 11]), np.arange(11))
    for n in (4, 1, 3, 1, 2):
        logits, _ = model.forward(theta, config, ids[read : read + n], np.array([0, n]), np.arange(n), past)
        assert_allclose(logits, whole[read : read + n], rtol=1e-10, atol=1e-12)
        read += n


@each_kind
def test_greedy_answers_of_prompts_together_are_the_argmax_of_the_whole_text_step_by_step(kind):
    config, prompts = KINDS[kind], [[3, 1, 4, 1, 5], [9], [2, 6, 5]]
    theta = random_theta(config, seed=2)
    for prompt, answer in zip(prompts, generate(theta, config, prompts, 10, ()), strict=True):
        text = [*prompt, *answer.ids]
        logits, _ = model.forward(theta, config, np.array(text), np.array([0, len(text)]), np.arange(len(text)))
        assert_array_equal(answer.ids, logits[len(prompt) - 1 : -1].argmax(-1))


@pytest.mark.parametrize("n, window", [(9, 3), (9, 1), (9, 9), (9, 20), (200, 7), (200, 100)])
def test_a_row_sees_as_many_keys_as_its_window_holds_its_own_included(n, window):
    one = np.array([n])
    seen = np.zeros((n, n), bool)
    for part in attention.parts(np.arange(n), one, one, 1, window):
        mask = np.zeros((part.queries.stop - part.queries.start, part.T)) if part.mask is None else part.mask
        seen[part.queries, : part.T] = mask == 0
    t, i = np.ogrid[:n, :n]
    assert_array_equal(seen, (i <= t) & (i > t - window))


def test_gelu_is_a_times_the_normal_distribution_to_three_digits():
    p = Params({"gate_proj.weight": (1, 1), "up_proj.weight": (1, 1), "down_proj.weight": (1, 1)}, np.float64)
    p.flat[:] = 1
    x = np.array([[-3.0], [-1.0], [0.5], [2.0]])
    phi = np.array([[0.0013499], [0.1586553], [0.6914625], [0.9772499]])  # Φ(x), from a table
    y, _ = geglu.forward(p, x)
    assert_allclose(y, x * phi * x, atol=3e-3)
    with np.errstate(over="raise"):
        assert_allclose(geglu.forward(p, np.array([[1000.0], [-1000.0]]))[0], [[1e6], [0]])


def test_a_gain_of_one_head_norms_heads_and_one_of_all_heads_norms_them_together():
    x = np.array([[3.0, 4.0, 6.0, 8.0]])
    alone, together = [[3, 4, 3, 4]] / np.sqrt(12.5), x / np.sqrt(31.25)
    for size, expected in ((2, alone), (4, together)):
        p = Params({"weight": (size,)}, np.float64)
        p.weight[...] = 1
        assert_allclose(head_norm.forward(p, x, 0.0)[0], expected, rtol=1e-14)


@each_kind
def test_the_family_of_a_model_follows_from_what_it_has(kind):
    assert family_of(KINDS[kind]) == kind.split(",")[0]
    assert family_of(tiny_config()) == "llama"
    assert family_of(replace(tiny_config(), qkv_bias=True)) == "qwen2"


@pytest.mark.parametrize(
    "changes, word",
    [
        ({"qk_norm": "head", "qkv_bias": True}, "qk_norm"),
        ({"qk_norm": "all"}, "qk_norm"),
        ({"norms": "after"}, "norms"),
        ({"embedding_scale": 3.0}, "embedding_scale"),
        ({"layer_types": ("sliding_attention",) * 2}, "layer_types"),
        (GEMMA | {"embedding_scale": 1.0}, "embedding_scale"),
        (GEMMA | {"hidden_act": "silu"}, "hidden_act"),
    ],
)
def test_a_mixture_of_families_computes_but_no_file_can_hold_it(changes, word):
    config = replace(tiny_config(), **changes)
    assert np.isfinite(evaluate.log_probs(random_theta(config), config, random_sequences())[0][0]).all()
    refusal(lambda: architecture_fields(config), "config", word, *FAMILIES)


@pytest.mark.parametrize(
    "changes, word",
    [
        ({"qk_norm": "heads"}, "qk_norm"),
        ({"norms": None}, "norms"),
        ({"hidden_act": "gelu", "norms": "both"}, "hidden_act"),
        ({"hidden_act": "gelu_pytorch_tanh"}, "hidden_act"),
        ({"query_pre_attn_scalar": 3}, "norms"),
        ({"query_pre_attn_scalar": -1, "norms": "both"}, "query_pre_attn_scalar"),
        ({"embedding_scale": 0}, "embedding_scale"),
        ({"sliding_window": 0}, "sliding_window"),
        ({"sliding_window": None}, "sliding_window"),
        ({"layer_types": ("full_attention",)}, "layer_types"),
        ({"layer_types": ("full_attention", "chunked_attention")}, "layer_types"),
        ({"layer_types": "full_attention"}, "layer_types"),
        ({"layer_types": [["full_attention"], {}]}, "layer_types"),
        ({"rope_local_base": -1.0}, "rope_local_base"),
    ],
)
def test_what_makes_no_sense_is_refused_by_the_name_of_its_field(changes, word):
    refusal(lambda: replace(tiny_config(), **changes), word)


def test_a_list_of_layer_types_becomes_a_tuple_so_that_a_config_can_be_compared():
    config = KINDS["gemma3_text"]
    assert replace(config, layer_types=list(config.layer_types)) == config
    assert isinstance(config, ModelConfig) and hash(config)
