"""What one step does for y: the formula against the step taken, and a joint step beside a conditional one."""

import numpy as np
import pytest

from minisft import checkpoint, data
from minisft.course.conditional_versus_joint import first_steps
from minisft.formats import resources


@pytest.fixture(scope="module")
def here():
    theta, config, tokenizer = checkpoint.load(resources.path("atlas"), np.float64)
    pairs = data.read([resources.path("atlas_train.jsonl")])
    return theta, config, first_steps.batch_of(pairs, tokenizer, seed=0, count=3)


def test_a_batch_is_drawn_by_its_seed_and_every_row_weighs_one(here):
    _, _, part = here
    assert len(part.starts) == 4 and (part.weights == 1).all()


def test_to_first_order_the_formula_is_the_step_taken(here):
    angle, lengths, by_formula, taken = first_steps.gain_for_y(*here)
    assert taken == pytest.approx(by_formula, abs=0.01)
    assert np.cos(np.radians(angle)) * lengths == pytest.approx(by_formula)


def test_token_mean_takes_the_fraction_of_y_and_a_step_along_both_gains_what_each_gains(here):
    theta, config, part = here
    gains = first_steps.joint_over_conditional(theta, part)
    assert gains["SGD, sum"] == pytest.approx(1 + first_steps.gain_for_y(theta, config, part)[2])
    assert gains["SGD, token_mean"] == pytest.approx(gains["SGD, sum"] * part.is_y.mean())
    assert abs(gains["AdamW, either"]) <= 1 and 0 <= gains["entries"] <= 1
