"""A loss of one's own: it is right if its gradient is its own, and told what is wrong if not."""

import numpy as np
import pytest

from minisft.course import the_objective as check

from .conftest import named, softmax, wrong


def one_hot(z, y):
    return np.eye(len(z))[y]


def cross_entropy(z, y, sign=1.0, size=1.0):
    return -np.log(softmax(z)[y]), sign * size * (softmax(z) - one_hot(z, y))


def squared(z, y):
    pi = softmax(z)
    d = pi - one_hot(z, y)
    return 0.5 * (d**2).sum(), pi * (d - pi @ d)


def smoothed(z, y):
    target = 0.9 * one_hot(z, y) + 0.1 / len(z)
    return -(target * np.log(softmax(z))).sum(), softmax(z) - target


@pytest.mark.parametrize(
    "answer, where",
    [(cross_entropy, "the frequencies themselves"), (squared, "the frequencies themselves"), (smoothed, "not at")],
)
def test_any_loss_is_right_if_its_gradient_is_its_own_and_one_is_told_where_it_leads(answer, where):
    for seed in (0, None):
        verdict = check.own_loss(answer, seed)
        assert verdict.right and where in verdict.text, verdict


def focal_with_a_constant(z, y):
    p = softmax(z)[y]
    return -((1 - p) ** 2) * np.log(p), (1 - p) ** 2 * (softmax(z) - one_hot(z, y))


OWN = [
    (lambda z, y: cross_entropy(z, y, sign=-1), "the sign is turned"),
    (lambda z, y: cross_entropy(z, y, size=2), "0.5 times as large, at every z"),
    (focal_with_a_constant, "taken as a constant"),
    (lambda z, y: (squared(z, y)[0], softmax(z) - one_hot(z, y)), "the derivative by π"),
    (lambda z, y: (0.5 * ((softmax(z) - one_hot(z, y)) ** 2).sum(), 2 * squared(z, y)[1]), "0.5 times as large"),
    (lambda z, y: (cross_entropy(z, y)[0], -one_hot(z, y) / softmax(z)), "the derivative by π"),
    (lambda z, y: (cross_entropy(z, y)[0], -one_hot(z, y)), "the derivative by log π"),
    (lambda z, y: (cross_entropy(z, y)[0], one_hot(z, y) * (softmax(z) - 1)), "only the logit of the target"),
    (lambda z, y: (cross_entropy(z, y)[0], softmax(z)), "all entries are right but that of the target"),
    (lambda z, y: (cross_entropy(z, y)[0], np.zeros(len(z))), "the gradient is 0"),
    (lambda z, y: (1.0, np.zeros(len(z))), "the same for every z"),
    (lambda z, y: ((z**2).sum(), 2 * z), "the same for every y"),
    (lambda z, y: tuple(-part for part in cross_entropy(z, y)), "turn its sign"),
    (lambda z, y: cross_entropy(z, y)[0], "return two things"),
    (lambda z, y: (-np.log(softmax(z)), softmax(z)), "L is one number"),
    (lambda z, y: (cross_entropy(z, y)[0], 0.0), "the gradient must have the shape"),
    (lambda z, y: ("L", z), "must be numbers"),
    (lambda z, y: (np.inf, z), "not finite"),
    (lambda z, y: (cross_entropy(z, y)[0], np.roll(softmax(z), 1) - one_hot(z, y)), "difference quotient"),
    (lambda z, y: (cross_entropy(z, y)[0], z), "should sum to 0"),
]


@named(OWN)
def test_a_wrong_loss_is_told_what_is_wrong(answer, words):
    wrong(check.own_loss, answer, words)
