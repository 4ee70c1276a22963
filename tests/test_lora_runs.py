"""LoRA in a run: what moves and what does not, which settings are refused, and θ with an adapter as a thing."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from conftest import random_sequences, random_theta, tiny_config
from numpy.testing import assert_allclose, assert_array_equal
from support.adapters import SETTINGS, each_model, each_optimizer, finetuned, moved, of
from support.refusals import refusal

from minisft import adapter, optim, train, trajectory
from minisft.config import TrainConfig
from minisft.errors import MinisftError

# --- what moves, and what does not ------------------------------------------------------------------------------------


@each_model
@each_optimizer
def test_theta_hat_keeps_its_bits_and_is_shared_not_copied(config, optimizer):
    theta_hat = random_theta(config)
    before = theta_hat.flat.copy()
    theta = finetuned(theta_hat, config, random_sequences(), replace(SETTINGS, optim=optimizer)).theta
    assert theta.frozen is theta_hat
    assert_array_equal(theta_hat.flat, before)
    for name, view in theta_hat.named.items():
        assert theta.base.named[name] is view
    assert theta.model.layers[1].mlp.up_proj.weight is theta_hat.model.layers[1].mlp.up_proj.weight
    assert of(theta, "A").any() and of(theta, "B").all()


def test_gradient_moments_and_the_copy_in_reserve_have_the_numbers_of_a_and_b_alone(
    config, theta, sequences, monkeypatch
):
    copies, make = [], train.LastGood
    monkeypatch.setattr(train, "LastGood", lambda *given: copies.append(make(*given)) or copies[-1])
    state = finetuned(theta, config, sequences)
    r, C, F, HD, GD = 3, 10, 14, 24, 12
    ends = [(C, HD), (C, GD), (C, GD), (HD, C), (C, F), (C, F), (F, C)]
    size = 2 * sum(r * (width + out) for width, out in ends)
    assert state.theta.flat.size == size == copies[0].copy.flat.size
    assert [moment.size for moment in state.optimizer.moments.values()] == [size, size]


def test_an_adapter_stands_beside_the_w_it_adds_to_and_nowhere_else(theta):
    start = adapter.start(theta, replace(SETTINGS, lora_target_modules=("q_proj", "model.layers.1.mlp.down_proj")))
    modules = {name.partition(".lora_")[0] for name in start.named}
    assert modules == {f"model.layers.{i}.self_attn.q_proj" for i in range(2)} | {"model.layers.1.mlp.down_proj"}
    assert not hasattr(start.model.layers[0].self_attn.k_proj, "lora_A")
    assert start.model.layers[0].self_attn.q_proj.lora_A.weight.shape == (3, 10)
    assert start.model.layers[1].mlp.down_proj.lora_B.weight.shape == (10, 3)


@each_model
def test_all_linear_is_every_linear_map_of_the_blocks_and_not_the_head(config):
    modules = {name.partition(".lora_")[0] for name in adapter.start(random_theta(config), SETTINGS).named}
    ends = [f"self_attn.{x}_proj" for x in "qkvo"] + [f"mlp.{x}_proj" for x in ("gate", "up", "down")]
    assert modules == {f"model.layers.{i}.{end}" for i in range(2) for end in ends}


@pytest.mark.parametrize("name", ["lm_head", "embed_tokens", "proj", "norm", "layers", "q_proj.weight", ".q_proj", "*"])
def test_a_name_that_is_no_linear_map_of_a_block_is_refused(config, name):
    theta = random_theta(tiny_config(tied=False))
    said = refusal(lambda: adapter.start(theta, replace(SETTINGS, lora_target_modules=("q_proj", name))))
    assert said.startswith(f'--lora-target-modules: "{name}"') and "all-linear" in said and "down_proj" in said


@pytest.mark.parametrize(
    ("settings", "flag"),
    [
        ({"lora_target_modules": "q_proj"}, "--lora-target-modules"),
        ({"lora_target_modules": ()}, "--lora-target-modules"),
        ({"lora_target_modules": ("q_proj", "")}, "--lora-target-modules"),
        ({"lora_r": -1}, "--lora-r"),
        ({"lora_r": 2.0}, "--lora-r"),
        ({"lora_alpha": -4}, "--lora-alpha"),
        ({"lora_alpha": float("nan")}, "--lora-alpha"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_their_flag(settings, flag):
    with pytest.raises(MinisftError, match=f"^{flag}: "):
        TrainConfig(**settings)


def test_alpha_is_twice_the_rank_unless_given(theta):
    for given, alpha in ((0.0, 6), (1.5, 1.5)):
        start = adapter.start(theta, replace(SETTINGS, lora_alpha=given))
        assert set(start.numbers.values()) == {alpha}


def test_the_default_rate_is_ten_times_that_of_full_fine_tuning(config, theta):
    start = adapter.start(theta, SETTINGS)
    assert train.default_learning_rate(start) == pytest.approx(10 * train.default_learning_rate(theta))


@each_optimizer
def test_decay_pulls_a_and_b_towards_0_as_it_does_any_matrix(config, theta, sequences, optimizer):
    """In the first step B is 0 and A has no gradient, so A is left to the decay alone."""
    settings = replace(SETTINGS, optim=optimizer, weight_decay=0.5, max_steps=1)
    before = adapter.start(theta, settings)
    after = finetuned(theta, config, sequences, settings).theta
    assert_allclose(of(after, "A"), (1 - 0.02 * 0.5) * of(before, "A"), rtol=1e-14)


def test_a_pattern_of_train_only_chooses_among_a_and_b(config, theta, sequences):
    settings = replace(SETTINGS, train_only=("model.layers.1.*lora_B.weight",))
    before, after = adapter.start(theta, settings), finetuned(theta, config, sequences, settings).theta
    moving = {name for name in after.named if (after.named[name] != before.named[name]).any()}
    assert moving == {name for name in after.named if ".1." in name and "lora_B" in name}
    said = refusal(lambda: train.start(theta, replace(settings, train_only=("model.norm.weight",))))
    assert "matches no tensor" in said and "lora_A" in said
    one = replace(settings, train_only=("nothing",), lora_target_modules=("model.layers.0.mlp.up_proj",))
    assert "up_proj.lora_A.weight, model.layers.0.mlp.up_proj.lora_B.weight" in refusal(lambda: train.start(theta, one))


def test_an_adapter_that_is_given_goes_on_and_stays_as_it_was(config, sequences):
    given = moved(config)
    before = given.flat.copy()
    for settings in (SETTINGS, replace(SETTINGS, lora_r=0)):  # the rank is that of the adapter
        after = finetuned(given, config, sequences, settings).theta
        assert_array_equal(given.flat, before)
        assert after.shapes == given.shapes and after.frozen is given.frozen and (after.flat != before).any()


def test_a_gradient_that_shows_theta_hat_is_refused_since_w_would_be_added_to(config, ragged):
    theta = moved(config)
    optimizer = optim.make(theta, SETTINGS)
    said = refusal(lambda: train.step(theta, theta.copy(), optimizer, ragged, config, SETTINGS, 0.1))
    assert said.startswith("grad: ") and "theta.like()" in said


# --- θ as a thing -----------------------------------------------------------------------------------------------------


def test_copies_have_a_and_b_of_their_own_and_share_theta_hat(config):
    theta = moved(config)
    twin, single = theta.copy(), theta.astype(np.float32)
    assert not np.shares_memory(twin.flat, theta.flat) and twin.frozen is theta.frozen
    assert_array_equal(twin.flat, theta.flat)
    assert single.frozen.flat.dtype == single.flat.dtype == np.float32
    assert single.model.layers[0].self_attn.q_proj.lora_alpha == 6
    for other in (copy.deepcopy(theta), pickle.loads(pickle.dumps(theta))):
        assert other.shapes == theta.shapes and dict(other.numbers) == dict(theta.numbers)
        assert_array_equal(other.flat, theta.flat)
        assert_array_equal(other.frozen.flat, theta.frozen.flat)
        assert np.shares_memory(other.named["model.layers.0.self_attn.q_proj.lora_A.weight"], other.flat)


def test_distances_of_two_adapters_are_measured_and_of_an_adapter_and_a_whole_model_refused(config):
    theta = moved(config)
    start = adapter.start(theta.frozen, SETTINGS)
    away = trajectory.distances(theta, start)
    assert away["total"] == pytest.approx(np.linalg.norm(theta.flat - start.flat))
    assert "adapter.merged" in refusal(lambda: trajectory.distances(theta, theta.frozen))
    half = trajectory.line(start, theta, 0.5)
    assert_allclose(half.flat, (start.flat + theta.flat) / 2)
    assert half.frozen is theta.frozen


def test_the_divergence_of_an_adapter_from_theta_hat_is_that_of_the_merged_model(config, sequences):
    theta = moved(config)
    found = trajectory.kl(theta, theta.frozen, config, sequences)
    assert found == pytest.approx(trajectory.kl(adapter.merged(theta), theta.frozen, config, sequences), rel=1e-10)
    assert found > 0.01
