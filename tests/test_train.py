"""θ̂ → θ_t → θ̃: what a step does to θ, and pre-training."""

import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from conftest import random_sequences, random_theta, tiny_config
from numpy.testing import assert_allclose, assert_array_equal
from support.by_hand import log_prob
from support.training import ADAMW, LENGTHS, SGD, both, gradient, log_probs, run, ten_sequences

from minisft import gradcheck, model, train
from minisft.config import REDUCTIONS, TrainConfig
from minisft.data import Sequence, collate
from minisft.params import Params


@pytest.fixture
def sequences():
    return ten_sequences()


# θ̂, θ_t, θ̃


@both
def test_fine_tuning_leaves_the_pretrained_parameters_bit_for_bit(config, theta, sequences, settings):
    kept = theta.flat.copy()
    theta_tilde, _ = run(theta, config, sequences, settings)
    assert_array_equal(theta.flat, kept)
    assert not np.shares_memory(theta_tilde.flat, theta.flat)
    assert (theta_tilde.flat != kept).mean() > 0.5


@both
def test_training_starts_at_theta_hat(config, theta, sequences, settings):
    """With one warm-up step the first rate is 0, so θ_1 = θ_0; and the first loss is that of θ̂."""
    settings = replace(settings, warmup_steps=1, shuffle=False)
    first = next(iter(train.finetune(theta, config, sequences, settings)))
    assert_array_equal(first.theta.flat, theta.flat)
    values, is_y, _ = log_probs(theta, config, sequences[:4])
    assert_allclose(first.metrics["loss"], -values[is_y].mean(), rtol=1e-12)


def test_every_step_yields_the_state_with_its_number_and_theta_in_motion(config, theta, sequences):
    states, seen = [], []
    for state in train.finetune(theta, config, sequences, ADAMW):
        states.append(state)
        seen.append(state.theta.copy())
    assert [one.flat.tobytes() for one in seen] == [*dict.fromkeys(one.flat.tobytes() for one in seen)]  # all differ
    assert all(state is states[0] for state in states)
    assert states[0].step == len(seen) == 9


def test_the_loss_falls_on_a_tiny_set(config, theta, sequences):
    """Until it is learnt by heart: three sequences with different beginnings."""
    settings = TrainConfig(learning_rate=0.02, max_steps=150, batch_size=3, lr_scheduler_type="constant")
    _, rows = run(theta, config, sequences[5:8], settings)
    assert rows[-1]["loss"] < 0.01 < 1 < rows[0]["loss"]


@both
def test_one_step_of_sgd_goes_down_the_slope(config, theta, sequences, settings):
    """L(θ − η∇L) = L − η‖∇L‖² + O(η²): the sign of the gradient is right, and its length."""
    settings = replace(SGD, learning_rate=1e-6, max_steps=2, batch_size=10, shuffle=False)
    _, (first, second) = run(theta, config, sequences, settings)
    assert_allclose((second["loss"] - first["loss"]) / 1e-6, -(first["grad_norm"] ** 2), rtol=1e-3)


# The loss


@pytest.mark.parametrize("prompt_loss_weight", [0.0, 0.3])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_loss_is_minus_the_objective_in_every_row(config, theta, sequences, reduction, prompt_loss_weight):
    settings = replace(ADAMW, loss_reduction=reduction, prompt_loss_weight=prompt_loss_weight)
    rows = run(theta, config, sequences, settings)[1]
    assert len(rows) == 9
    assert all(row["loss"] == -row["objective"] > 0 for row in rows)


def test_under_sum_the_loss_is_minus_the_sum_of_log_pr_y_given_x(config, theta, sequences):
    """Before the update of the step, in nats; as `evaluate` computes it, and by the chain rule one prefix at a time."""
    settings = replace(SGD, loss_reduction="sum", batch_size=10, learning_rate=1e-3, shuffle=False, max_steps=2)
    before = theta
    for state in train.finetune(theta, config, sequences, settings):
        values, is_y, _ = log_probs(before, config, sequences)
        assert_allclose(state.metrics["loss"], -values[is_y].sum(), rtol=1e-12)
        by_hand = [log_prob(before, config, s.ids[~s.is_y], s.ids[s.is_y]) for s in sequences]
        assert_allclose(state.metrics["loss"], -sum(by_hand), rtol=1e-10)
        before = state.theta.copy()
    assert (before.flat != theta.flat).any()


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_with_lambda_1_the_objective_is_the_joint_log_probability_of_x_and_y(config, theta, sequences, reduction):
    """log Pr(x, y) = Σ_{i ≥ 2} log Pr(token i | those before): the first token is given."""
    settings = replace(SGD, loss_reduction=reduction, batch_size=10, prompt_loss_weight=1.0, max_steps=1)
    row = run(theta, config, sequences, settings)[1][0]
    joint = [log_prob(theta, config, s.ids[:1], s.ids[1:]) for s in sequences]
    rows = [len(s.ids) - 1 for s in sequences]
    by_hand = {
        "sum": sum(joint),
        "token_mean": sum(joint) / sum(rows),
        "sequence_mean": np.mean([value / n for value, n in zip(joint, rows, strict=True)]),
    }
    assert_allclose(row["objective"], by_hand[reduction], rtol=1e-10)


def test_the_gradient_of_the_joint_sum_is_that_of_the_prompt_plus_that_of_the_completion(config, theta, sequences):
    """Exact for sums: ∇ log Pr(x, y) = ∇ log Pr(x) + ∇ log Pr(y|x)."""
    settings = replace(SGD, loss_reduction="sum")
    of_x = [Sequence(s.ids, ~s.is_y, "") for s in sequences]
    joint = gradient(theta, config, sequences, replace(settings, prompt_loss_weight=1.0))
    parts = gradient(theta, config, of_x, settings) + gradient(theta, config, sequences, settings)
    assert_allclose(joint, parts, rtol=1e-9, atol=1e-11 * np.abs(joint).max())


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_what_a_step_subtracts_is_the_derivative_of_the_loss_by_every_tensor(sequences, tied):
    """The loss by `evaluate`, which has no backward, and its slope by two evaluations; four micro-batches."""
    config = tiny_config(tied)
    theta = random_theta(config)
    settings = replace(SGD, learning_rate=1.0, batch_size=3, gradient_accumulation_steps=4, max_steps=1)
    settings = replace(settings, prompt_loss_weight=0.3)
    step = theta.like()
    step.flat[:] = theta.flat - run(theta, config, sequences, settings)[0].flat
    weights = collate(sequences, 0.3, "token_mean", np.float64).weights
    off = gradcheck.errors(
        lambda: -(weights * log_probs(theta, config, sequences)[0]).sum(),
        [(name, theta.named[name], step.named[name]) for name in theta.named],
        np.random.default_rng(0),
    )
    assert max(off.values()) < 1e-6, off


def test_the_mask_removes_loss_terms_not_paths():
    """With λ = 0 and one token of y, the embeddings of x and the first keys and values are moved by it all the same."""
    config = tiny_config(tied=False)
    theta = random_theta(config)
    pair = [Sequence(np.array([11, 12, 13, 3]), np.array([0, 0, 0, 1], bool), "")]
    step = theta.like()
    step.flat[:] = gradient(theta, config, pair, SGD)
    moved = np.flatnonzero(np.abs(step.model.embed_tokens.weight).max(-1))
    assert_array_equal(moved, [11, 12, 13])  # those that are read; token 3 is only predicted
    for projection in (step.model.layers[0].self_attn.k_proj, step.model.layers[1].self_attn.v_proj):
        assert np.linalg.norm(projection.weight) > 1e-6


def test_value_and_grad_gives_j_and_adds_dj_times_its_gradient_to_what_is_there(config, theta, sequences):
    """J is Σ wᵢ log Pr(yᵢ | those before), by the cache of the objective too; λ = 0, so the rows are those of y."""
    whole = collate(sequences, 0.0, "sequence_mean", np.float64)
    once, grad = theta.like(), theta.like()
    J, cache = train.value_and_grad(theta, once, config, whole, dJ=1.0)
    values, is_y, hits = log_probs(theta, config, sequences)
    assert_allclose(J, whole.weights @ values, rtol=1e-12)
    assert_array_equal(cache.targets, whole.targets[is_y])
    assert_array_equal(cache.log_pi.argmax(-1) == cache.targets, hits[is_y])
    grad.flat[:] = 7.0
    train.value_and_grad(theta, grad, config, whole, dJ=-3.0)
    assert_allclose(grad.flat, 7.0 - 3.0 * once.flat, rtol=1e-12)


# Dtypes and sizes


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_run_stays_in_its_dtype(config, theta, sequences, settings, dtype, monkeypatch):
    seen = set()
    forward = model.forward

    def spying_forward(*arguments, **named):
        logits, cache = forward(*arguments, **named)
        seen.add(logits.dtype.type)
        return logits, cache

    monkeypatch.setattr(model, "forward", spying_forward)
    for state in train.finetune(theta.astype(dtype), config, sequences, settings):
        assert state.theta.flat.dtype == dtype
        assert all(moment.dtype == dtype for moment in state.optimizer.moments.values())
    assert seen == {dtype}


def test_float32_follows_float64_to_its_own_precision(config, theta, sequences):
    exact, rows = run(theta, config, sequences, ADAMW)
    single, rows_single = run(theta.astype(np.float32), config, sequences, ADAMW)
    assert_allclose([row["loss"] for row in rows_single], [row["loss"] for row in rows], rtol=1e-4)
    assert np.abs(single.flat - exact.flat).max() < 0.01 * np.abs(exact.flat - theta.flat).max()


def test_rows_of_numbers_are_plain_numbers_of_python(config, theta, sequences):
    """They become JSON."""
    for dtype in (np.float32, np.float64):
        rows = run(theta.astype(dtype), config, sequences, replace(ADAMW, prompt_loss_weight=0.1))[1]
        assert {type(value) for row in rows for value in row.values()} == {int, float}


@pytest.mark.parametrize(("size", "rate"), [(9_999_999, 1e-3), (10_000_000, 2e-5)])
def test_the_default_rate_is_1e_3_below_10_million_parameters_and_2e_5_from_there(size, rate):
    assert train.default_learning_rate(Params({"weight": (size,)}, np.float16)) == rate


def test_a_rate_of_0_stands_for_the_default(config, theta, sequences):
    default, rows = run(theta, config, sequences, replace(ADAMW, learning_rate=0.0))
    given, _ = run(theta, config, sequences, replace(ADAMW, learning_rate=1e-3))
    assert rows[0]["learning_rate"] == 1e-3
    assert_array_equal(default.flat, given.flat)


# Pre-training


def test_pretraining_is_the_same_loop_from_random_parameters_with_all_of_the_text_as_y(config):
    documents = [Sequence(s.ids, np.ones(len(s.ids), bool), s.where) for s in random_sequences(lengths=LENGTHS)]
    settings = replace(ADAMW, seed=3)
    *_, state = train.pretrain(config, documents, settings, np.float64)
    theta_0 = model.init(config, np.random.default_rng(3), np.float64)
    same, rows = run(theta_0, config, documents, settings)
    assert_array_equal(state.theta.flat, same.flat)
    assert sum(row["num_target_tokens"] for row in rows[:3]) == sum(LENGTHS) - len(LENGTHS)
    # An initial model knows nothing: its loss is near log 17, the entropy of a uniform choice.
    assert_allclose(rows[0]["loss"], math.log(17), rtol=0.01)


def test_pretraining_is_in_float32_unless_asked_otherwise(config):
    documents = random_sequences()
    assert next(iter(train.pretrain(config, documents, ADAMW))).theta.flat.dtype == np.float32


def test_memory_does_not_grow_with_the_number_of_steps(config, theta, sequences):
    steps = train.finetune(theta, config, sequences, replace(ADAMW, max_steps=60))
    for _ in range(10):
        next(steps)
    tracemalloc.start()
    for _ in range(40):
        next(steps)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 5 * theta.flat.nbytes
