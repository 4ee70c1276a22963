"""θ̂ → θ_t → θ̃: what a step does to θ, what its row says, and what does not matter."""

import math
import tracemalloc
from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import random_sequences, random_theta, tiny_config
from numpy.testing import assert_allclose, assert_array_equal
from support.by_hand import log_pi, log_prob

from minisft import data, evaluate, gradcheck, model, optim, train
from minisft.config import REDUCTIONS, TrainConfig
from minisft.data import Sequence, collate
from minisft.params import Params

LENGTHS = (7, 2, 5, 7, 3, 9, 4, 6, 5, 8)
SGD = TrainConfig(optim="sgd", learning_rate=0.1, max_grad_norm=0.0, batch_size=4, lr_scheduler_type="constant")
ADAMW = TrainConfig(learning_rate=0.01, batch_size=4)
both = pytest.mark.parametrize("settings", [SGD, ADAMW], ids=["sgd", "adamw"])


@pytest.fixture
def sequences():
    """Ten sequences; steps of 4 make 3 steps an epoch, the last of 2."""
    return random_sequences(lengths=LENGTHS)


def no_target(n=4, line=99):
    return Sequence(np.arange(n), np.zeros(n, bool), f"data.jsonl:{line}")


def run(theta, config, sequences, settings):
    """θ̃ and the rows of the whole run."""
    rows = []
    for state in train.finetune(theta, config, sequences, settings):
        rows.append(state.metrics)
    return state.theta, rows


def gradient(theta, config, sequences, settings):
    """∇L at θ of all sequences as one step: what one step of SGD with rate 1 subtracts."""
    settings = replace(settings, optim="sgd", learning_rate=1.0, max_grad_norm=0.0, max_steps=1, shuffle=False)
    settings = replace(settings, batch_size=len(sequences), gradient_accumulation_steps=1, warmup_steps=0)
    theta_1, _ = run(theta, config, sequences, settings)
    return theta.flat - theta_1.flat


def without_time(rows):
    return [{name: value for name, value in row.items() if name != "tokens_per_second"} for row in rows]


def log_probs(theta, config, sequences):
    """Of all sequences: log Pr of every row, whether it predicts y, whether it is the likeliest."""
    values, hits = (np.concatenate(part) for part in zip(*evaluate.log_probs(theta, config, sequences), strict=True))
    return values, np.concatenate([sequence.is_y[1:] for sequence in sequences]), hits


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


# What a row says


def test_the_row_of_a_step_has_these_numbers_and_no_others(config, theta, sequences):
    names = {
        "step",
        "loss",
        "objective",
        "num_target_tokens",
        "num_tokens",
        "grad_norm",
        "learning_rate",
        "mean_token_accuracy",
        "tokens_per_second",
    }
    rows = run(theta, config, sequences, ADAMW)[1]
    assert all(row.keys() == names for row in rows)
    assert [row["step"] for row in rows] == list(range(1, 10))
    assert all(row["tokens_per_second"] > 0 for row in rows)
    rows = run(theta, config, sequences, replace(ADAMW, prompt_loss_weight=0.1))[1]
    assert all(row.keys() == names | {"prompt_loss", "completion_loss"} for row in rows)


def test_num_target_tokens_counts_the_rows_of_weight_above_0(config, theta, sequences):
    of_y = [int(s.is_y[1:].sum()) for s in sequences]
    every = [n - 1 for n in LENGTHS]
    for prompt_loss_weight, counts in ((0.0, of_y), (0.5, every)):
        settings = replace(ADAMW, shuffle=False, num_train_epochs=1, prompt_loss_weight=prompt_loss_weight)
        rows = run(theta, config, sequences, settings)[1]
        assert [row["num_target_tokens"] for row in rows] == [sum(counts[:4]), sum(counts[4:8]), sum(counts[8:])]


def test_num_tokens_counts_every_token_so_far_targets_or_not(config, theta, sequences):
    rows = run(theta, config, sequences, replace(ADAMW, shuffle=False, num_train_epochs=2))[1]
    # 7 + 2 + 5 + 7 = 21, 3 + 9 + 4 + 6 = 22, 5 + 8 = 13, and again
    assert [row["num_tokens"] for row in rows] == [21, 43, 56, 77, 99, 112]


def test_tokens_per_second_are_the_tokens_of_the_step_over_the_time_it_took(config, theta, sequences, monkeypatch):
    """A clock that goes on by half a second whenever it is read, at the beginning and at the end of a step."""
    clock = count(10, 0.5)
    monkeypatch.setattr(train, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    rows = run(theta, config, sequences, replace(ADAMW, shuffle=False, num_train_epochs=1))[1]
    assert [row["tokens_per_second"] for row in rows] == [21 / 0.5, 22 / 0.5, 13 / 0.5]


def test_mean_token_accuracy_is_the_share_of_the_steps_targets_that_are_the_likeliest(config, theta, sequences):
    for s in sequences[::2]:  # the last token of every second is what θ̂ would say
        s.ids[-1] = log_pi(theta, config, s.ids[:-1])[-1].argmax()
    for prompt_loss_weight in (0.0, 0.5):
        settings = replace(ADAMW, batch_size=3, gradient_accumulation_steps=4, prompt_loss_weight=prompt_loss_weight)
        row = run(theta, config, sequences, settings)[1][0]
        hits = total = 0
        for s in sequences:
            counted = s.is_y[1:] | (prompt_loss_weight > 0)
            hits += (log_pi(theta, config, s.ids[:-1]).argmax(-1) == s.ids[1:])[counted].sum()
            total += counted.sum()
        assert 0 < hits < total
        assert row["mean_token_accuracy"] == hits / total


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_with_lambda_above_0_a_row_has_the_means_over_x_and_over_y(config, theta, sequences, reduction):
    settings = replace(SGD, prompt_loss_weight=0.25, loss_reduction=reduction, batch_size=3, shuffle=False)
    row = run(theta, config, sequences, replace(settings, gradient_accumulation_steps=4))[1][0]
    values, is_y, _ = log_probs(theta, config, sequences)
    assert_allclose(row["prompt_loss"], -values[~is_y].mean(), rtol=1e-12)
    assert_allclose(row["completion_loss"], -values[is_y].mean(), rtol=1e-12)
    if reduction == "token_mean":  # then the loss is their mean, weighted by λN_x and N_y
        n_x, n_y = 0.25 * (~is_y).sum(), is_y.sum()
        weighted = (n_x * row["prompt_loss"] + n_y * row["completion_loss"]) / (n_x + n_y)
        assert_allclose(row["loss"], weighted, rtol=1e-12)


def test_where_x_is_empty_its_mean_is_0(config, theta):
    every = [Sequence(np.arange(5), np.ones(5, bool), "")]
    row = run(theta, config, every, replace(SGD, prompt_loss_weight=0.5, max_steps=1))[1][0]
    assert row["prompt_loss"] == 0
    assert_allclose(row["completion_loss"], row["loss"], rtol=1e-12)


def test_the_learning_rate_of_a_row_is_the_one_its_step_used(config, theta, sequences):
    settings = TrainConfig(learning_rate=0.8, batch_size=4, warmup_steps=2, num_train_epochs=2)  # 6 steps, linear
    rows = run(theta, config, sequences, settings)[1]
    assert_allclose([row["learning_rate"] for row in rows], 0.8 * np.array([0, 1 / 2, 1, 3 / 4, 2 / 4, 1 / 4]))
    theta_1, rows = run(theta, config, sequences, replace(SGD, learning_rate=0.2, max_steps=1, batch_size=10))
    moved = np.linalg.norm(theta_1.flat - theta.flat)
    assert_allclose(moved, rows[0]["learning_rate"] * rows[0]["grad_norm"], rtol=1e-12)


@pytest.mark.parametrize("limit", [0.0, 1e-3, 1e6])
def test_grad_norm_is_over_all_of_theta_and_before_clipping(config, theta, sequences, limit):
    """SGD with rate 1 shows the gradient it was given: clipped by min(1, c / (norm + 1e-6)), or whole where c is 0."""
    norm = np.linalg.norm(gradient(theta, config, sequences, SGD))
    settings = replace(SGD, learning_rate=1.0, max_grad_norm=limit, batch_size=10, max_steps=1)
    theta_1, rows = run(theta, config, sequences, settings)
    assert_allclose(rows[0]["grad_norm"], norm, rtol=1e-12)
    used = norm * min(1, limit / (norm + 1e-6)) if limit else norm
    assert_allclose(np.linalg.norm(theta.flat - theta_1.flat), used, rtol=1e-9)


# Steps, micro-batches, order


@both
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_two_micro_batches_of_four_are_one_of_eight(config, theta, sequences, settings, reduction):
    """In the losses and in θ̃, to rounding: no mean of means."""
    settings = replace(settings, loss_reduction=reduction, prompt_loss_weight=0.3, max_grad_norm=1.0)
    whole, rows = run(theta, config, sequences, replace(settings, batch_size=8))
    parts, rows_of_parts = run(theta, config, sequences, replace(settings, batch_size=4, gradient_accumulation_steps=2))
    ones, _ = run(theta, config, sequences, replace(settings, batch_size=1, gradient_accumulation_steps=8))
    assert len(rows) == len(rows_of_parts) == 6
    for one, other in zip(rows, rows_of_parts, strict=True):
        for name in ("loss", "grad_norm", "num_target_tokens", "mean_token_accuracy", "prompt_loss", "completion_loss"):
            assert_allclose(one[name], other[name], rtol=1e-12)
    scale = np.abs(whole.flat).max()
    assert np.abs(whole.flat - parts.flat).max() <= 1e-12 * scale
    assert np.abs(whole.flat - ones.flat).max() <= 1e-12 * scale


def test_a_micro_batch_without_a_target_adds_0(config, theta, sequences):
    """Bit for bit: the sum over the others, whichever place it has."""
    settings = replace(SGD, loss_reduction="sum", batch_size=1, gradient_accumulation_steps=3, max_steps=1)
    settings = replace(settings, shuffle=False)
    alone, (row,) = run(theta, config, sequences[:2], settings)
    for place in range(3):
        with_nothing = [*sequences[:place], no_target(), *sequences[place:2]]
        theta_1, (row_1,) = run(theta, config, with_nothing, settings)
        assert_array_equal(theta_1.flat, alone.flat)
        for name in ("loss", "num_target_tokens", "grad_norm", "mean_token_accuracy"):
            assert row_1[name] == row[name]


@both
def test_a_step_without_a_target_changes_neither_theta_nor_moments_and_its_row_says_so(config, theta, settings):
    """The second of three steps has no target; decay and momentum must not act there either."""
    settings = replace(settings, batch_size=1, shuffle=False, num_train_epochs=1, weight_decay=0.1)
    one, other = random_sequences(lengths=(7, 5))
    before, rows = None, []
    for state in train.finetune(theta, config, [one, no_target(), other], settings):
        moments = {name: moment.copy() for name, moment in state.optimizer.moments.items()}
        after = state.theta.flat.copy(), moments, state.optimizer.updates
        if state.step == 2:
            assert_array_equal(after[0], before[0])
            for name, moment in moments.items():
                assert_array_equal(moment, before[1][name])
            assert after[2] == before[2] == 1
        before = after
        rows.append(state.metrics)
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert [row["num_target_tokens"] > 0 for row in rows] == [True, False, True]
    assert rows[1].keys() == rows[0].keys()
    assert str(rows[1]["loss"]) == "0.0"  # not -0.0, which people would ask about
    assert rows[1]["grad_norm"] == rows[1]["mean_token_accuracy"] == 0
    assert rows[1]["num_tokens"] == 7 + 4 and rows[2]["num_tokens"] == 7 + 4 + 5
    assert rows[1]["learning_rate"] == optim.learning_rate(settings, 1, 3)


def test_with_lambda_above_0_such_a_step_has_targets_in_x(config, theta):
    (row,) = run(theta, config, [no_target()], replace(SGD, prompt_loss_weight=0.5, max_steps=1))[1]
    assert row["num_target_tokens"] == 3 and row["loss"] > 0
    assert row["completion_loss"] == 0


def test_the_last_step_of_an_epoch_is_smaller_and_kept(config, theta, sequences):
    settings = replace(ADAMW, batch_size=2, gradient_accumulation_steps=2, shuffle=False, num_train_epochs=2)
    rows = run(theta, config, sequences, settings)[1]
    targets = [int(s.is_y[1:].sum()) for s in sequences]
    assert [row["num_target_tokens"] for row in rows] == 2 * [sum(targets[:4]), sum(targets[4:8]), sum(targets[8:])]


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"num_train_epochs": 3, "batch_size": 4}, 9),  # ⌈10 / 4⌉ = 3 an epoch
        ({"num_train_epochs": 2, "batch_size": 2, "gradient_accumulation_steps": 2}, 6),
        ({"num_train_epochs": 1, "batch_size": 10}, 1),
        ({"num_train_epochs": 1, "batch_size": 99}, 1),
        ({"num_train_epochs": 3, "batch_size": 4, "max_steps": 2}, 2),  # --max-steps wins
        ({"num_train_epochs": 1, "batch_size": 4, "max_steps": 7}, 7),  # and goes on into further epochs
    ],
)
def test_a_run_has_its_epochs_or_max_steps(config, theta, sequences, changes, steps):
    settings = replace(ADAMW, **changes)
    assert train.steps_in(sequences, settings) == steps
    assert len(run(theta, config, sequences, settings)[1]) == steps


def test_the_order_is_a_permutation_that_depends_on_seed_and_epoch():
    orders = {
        (seed, epoch): tuple(train.order(20, TrainConfig(seed=seed), epoch)) for seed in range(3) for epoch in range(3)
    }
    assert all(sorted(order) == list(range(20)) for order in orders.values())
    assert len(set(orders.values())) == 9
    assert tuple(train.order(20, TrainConfig(seed=1, batch_size=3, learning_rate=1.0), 2)) == orders[1, 2]


def test_no_shuffle_keeps_the_order_of_the_file():
    for epoch in range(3):
        assert_array_equal(train.order(5, TrainConfig(shuffle=False), epoch), range(5))


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_epoch_meets_every_example_once_in_its_order(config, theta, shuffle, monkeypatch):
    met = []

    def spying_collate(chosen, *settings):
        met.append([sequence.where for sequence in chosen])
        return collate(chosen, *settings)

    monkeypatch.setattr(data, "collate", spying_collate)
    settings = replace(ADAMW, shuffle=shuffle, seed=5, max_steps=7)
    sequences = random_sequences(lengths=LENGTHS)
    run(theta, config, sequences, settings)
    assert [len(step) for step in met] == [4, 4, 2, 4, 4, 2, 4]
    for epoch in range(3):
        wheres = [where for step in met[3 * epoch : 3 * epoch + 3] for where in step]
        by_hand = [sequences[i].where for i in train.order(10, settings, epoch)]
        assert wheres == by_hand[: len(wheres)]


@pytest.mark.parametrize("first_step", [0, 1, 3, 8, 9])
def test_the_batches_from_any_step_on_are_the_last_ones_of_the_whole_run(sequences, first_step):
    settings = replace(ADAMW, seed=5, prompt_loss_weight=0.3, loss_reduction="sequence_mean")
    every, later = (list(train.batches(sequences, settings, first, np.float64)) for first in (0, first_step))
    assert len(every) == 9 and len(later) == 9 - first_step
    for (chosen, one), (same, other) in zip(every[first_step:], later, strict=True):
        assert [s.where for s in same] == [s.where for s in chosen]
        expected = collate(chosen, 0.3, "sequence_mean", np.float64)
        for name, array in vars(expected).items():
            assert_array_equal(vars(one)[name], array)
            assert_array_equal(vars(other)[name], array)
            assert vars(one)[name].dtype == array.dtype


# The same bytes


@both
def test_the_same_seed_gives_the_same_bytes_another_seed_another_theta(config, theta, sequences, settings):
    one, rows = run(theta, config, sequences, settings)
    other, rows_other = run(theta, config, sequences, settings)
    assert one.flat.tobytes() == other.flat.tobytes()
    assert without_time(rows) == without_time(rows_other)
    assert run(theta, config, sequences, replace(settings, seed=1))[0].flat.tobytes() != one.flat.tobytes()


@both
@pytest.mark.parametrize("stop", [1, 3, 4, 8])
def test_a_run_stopped_after_t_steps_goes_on_to_the_same_bytes(config, theta, sequences, settings, stop):
    """With all that counts in the state: θ, moments, numbers of updates and tokens, place in epoch and schedule."""
    settings = replace(settings, weight_decay=0.01, lr_scheduler_type="cosine", warmup_steps=2)
    whole, rows = run(theta, config, sequences, settings)
    first = []
    for state in train.finetune(theta, config, sequences, settings):
        first.append(state.metrics)
        if state.step == stop:
            break
    resumed = train.start(state.theta.copy(), settings)  # everything taken over by value, as from a file
    resumed.step, resumed.num_tokens = state.step, state.num_tokens
    resumed.optimizer.updates = state.optimizer.updates
    resumed.optimizer.moments = {name: moment.copy() for name, moment in state.optimizer.moments.items()}
    second = [later.metrics for later in train.train(resumed, config, sequences, settings)]
    assert resumed.theta.flat.tobytes() == whole.flat.tobytes()
    assert without_time(first + second) == without_time(rows)


def test_a_run_that_is_over_has_no_further_step(config, theta, sequences):
    *_, state = train.finetune(theta, config, sequences, ADAMW)
    assert list(train.train(state, config, sequences, ADAMW)) == []


# What is not finite: accidents.py and its tests say what a run does then


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@both
def test_a_gradient_that_is_not_finite_stops_as_a_loss_does(config, theta, sequences, settings, bad, monkeypatch):
    whole = collate(sequences, dtype=np.float64)
    optimizer, kept = optim.make(theta, settings), theta.flat.copy()

    def broken(theta, grad, *rest):
        grad.flat[3] = bad

    monkeypatch.setattr(model, "backward", broken)
    with np.errstate(invalid="ignore"), pytest.raises(FloatingPointError, match=r"norm of its gradient (nan|inf)"):
        train.step(theta, theta.like(), optimizer, whole, config, settings, 0.1)
    assert_array_equal(theta.flat, kept)
    assert optimizer.updates == 0
    assert all((moment == 0).all() for moment in optimizer.moments.values())


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
