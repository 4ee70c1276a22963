"""LoRA: θ̂ is frozen, and two thin matrices move beside each linear map. The theorems, each by its own reasons."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import random_sequences, random_theta, tiny_config
from numpy.testing import assert_allclose, assert_array_equal
from support.adapters import SETTINGS, each_model, finetuned, gradient, logits, moved, of

from minisft import adapter, gradcheck, model
from minisft.data import collate
from minisft.layers import linear, lora
from minisft.params import Params
from minisft.verification import whole_model

# --- the layer --------------------------------------------------------------------------------------------------------


def test_a_linear_map_with_an_adapter_is_the_linear_map_of_the_merged_matrix():
    rng = np.random.default_rng(0)
    shapes = {"weight": (3, 4), "bias": (3,), "lora_A.weight": (2, 4), "lora_B.weight": (3, 2), "lora_alpha": None}
    p, x, dy = Params.random(rng, shapes, {"lora_alpha": 5.0}), rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    whole = Params({"weight": (3, 4), "bias": (3,)}, np.float64)
    whole.weight[...] = p.weight + 5.0 / 2 * p.lora_B.weight @ p.lora_A.weight
    whole.bias[...] = p.bias
    (y, cache), (expected, of_whole) = linear.forward(p, x), linear.forward(whole, x)
    assert_allclose(y, expected, rtol=1e-13)
    g, of_w = p.like(), whole.like()
    assert_allclose(linear.backward(p, g, cache, dy), linear.backward(whole, of_w, of_whole, dy), rtol=1e-13)
    # dW is the same, and the chain rule through W + s B A gives the rest: dB = s dW Aᵀ, dA = s Bᵀ dW.
    assert_allclose(g.weight, of_w.weight, rtol=1e-13)
    assert_allclose(g.lora_B.weight, 2.5 * of_w.weight @ p.lora_A.weight.T, rtol=1e-13)
    assert_allclose(g.lora_A.weight, 2.5 * p.lora_B.weight.T @ of_w.weight, rtol=1e-13)


def test_where_w_is_frozen_no_matrix_of_its_shape_is_ever_made():
    """Every product of a step notes its shape; with 11 rows and rank 2, only dyᵀ x could be (5, 7)."""

    made = []

    class Noted(np.ndarray):
        def __matmul__(self, other):
            made.append((len(self), np.shape(other)[1]))
            return np.asarray(self) @ np.asarray(other)

    rng = np.random.default_rng(0)
    shapes = {"lora_A.weight": (2, 7), "lora_B.weight": (5, 2), "lora_alpha": None, "weight": None}
    W = Params({"weight": (5, 7)}, np.float64)
    p = Params(shapes, np.float64, frozen=W, numbers={"lora_alpha": 1.0})
    x, dy = rng.standard_normal((11, 7)).view(Noted), rng.standard_normal((11, 5)).view(Noted)
    g = p.like()
    assert g.weight is None and g.flat.size == 2 * 7 + 5 * 2
    linear.backward(p, g, linear.forward(p, x)[1], dy)
    assert (5, 2) in made and (5, 7) not in made  # dB by way of dyᵀ, dW not
    whole = Params({"weight": (5, 7)}, np.float64)
    linear.backward(whole, whole.like(), x, dy)
    assert (5, 7) in made  # as without an adapter


def test_the_scale_is_alpha_over_the_rank():
    p, (x,) = lora.example(np.random.default_rng(0))
    y, _ = lora.forward(p, x)
    assert_allclose(y, 3.0 / 2 * x @ p.lora_A.weight.T @ p.lora_B.weight.T, rtol=1e-14)


# --- where it starts --------------------------------------------------------------------------------------------------


@each_model
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_at_the_start_nothing_has_changed_and_the_logits_are_those_of_theta_hat_bit_for_bit(config, dtype):
    theta_hat = random_theta(config).astype(dtype)
    theta, batch = adapter.start(theta_hat, SETTINGS), collate(random_sequences(), dtype=dtype)
    assert not any(change.any() for _, change in adapter.changes(theta))
    assert_array_equal(adapter.merged(theta).flat, theta_hat.flat)
    assert_array_equal(logits(theta, config, batch), logits(theta_hat, config, batch))
    assert theta.flat.dtype == dtype


def test_a_is_uniform_within_one_over_the_root_of_its_inputs_and_b_is_zero():
    config = replace(tiny_config(), hidden_size=100, intermediate_size=400, head_dim=50)
    theta = adapter.start(random_theta(config), replace(SETTINGS, lora_r=50))
    for name, view in theta.named.items():
        if "lora_B" in name:
            assert not view.any()
            continue
        bound = 1 / view.shape[1] ** 0.5
        assert view.shape[0] == 50 and np.abs(view).max() <= bound < 1.01 * np.abs(view).max()
        assert abs(view.mean()) < 5 * bound / (3 * view.size) ** 0.5  # the deviation of a uniform number is bound / √3


def test_the_seed_draws_a_and_nothing_else_does(config, theta):
    first, again, other = (adapter.start(theta, replace(SETTINGS, seed=seed)) for seed in (1, 1, 2))
    assert_array_equal(first.flat, again.flat)
    assert (of(first, "A") != of(other, "A")).all()
    blocks = of(first, "A").reshape(-1)
    assert len(np.unique(blocks)) == blocks.size  # no two matrices are the same


def test_in_the_first_step_the_gradient_of_a_is_0_and_that_of_b_is_not(config, theta, ragged):
    grad = gradient(adapter.start(theta, SETTINGS), config, ragged)
    assert not of(grad, "A").any()
    assert all(view.any() for name, view in grad.named.items() if "lora_B" in name)


def test_with_both_at_0_nothing_ever_moves_and_with_a_at_0_alone_the_roles_are_swapped(config, theta, ragged):
    start = adapter.start(theta, SETTINGS)
    start.flat[:] = 0
    assert not gradient(start, config, ragged).flat.any()
    for name, view in start.named.items():
        if "lora_B" in name:
            view[...] = 0.1
    grad = gradient(start, config, ragged)
    assert of(grad, "A").any() and not of(grad, "B").any()


# --- merged and unmerged ----------------------------------------------------------------------------------------------


@each_model
def test_the_merged_model_has_the_logits_of_the_unmerged_one(config, ragged):
    theta = moved(config)
    whole, ours = adapter.merged(theta), logits(theta, config, ragged)
    assert np.abs(logits(theta.frozen, config, ragged) - ours).max() > 0.1  # the adapter says something
    assert np.abs(logits(whole, config, ragged) - ours).max() <= 1e-12 * np.abs(ours).max()
    assert whole.shapes == theta.frozen.shapes and not np.shares_memory(whole.flat, theta.frozen.flat)


@each_model
def test_what_was_merged_can_be_taken_out_again(config, ragged):
    """The same adapter with −α on the merged model is θ̂ again, merged or not."""
    theta = moved(config)
    numbers = {name: -alpha for name, alpha in theta.numbers.items()}
    back = Params(theta.shapes, flat=theta.flat, frozen=adapter.merged(theta), numbers=numbers)
    expected = logits(theta.frozen, config, ragged)
    for again in (back, adapter.merged(back)):
        assert np.abs(logits(again, config, ragged) - expected).max() <= 1e-12 * np.abs(expected).max()


@each_model
def test_what_a_run_of_an_adapter_has_learned_is_in_the_merged_model(config, ragged):
    theta = finetuned(random_theta(config), config, random_sequences()).theta
    ours = logits(theta, config, ragged)
    assert np.abs(logits(adapter.merged(theta), config, ragged) - ours).max() <= 1e-12 * np.abs(ours).max()


# --- the span of ΔW ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("r", [1, 3, 5])
def test_the_rank_of_every_change_is_at_most_r_and_its_rows_are_in_the_span_of_those_of_a(config, theta, sequences, r):
    settings = replace(SETTINGS, lora_r=r, train_only=("*lora_B*",))  # A stays as it was drawn
    after = finetuned(theta, config, sequences, settings).theta
    for name, change in adapter.changes(after):
        assert np.linalg.matrix_rank(change) == r
        A = after.named[name.removesuffix("weight") + "lora_A.weight"]
        onto = np.linalg.pinv(A) @ A  # the projection onto the span of its rows
        assert_allclose(change @ onto, change, rtol=0, atol=1e-12 * np.abs(change).max())


def test_with_an_orthogonal_a_of_full_rank_a_step_of_b_is_the_step_of_w(config, theta, sequences):
    """s = 1 and A Aᵀ = AᵀA = 1: ΔW = −η dB A = −η dW AᵀA = −η dW. Only so much does a smaller r restrict."""
    name, rng = "model.layers.1.mlp.up_proj", np.random.default_rng(0)
    settings = replace(SETTINGS, optim="sgd", lr_scheduler_type="constant", max_steps=1, max_grad_norm=0.0)
    start = adapter.attach(theta, [name], r=10, alpha=10.0)
    start.named[f"{name}.lora_A.weight"][...] = np.linalg.qr(rng.standard_normal((10, 10)))[0]
    low = finetuned(start, config, sequences, replace(settings, train_only=("*lora_B*",))).theta
    full = finetuned(theta, config, sequences, replace(settings, lora_r=0, train_only=(f"{name}.weight",))).theta
    [(_, change)] = adapter.changes(low)
    assert_allclose(change, full.named[f"{name}.weight"] - theta.named[f"{name}.weight"], rtol=0, atol=1e-15)
    assert np.abs(change).max() > 1e-4


def test_a_rank_above_the_sizes_of_w_is_allowed_and_spans_no_more(config, theta, sequences):
    after = finetuned(theta, config, sequences, replace(SETTINGS, lora_r=40)).theta
    assert all(np.linalg.matrix_rank(change) <= min(change.shape) for _, change in adapter.changes(after))


# --- the gradient -----------------------------------------------------------------------------------------------------


@each_model
def test_the_gradient_of_the_whole_model_with_an_adapter_is_the_complex_step(config):
    theta, batch = moved(config), collate(random_sequences(), 0.3, dtype=np.float64)
    found = whole_model.model_errors(theta, config, batch, np.random.default_rng(0))
    assert set(found) == set(theta.named) and all("lora_" in name for name in found)
    assert max(off.complex_step for off in found.values()) <= 1e-10


@each_model
def test_the_gradient_is_that_of_the_merged_model_by_the_chain_rule(config, ragged):
    """dB = s dW Aᵀ and dA = s Bᵀ dW, dW of W + s B A."""
    theta = moved(config)
    grad, of_w = gradient(theta, config, ragged), gradient(adapter.merged(theta), config, ragged)
    for name, _ in adapter.changes(theta):
        module, dW, s = name.removesuffix(".weight"), of_w.named[name], 6 / 3
        A, B = (theta.named[f"{module}.lora_{letter}.weight"] for letter in "AB")
        for letter, expected in (("A", s * B.T @ dW), ("B", s * dW @ A.T)):
            found = grad.named[f"{module}.lora_{letter}.weight"]
            assert_allclose(found, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


def test_an_adapter_on_upper_blocks_alone_keeps_nothing_of_those_below(theta):
    start = adapter.start(theta, replace(SETTINGS, lora_target_modules=("model.layers.1.mlp.down_proj",)))
    assert model.lowest(start.like()) == 1
    assert model.lowest(adapter.start(theta, SETTINGS).like()) == 0


def test_gradcheck_takes_the_layer_as_any_other():
    assert max(gradcheck.layer_errors(lora, np.random.default_rng(0), exact=True).values()) < 1e-12
