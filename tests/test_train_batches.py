"""Steps, micro-batches and their order; and that all of it gives the same bytes again."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import random_sequences
from numpy.testing import assert_allclose, assert_array_equal
from support.training import ADAMW, LENGTHS, SGD, both, no_target, run, ten_sequences, without_time

from minisft import data, model, optim, train
from minisft.config import REDUCTIONS, TrainConfig
from minisft.data import collate


@pytest.fixture
def sequences():
    return ten_sequences()


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
    every = list(train.batches(sequences, settings, dtype=np.float64))
    later = list(train.batches(sequences, settings, first_step, np.float64))
    assert len(every) == 9 and len(later) == 9 - first_step
    for (chosen, one), (same, other) in zip(every[first_step:], later, strict=True):
        assert [s.where for s in same] == [s.where for s in chosen]
        expected = collate(chosen, 0.3, "sequence_mean", np.float64)
        for name, array in vars(expected).items():
            assert_array_equal(vars(one)[name], array)
            assert_array_equal(vars(other)[name], array)
            assert np.asarray(vars(one)[name]).dtype == np.asarray(array).dtype


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
