"""The row of a step: what each of its numbers is."""

from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from support.by_hand import log_pi
from support.training import ADAMW, LENGTHS, SGD, gradient, log_probs, run, ten_sequences

from minisft import train
from minisft.config import REDUCTIONS, TrainConfig
from minisft.data import Sequence


@pytest.fixture
def sequences():
    return ten_sequences()


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
