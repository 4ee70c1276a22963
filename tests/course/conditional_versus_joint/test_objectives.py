"""A rule that says who wins, and an objective of one's own: each is told what is wrong with it."""

import numpy as np
import pytest

from minisft.course import conditional_versus_joint as check
from minisft.course.conditional_versus_joint.experiment import last_token, weighted

from .conftest import MEASURED, wrong


@pytest.mark.parametrize(
    "rule, words",
    [
        (lambda ratio, only_in_x: "conditional", "whatever is asked"),
        (lambda ratio, only_in_x: "joint", "whatever is asked"),
        (lambda ratio, only_in_x: "joint" if ratio > 2 else "conditional", "ratio alone"),
        (lambda ratio, only_in_x: "joint" if ratio < 2 else "conditional", "ratio alone"),
        (lambda ratio, only_in_x: "conditional" if only_in_x else "joint", "wrong way round"),
        (lambda ratio, only_in_x: "joint" if only_in_x and ratio > 5 else "conditional", "mixes the ratio in"),
        (lambda ratio, only_in_x: "joint" if only_in_x or ratio < 2 else "conditional", "mixes the ratio in"),
        (lambda ratio, only_in_x: only_in_x, "neither"),
        (lambda ratio, only_in_x: ["joint"], "neither"),
    ],
)
def test_a_rule_that_fails_is_told_why(rule, words):
    wrong("predict_winner", rule, words)


def test_what_the_seeds_do_not_decide_is_held_against_no_rule():
    assert (
        "all 3" in check.predict_winner(lambda ratio, only_in_x: "joint" if only_in_x else "conditional", MEASURED).text
    )


def raises_x(mask):
    return np.where(mask, 1.0, -0.1)


@pytest.mark.parametrize(
    "rule, words",
    [
        (lambda mask: mask, "conditional objective"),
        (lambda mask: 7.0 * mask, "conditional objective"),
        (lambda mask: np.ones(len(mask)), "joint objective"),
        (weighted(0.1), "λ = 0.1"),
        (lambda mask: np.where(mask, 10.0, 1.0), "λ = 0.1"),
        (last_token, "last token"),
        (lambda mask: ~mask, "log Pr(x) alone"),
        (lambda mask: np.arange(len(mask)) == 0, "no weight on y"),
        (lambda mask: np.zeros(len(mask)), "nothing to learn"),
        (lambda mask: -1.0 * mask, "weight on y is negative"),
        (raises_x, "weight on x is negative"),
        (lambda mask: mask / 0.0, "not finite"),
        (lambda mask: 1.0, "one number for each row"),
        (lambda mask: mask[1:], "one number for each row"),
        (lambda mask: np.random.default_rng().uniform(size=len(mask)), "other weights each time"),
        (lambda mask: ["a"] * len(mask), "no array of numbers"),
    ],
)
def test_an_objective_that_cannot_be_or_is_known_is_told_so(rule, words):
    wrong("my_objective", rule, words)


@pytest.mark.parametrize(
    "rule",
    [
        weighted(0.03),
        weighted(0.3),
        lambda mask: np.cumsum(mask),
        lambda mask: mask + 4 * last_token(mask),
        lambda mask: mask.tolist() and np.cumsum(mask).tolist(),
    ],
)
def test_a_new_objective_is_welcome(rule):
    assert check.my_objective(rule).right
