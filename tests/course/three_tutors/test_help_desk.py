"""Pr(answer | enquiry) of the help desk: the solution passes, and wrong ones are named."""

import numpy as np
import pytest

from course.solutions import solution
from minisft.course import three_tutors as check

from .conftest import NAME, each_seed


@each_seed
def test_the_probabilities_of_the_solution_are_right(seed):
    assert check.probabilities(solution(NAME, "probabilities")["probabilities"], seed).right is True


def test_probabilities_multiplied_one_by_one_are_right():
    def multiplied(log_probs, masks):
        result = []
        for values, mask in zip(log_probs, masks):
            p = 1.0
            for i, value in enumerate(values):
                p *= np.exp(value) if mask[i + 1] else 1.0
            result.append(p)
        return result

    assert check.probabilities(multiplied).right is True


def logs(log_probs, masks):
    return np.array([v[m[1:]].sum() for v, m in zip(log_probs, masks)])


def without_end(log_probs, masks):
    return np.exp([v[m[1:]][:-1].sum() for v, m in zip(log_probs, masks)])


def with_prompt(log_probs, masks):
    return np.exp([v.sum() for v in log_probs])


def by_length(log_probs, masks):
    return np.exp([v[m[1:]].sum() / m.sum() for v, m in zip(log_probs, masks)])


def softmax(log_probs, masks):
    e = np.exp(logs(log_probs, masks))
    return e / e.sum()


def not_shifted(log_probs, masks):
    return np.exp([v[m[:-1]].sum() for v, m in zip(log_probs, masks)])


def sums_of_probabilities(log_probs, masks):
    return np.array([np.exp(v)[m[1:]].sum() for v, m in zip(log_probs, masks)])


def softmax_by_length(log_probs, masks):
    e = by_length(log_probs, masks)
    return e / e.sum()


@pytest.mark.parametrize(
    "answer, words",
    [
        (logs, "exp is missing"),
        (without_end, "end token is left out"),
        (with_prompt, "prompt is in the sum"),
        (by_length, "divided by the number of tokens"),
        (softmax, "sum to 1 over the candidates"),
        (not_shifted, "aligned with the inputs"),
        (sums_of_probabilities, "are added"),
        (softmax_by_length, "softmax over the means"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_wrong_probabilities_are_named(answer, words, seed):
    verdict = check.probabilities(answer, seed)
    assert verdict.right is False and words in verdict.text
