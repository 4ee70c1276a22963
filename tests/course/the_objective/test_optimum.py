"""The optimum of a small data set, and a step towards it: each mistake is told by its name."""

import numpy as np

from minisft.course import the_objective as check

from .conftest import named, softmax, wrong

OPTIMA = [
    (lambda n: np.full(len(n), 1 / len(n)), "equally likely"),
    (lambda n: (n == n.max()).astype(float), "all mass is on the commonest"),
    (lambda n: n * 1.0, "these are the counts"),
    (lambda n: np.exp(n) / np.exp(n).sum(), "softmax of the counts"),
    (lambda n: (n + 1) / (n.sum() + len(n)), "one was added"),
    (lambda n: n**2 / (n**2).sum(), "too sharp"),
    (lambda n: n**0.5 / (n**0.5).sum(), "too flat"),
    (lambda n: (1 / n) / sum(1 / n), "one over the counts"),
    (lambda n: np.log(n) / np.log(n).sum(), "logarithms of the counts"),
    (lambda n: n / n.max(), "divided by the largest"),
    (lambda n: np.log(n / n.sum()), "this is log Pr"),
    (lambda n: n[::-1] / n.sum(), "a little mass moved"),
    (lambda n: 2 * n / n.sum(), "is no distribution"),
    (lambda n: np.sort(n) / n.sum(), "a little mass moved"),
    (lambda n: np.where(n == n.min(), 0, n) / (n.sum() - n.min()), "has probability 0"),
    (lambda n: n.sum(), "a probability for each"),
    (lambda n: "n / N", "a probability for each"),
    (lambda n: np.full(len(n), np.nan), "is no distribution"),
]


@named(OPTIMA)
def test_a_wrong_optimum_is_told_what_it_is(answer, words):
    wrong(check.optimum, answer, words, seeds=(0, 1, 2))


STEPS = [
    (lambda z, n, eta: z - eta * (n / n.sum() - softmax(z)), "downhill"),
    (lambda z, n, eta: z + eta * (n - softmax(z)), "divide them by their sum"),
    (lambda z, n, eta: z + eta * (n - n.sum() * softmax(z)), "N times smaller"),
    (lambda z, n, eta: z + eta * n / n.sum() / softmax(z), "the derivative by π"),
    (lambda z, n, eta: z + eta * n / n.sum(), "the term −π is missing"),
    (lambda z, n, eta: n / n.sum() - softmax(z), "this is the gradient"),
    (lambda z, n, eta: eta * (n / n.sum() - softmax(z)), "add it to z"),
    (lambda z, n, eta: z + n / n.sum() - softmax(z), "η is missing"),
    (lambda z, n, eta: softmax(z + eta * (n / n.sum() - softmax(z))), "π after the step"),
    (lambda z, n, eta: z + eta * (n / n.sum() - z), "z is taken for π"),
    (lambda z, n, eta: z + eta * (n / n.sum() - np.exp(z)), "is right"),
    (lambda z, n, eta: z + eta, "is right"),
]


@named(STEPS)
def test_a_wrong_step_is_told_what_it_is(answer, words):
    wrong(check.one_step, answer, words)
