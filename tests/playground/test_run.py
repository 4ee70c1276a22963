"""A run that can be gone back in is still the run of `train.finetune`, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest

from minisft import train
from minisft.errors import MinisftError
from minisft.playground import run as runs
from minisft.playground.choice import sequences_of
from minisft.playground.run import Run


@pytest.fixture
def reference(loaded, chosen, settings):
    """{t: θ_t} of the same run by `train.finetune`, with further steps at the same rate."""
    theta_hat, config, tokenizer = loaded
    longer = replace(settings, max_steps=12, lr_scheduler_type="constant")
    steps = train.finetune(theta_hat, config, sequences_of(chosen.examples, tokenizer, config), longer)
    return {state.step: state.theta.flat.copy() for state in steps}


@pytest.fixture
def endless(loaded, chosen, settings):
    theta_hat, config, tokenizer = loaded
    constant = replace(settings, lr_scheduler_type="constant")
    return Run(theta_hat, config, sequences_of(chosen.examples, tokenizer, config), constant)


def test_every_theta_t_is_that_of_finetune_bit_for_bit(endless, reference):
    for t in range(1, 8):
        assert endless.advance().step == t
        assert endless.state.theta.flat.tobytes() == reference[t].tobytes()


def test_to_go_back_is_to_have_the_same_theta_t_again(endless, reference, monkeypatch):
    monkeypatch.setattr(endless, "apart", 3)
    for _ in range(7):
        endless.advance()
    for t in (5, 1, 7, 3):
        assert endless.at(t).theta.flat.tobytes() == reference[t].tobytes()
    assert endless.state.step == 7 and endless.state.theta.flat.tobytes() == reference[7].tobytes()


def test_looking_back_does_not_change_what_comes_next(endless, reference):
    for _ in range(4):
        endless.advance()
    endless.at(2).theta.flat[:] = np.nan  # a copy
    assert endless.advance().theta.flat.tobytes() == reference[5].tobytes()


def test_a_constant_schedule_goes_on_after_the_last_planned_step(endless, reference):
    for _ in range(12):
        endless.advance()
    assert endless.total == 7 and endless.state.theta.flat.tobytes() == reference[12].tobytes()
    assert endless.at(10).theta.flat.tobytes() == reference[10].tobytes()


def test_another_schedule_says_why_there_is_no_further_step(recorder):
    for _ in range(7):
        recorder.run.advance()
    with pytest.raises(MinisftError, match="the linear schedule has brought the learning rate to 0 at step 7"):
        recorder.run.advance()
    assert recorder.run.state.step == 7


def test_what_is_kept_is_bounded_however_long_the_run(endless, reference, monkeypatch):
    monkeypatch.setattr(runs, "MOST_KEPT", 3)
    for _ in range(12):
        endless.advance()
    assert len(endless.kept) <= 3 and 0 in endless.kept
    assert endless.at(11).theta.flat.tobytes() == reference[11].tobytes()
