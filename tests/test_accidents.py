"""What an accident leaves of θ: a loss or an update that is not finite, Ctrl-C in the middle of a step."""

import math
from dataclasses import replace

import numpy as np
import pytest
from conftest import random_sequences
from numpy.testing import assert_array_equal

from minisft import model, optim, train
from minisft.config import TrainConfig
from minisft.errors import MinisftError

SGD = TrainConfig(optim="sgd", learning_rate=0.1, max_grad_norm=0.0, batch_size=4, lr_scheduler_type="constant")
ADAMW = TrainConfig(learning_rate=0.01, batch_size=4)
both = pytest.mark.parametrize("settings", [SGD, ADAMW], ids=["sgd", "adamw"])


@pytest.fixture
def sequences():
    """Ten sequences; steps of 4 make 3 steps an epoch, the last of 2."""
    return random_sequences(lengths=(7, 2, 5, 7, 3, 9, 4, 6, 5, 8))


# What is not finite


def diverging(theta, config, sequences, monkeypatch, settings, good_steps, rate):
    """A run with some good steps, then a step with a rate far too large: θ after the good steps, and the generator."""
    usual = optim.learning_rate
    monkeypatch.setattr(optim, "learning_rate", lambda s, t, total: rate if t == good_steps else usual(s, t, total))
    state = train.start(theta.copy(), settings)
    steps = train.train(state, config, sequences, settings)
    for _ in range(good_steps):
        next(steps)
    assert (state.theta.flat != theta.flat).mean() > 0.5
    return state.theta.flat.copy(), state, steps


def test_a_loss_that_is_not_finite_stops_the_run_naming_step_and_examples_and_keeps_the_last_good_theta(
    config, theta, sequences, monkeypatch
):
    """Step 4 begins at θ_3, with a finite loss, and ends at a θ_4 of about 1e200; step 5 meets it. θ_3 is kept."""
    settings = replace(SGD, batch_size=2, learning_rate=1e-3)
    theta_3, state, steps = diverging(theta, config, sequences, monkeypatch, settings, 3, 1e200)
    assert math.isfinite(next(steps).metrics["loss"])
    assert np.abs(state.theta.flat).max() > 1e100
    with pytest.raises(MinisftError) as caught:
        next(steps)
    message = str(caught.value)
    assert message.startswith("step 5: the loss is ")
    examples = [sequences[i].where for i in train.order(10, settings, 0)[8:10]]  # steps of 2: the fifth has 8 and 9
    assert ", ".join(examples) in message and message.count("data.jsonl:") == 2
    assert "--learning-rate" in message
    assert_array_equal(state.theta.flat, theta_3)
    assert state.step == 4


@pytest.mark.parametrize("last", [True, False])
def test_an_update_to_what_is_not_finite_stops_the_run_even_in_the_last_step(
    config, theta, sequences, last, monkeypatch
):
    """θ_2 has a finite loss, and a rate of 1e308 times its gradient is infinite: θ_2 is kept."""
    settings = replace(SGD, loss_reduction="sum", learning_rate=1e-3, max_steps=3 if last else 9)
    theta_2, state, steps = diverging(theta, config, sequences, monkeypatch, settings, 2, 1e308)
    with pytest.raises(MinisftError, match=r"^step 3: .* not finite, on data.jsonl:"):
        next(steps)
    assert_array_equal(state.theta.flat, theta_2)
    assert state.step == 2


def test_a_first_loss_that_is_not_finite_keeps_theta_hat(config, theta, sequences):
    theta.model.norm.weight[0] = np.inf
    kept = theta.flat.copy()
    state = train.start(theta, SGD)
    with pytest.raises(MinisftError, match=r"^step 1: the loss is nan, "):
        next(train.train(state, config, sequences, SGD))
    assert_array_equal(state.theta.flat, kept)


# Ctrl-C, and an update that stops half-way


@both
def test_an_interrupted_step_leaves_theta_as_it_was_before_it(config, theta, sequences, settings, monkeypatch):
    """The interrupt comes in the middle of the update, when half of the vector has been written."""
    state = train.start(theta.copy(), settings)
    steps = train.train(state, config, sequences, settings)
    next(steps)
    theta_1 = state.theta.flat.copy()

    def interrupted(theta, grad, learning_rate):
        theta.flat[: theta.flat.size // 2] = 0
        raise KeyboardInterrupt

    monkeypatch.setattr(state.optimizer, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    assert_array_equal(state.theta.flat, theta_1)
    assert state.step == 1


@pytest.mark.parametrize("accident", [KeyboardInterrupt, FloatingPointError])
def test_an_accident_in_the_middle_of_an_update_leaves_theta_as_it_was_before(
    config, theta, sequences, accident, monkeypatch
):
    settings = replace(ADAMW, weight_decay=0.1, train_only=("*norm*",))
    state = train.start(theta.copy(), settings)
    steps = train.train(state, config, sequences, settings)
    next(steps)
    theta_1 = state.theta.flat.copy()

    def interrupted(theta, grad, learning_rate):
        theta.model.norm.weight[:3] = 0
        raise accident

    monkeypatch.setattr(state.optimizer, "step", interrupted)
    with pytest.raises((KeyboardInterrupt, MinisftError)):
        next(steps)
    assert_array_equal(state.theta.flat, theta_1)


@both
def test_an_interrupt_before_the_update_leaves_theta_as_it_is(config, theta, sequences, settings, monkeypatch):
    """The copy in reserve is older then, and must not be put back."""
    state = train.start(theta.copy(), settings)
    steps = train.train(state, config, sequences, settings)
    next(steps), next(steps)
    theta_2 = state.theta.flat.copy()

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(model, "backward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    assert_array_equal(state.theta.flat, theta_2)


@both
def test_an_interrupt_after_the_update_of_a_step_that_is_not_yet_counted_leaves_theta_as_it_was_before_it(
    config, theta, sequences, settings, monkeypatch
):
    state = train.start(theta.copy(), settings)
    steps = train.train(state, config, sequences, settings)
    next(steps)
    theta_1 = state.theta.flat.copy()

    def interrupted(*arguments):
        assert (state.theta.flat != theta_1).any()
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "step_metrics", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    assert_array_equal(state.theta.flat, theta_1)
    assert state.step == 1
