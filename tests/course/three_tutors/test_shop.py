"""The weights of the shop: the solution passes, and wrong ones are named."""

from itertools import pairwise

import numpy as np
import pytest

from course.solutions import solution
from minisft.course import three_tutors as check

from .conftest import NAME, each_seed, stub


@each_seed
def test_the_weights_of_the_solution_are_right(seed):
    assert check.weights(solution(NAME, "weights")["weights"], seed).right is True


def test_weights_written_with_loops_are_right():
    def loops(is_y, starts):
        w = np.zeros(len(is_y))
        for first, last in pairwise(starts):
            for i in range(first, last):
                w[i] = 1 / (len(starts) - 1) if is_y[i] else 0
        return w

    assert check.weights(loops).right is True


def joint(is_y, starts):
    return np.full(len(is_y), 1 / (len(starts) - 1))


def questions(is_y, starts):
    return np.where(is_y, 0.0, 1.0) / (len(starts) - 1)


def token_mean(is_y, starts):
    return is_y.astype(float) / is_y.sum()


def over_all_rows(is_y, starts):
    return is_y.astype(float) / starts[-1]


def one_too_many(is_y, starts):
    return is_y / len(starts)


def sequence_mean(is_y, starts):
    w = np.zeros(len(is_y))
    for first, last in pairwise(starts):
        w[first:last] = is_y[first:last] / is_y[first:last].sum() / (len(starts) - 1)
    return w


def no_end_token(is_y, starts):
    w = is_y.astype(float)
    for i in range(len(w) - 1):
        if is_y[i] and not is_y[i + 1]:
            w[i] = 0
    return w / (len(starts) - 1)


def shifted_again(is_y, starts):
    return np.concatenate([is_y[1:], [False]]) / (len(starts) - 1)


def the_sum(is_y, starts):
    return np.array(is_y, float)


def minimised(is_y, starts):
    return -1 * is_y / (len(starts) - 1)


@pytest.mark.parametrize(
    "answer, words",
    [
        (joint, "joint objective"),
        (questions, "0 on y"),
        (token_mean, "token_mean"),
        (over_all_rows, "number of all rows"),
        (one_too_many, "one entry more"),
        (sequence_mean, "own number of tokens"),
        (no_end_token, "never learns to stop"),
        (shifted_again, "shifted once more"),
        (the_sum, "not divided by their number"),
        (minimised, "sign is turned"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_wrong_weights_are_named(answer, words, seed):
    verdict = check.weights(answer, seed)
    assert verdict.right is False and words in verdict.text


@pytest.mark.parametrize("result", ["w", (np.ones(3), 0), {"w": 1}])
def test_what_is_no_array_of_numbers_is_called_so(result):
    assert "numbers are wanted" in check.weights(lambda is_y, starts: result).text


@pytest.mark.parametrize("answer", [stub, lambda is_y, starts: ...])
def test_weights_not_written_yet_are_no_mistake(answer):
    assert check.weights(answer).right is None and check.probabilities(stub).right is None
