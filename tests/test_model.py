"""The whole model: its gradients, and the wall of invariances."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import random_sequences, random_theta, tiny_config
from numpy.testing import assert_allclose, assert_array_equal
from support.by_hand import log_pi

from minisft import gradcheck, model, objective, train
from minisft.config import REDUCTIONS, ModelConfig
from minisft.data import Sequence, collate

KINDS = {"tied": tiny_config(), "untied": tiny_config(tied=False), "biased": replace(tiny_config(), qkv_bias=True)}
KINDS["qwen3"] = replace(tiny_config(), qk_norm="head")
KINDS["olmo2"] = replace(tiny_config(tied=False), qk_norm="all", norms="after")
KINDS["gemma3"] = replace(
    tiny_config(),
    qk_norm="head",
    norms="both",
    hidden_act="gelu_pytorch_tanh",
    query_pre_attn_scalar=5,
    embedding_scale=10**0.5,
    layer_types=("sliding_attention", "full_attention"),
    sliding_window=3,
    rope_local_base=50.0,
)
each_kind = pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)


def value_and_gradient(theta, config, parts):
    """J over some batches whose weights are slices of one step, and ∇J."""
    grad, J = theta.like(), 0.0
    for part in parts:
        J += train.value_and_grad(theta, grad, config, part, dJ=1.0)[0]
    return J, grad


def assert_same(one, other):
    """Equal values and equal gradients of every tensor, to 1e-12 of its size in float64."""
    assert_allclose(one[0], other[0], rtol=1e-12)
    for name, a in one[1].named.items():
        b = other[1].named[name]
        assert np.linalg.norm(a - b) <= 1e-12 * np.linalg.norm(a), name


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("prompt_loss_weight", [0, 0.3, 1])
@each_kind
def test_the_gradient_of_every_tensor_is_the_derivative_of_the_objective(config, prompt_loss_weight, reduction):
    theta = random_theta(config, seed=1)
    whole = collate(random_sequences(2), prompt_loss_weight, reduction, np.float64)
    _, grad = value_and_gradient(theta, config, [whole])
    assert grad.named.keys() == model.shapes(config).keys()
    off = gradcheck.errors(
        lambda: value_and_gradient(theta, config, [whole])[0],
        [(name, theta.named[name], grad.named[name]) for name in grad.named],
        np.random.default_rng(3),
    )
    assert max(off.values()) <= 1e-6, off


@each_kind
def test_the_gradient_of_every_tensor_is_the_complex_step_to_rounding(config):
    theta = random_theta(config, seed=1)
    whole = collate(random_sequences(2), 0.3, "sum", np.float64)
    rows = np.flatnonzero(whole.weights)
    _, grad = value_and_gradient(theta, config, [whole])
    twin = theta.astype(np.complex128)

    def J():
        logits, _ = model.forward(twin, config, whole.ids, whole.starts, rows)
        return objective.forward(logits, whole.targets[rows], whole.weights[rows])[0]

    pairs = [(name, twin.named[name], grad.named[name]) for name in grad.named]
    off = gradcheck.complex_errors(J, pairs, np.random.default_rng(3))
    assert max(off.values()) <= 1e-12, off


def test_a_tied_matrix_receives_the_gradient_of_both_its_uses(config, theta, ragged):
    untied = tiny_config(tied=False)
    twin = random_theta(untied)
    for name, view in theta.named.items():
        twin.named[name][...] = view
    twin.lm_head.weight[...] = theta.model.embed_tokens.weight
    _, together = value_and_gradient(theta, config, [ragged])
    _, apart = value_and_gradient(twin, untied, [ragged])
    assert np.linalg.norm(apart.lm_head.weight) > 0 and np.linalg.norm(apart.model.embed_tokens.weight) > 0
    assert_allclose(
        together.model.embed_tokens.weight, apart.model.embed_tokens.weight + apart.lm_head.weight, rtol=1e-9
    )


def test_one_batch_equals_micro_batches_of_any_size(config, theta, ragged):
    whole = value_and_gradient(theta, config, [ragged])
    for size in (1, 2, 3, 4):
        parts = list(ragged.split(size))
        assert len(parts) == -(-5 // size)
        assert_same(whole, value_and_gradient(theta, config, parts))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_the_order_of_the_sequences_changes_nothing(config, theta, sequences, reduction):
    one = collate(sequences, 0.3, reduction, np.float64)
    other = collate([sequences[i] for i in (3, 0, 4, 2, 1)], 0.3, reduction, np.float64)
    assert_same(value_and_gradient(theta, config, [one]), value_and_gradient(theta, config, [other]))


def test_the_sum_over_a_batch_is_the_sum_over_its_sequences_one_at_a_time(config, theta, sequences, ragged):
    alone = [collate([sequence], 0.0, "sum", np.float64) for sequence in sequences]
    assert_same(value_and_gradient(theta, config, [ragged]), value_and_gradient(theta, config, alone))


def test_multi_turn_in_one_pass_is_the_sum_of_one_pass_per_turn(config, theta):
    ids = np.random.default_rng(5).integers(0, 17, 12)
    turns = [np.isin(np.arange(12), (3, 4)), np.isin(np.arange(12), (8, 9, 10))]
    one_pass = collate([Sequence(ids, turns[0] | turns[1], "")], 0.0, "sum", np.float64)
    per_turn = [
        collate([Sequence(ids[:end], turn[:end], "")], 0.0, "sum", np.float64) for turn, end in zip(turns, (5, 11))
    ]
    assert_same(value_and_gradient(theta, config, [one_pass]), value_and_gradient(theta, config, per_turn))


def test_weights_of_zero_give_a_gradient_of_zero(config, theta, sequences):
    nothing = collate(
        [Sequence(s.ids, np.zeros(len(s.ids), bool), "") for s in sequences], 0.0, "token_mean", np.float64
    )
    J, grad = value_and_gradient(theta, config, [nothing])
    assert J == 0
    assert_array_equal(grad.flat, 0)


def test_changing_a_target_of_weight_zero_changes_nothing(config, theta, ragged):
    one = value_and_gradient(theta, config, [ragged])
    free = ragged.weights == 0
    assert free.any()
    ragged.targets[free] = (ragged.targets[free] + 1) % 17
    other = value_and_gradient(theta, config, [ragged])
    assert one[0] == other[0]
    assert_array_equal(one[1].flat, other[1].flat)


def test_rows_of_weight_zero_may_be_computed_or_left_out(config, theta, ragged):
    """Leaving them out of the head and the last block is exact, not an approximation."""
    grad = theta.like()
    everything = np.arange(len(ragged.ids))
    logits, c_model = model.forward(theta, config, ragged.ids, ragged.starts, everything)
    J, c_objective = objective.forward(logits, ragged.targets, ragged.weights)
    dlogits = objective.backward(c_objective, 1.0)
    assert_array_equal(dlogits[ragged.weights == 0], 0)  # the only exact zeros: logits at rows of weight 0
    model.backward(theta, grad, config, c_model, dlogits)
    assert_same((J, grad), value_and_gradient(theta, config, [ragged]))


def test_prompt_tokens_still_receive_gradient_through_what_reads_them():
    """The mask removes loss terms, not paths: with λ = 0 the embedding of a token that is only in x is moved by y."""
    config = tiny_config(tied=False)
    theta = random_theta(config)
    pair = collate(
        [Sequence(np.array([11, 12, 3, 4]), np.array([False, False, True, True]), "")], 0.0, "sum", np.float64
    )
    _, grad = value_and_gradient(theta, config, [pair])
    assert np.linalg.norm(grad.model.embed_tokens.weight[11]) > 1e-6
    assert_array_equal(grad.model.embed_tokens.weight[7], 0)  # a token that does not occur


def test_a_sequence_does_not_see_its_neighbours_in_the_batch(config, theta):
    a, b = np.array([3, 1, 4]), np.array([1, 5, 9, 2])
    both, _ = model.forward(theta, config, np.concatenate((a, b)), np.array([0, 3, 7]), np.arange(7))
    alone, _ = model.forward(theta, config, b, np.array([0, 4]), np.arange(4))
    assert_allclose(both[3:], alone, rtol=1e-12)


def test_a_token_does_not_see_those_after_it(config, theta):
    ids = np.array([3, 1, 4, 1, 5])
    one, _ = model.forward(theta, config, ids, np.array([0, 5]), np.arange(5))
    ids[-1] = 9
    other, _ = model.forward(theta, config, ids, np.array([0, 5]), np.arange(5))
    assert_allclose(one[:-1], other[:-1], rtol=1e-12)
    assert np.abs(one[-1] - other[-1]).max() > 1e-3


def test_float32_gives_what_float64_gives_to_its_own_precision(config, theta, ragged):
    exact = value_and_gradient(theta, config, [ragged])
    single = theta.astype(np.float32)
    J, grad = value_and_gradient(single, config, [collate(random_sequences(), 0.0, "sum", np.float32)])
    assert grad.flat.dtype == np.float32
    assert_allclose(J, exact[0], rtol=1e-5)
    for name, a in exact[1].named.items():
        assert np.abs(grad.named[name] - a).max() <= 1e-4 * np.abs(a).max(), name


def test_complex_parameters_flow_through_the_forward(config, theta, ragged):
    """The forward is analytic: f(θ + ihu) has the slope along u in its imaginary part, without any subtraction."""
    u = np.random.default_rng(0).standard_normal(theta.flat.shape)
    twin = theta.astype(np.complex128)
    twin.flat += 1e-30j * u
    rows = np.flatnonzero(ragged.weights)
    logits, _ = model.forward(twin, config, ragged.ids, ragged.starts, rows)
    J, _ = objective.forward(logits, ragged.targets[rows], ragged.weights[rows])
    _, grad = value_and_gradient(theta, config, [ragged])
    assert_allclose(J.imag / 1e-30, grad.flat @ u, rtol=1e-12)


def test_the_base_of_the_rotation_and_the_epsilon_of_the_norms_are_those_of_the_configuration():
    """Both far from their defaults, against the formulas written as loops."""
    config = replace(tiny_config(), rope_base=3.0, rms_norm_eps=0.5)
    theta, ids = random_theta(config), np.array([3, 1, 4, 1, 5])
    logits, _ = model.forward(theta, config, ids, np.array([0, 5]), np.arange(5))
    assert_allclose(objective.forward(logits, ids, ids)[1].log_pi, log_pi(theta, config, ids), rtol=1e-10)


def test_names_and_shapes_are_those_of_a_llama_checkpoint():
    config = ModelConfig(
        vocab_size=11,
        hidden_size=8,
        intermediate_size=12,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=False,
    )
    assert model.shapes(config) == {
        "model.embed_tokens.weight": (11, 8),
        "model.layers.0.input_layernorm.weight": (8,),
        "model.layers.0.self_attn.q_proj.weight": (8, 8),
        "model.layers.0.self_attn.k_proj.weight": (4, 8),
        "model.layers.0.self_attn.v_proj.weight": (4, 8),
        "model.layers.0.self_attn.o_proj.weight": (8, 8),
        "model.layers.0.post_attention_layernorm.weight": (8,),
        "model.layers.0.mlp.gate_proj.weight": (12, 8),
        "model.layers.0.mlp.up_proj.weight": (12, 8),
        "model.layers.0.mlp.down_proj.weight": (8, 12),
        "model.norm.weight": (8,),
        "lm_head.weight": (11, 8),
    }


def test_biases_of_queries_keys_and_values_stand_where_a_qwen2_checkpoint_has_them():
    plain = tiny_config(layers=1)
    shapes = model.shapes(replace(plain, qkv_bias=True))
    biases = {name: shape for name, shape in shapes.items() if name.endswith(".bias")}
    assert biases == {f"model.layers.0.self_attn.{name}_proj.bias": (n,) for name, n in zip("qkv", (24, 12, 12))}
    assert {name: shape for name, shape in shapes.items() if name not in biases} == model.shapes(plain)


def test_initial_biases_are_0_and_all_else_is_as_without_them():
    plain = tiny_config()
    theta = model.init(plain, np.random.default_rng(0))
    for name, view in model.init(replace(plain, qkv_bias=True), np.random.default_rng(0)).named.items():
        assert_array_equal(view, theta.named.get(name, np.zeros(view.shape)))


def test_initial_parameters_are_gains_of_one_and_normal_matrices_of_the_given_deviation():
    config = tiny_config()
    theta = model.init(config, np.random.default_rng(0))
    gains = [view for view in theta.named.values() if view.ndim == 1]
    matrices = np.concatenate([view.ravel() for view in theta.named.values() if view.ndim == 2])
    assert all((gain == 1).all() for gain in gains)
    assert abs(matrices.std() / 0.02 - 1) < 5 / (2 * matrices.size) ** 0.5  # five standard errors of a deviation
    assert_array_equal(theta.flat, model.init(config, np.random.default_rng(0)).flat)


def test_the_deviation_of_initial_matrices_is_the_one_of_the_configuration():
    config = tiny_config()
    small, large = (
        model.init(replace(config, initializer_range=size), np.random.default_rng(0), np.float64)
        for size in (0.02, 0.5)
    )
    assert_allclose(large.model.embed_tokens.weight, 25 * small.model.embed_tokens.weight, rtol=1e-14)
    assert_allclose(large.model.layers[1].mlp.up_proj.weight, 25 * small.model.layers[1].mlp.up_proj.weight, rtol=1e-14)
