"""The film of a run: a wrong flip is told what it did."""

import numpy as np
import pytest

from minisft.course.three_states import flip_step

from .conftest import each_seed, told


def flip_first(right):
    return np.array([next((t for t in range(len(right)) if right[t, j]), len(right)) for j in range(right.shape[1])])


def flip_last_wrong(right):
    return np.array([max((t for t in range(len(right)) if not right[t, j]), default=-1) for j in range(right.shape[1])])


WRONG_FLIPS = {
    "even if it turns wrong again": flip_first,
    "0 where there is none": lambda right: np.argmax(right, axis=0),
    "right from the beginning": lambda right: len(right) - np.argmin(right[::-1], axis=0),
    "the last wrong step": flip_last_wrong,
    "counts the wrong steps": lambda right: np.sum(~right, axis=0),
    "counts the right steps": lambda right: right.sum(axis=0),
    "rows and columns are exchanged": lambda right: flip_last_wrong(right.T) + 1,
    "gets T: no step of the run": lambda right: np.minimum(flip_last_wrong(right) + 1, len(right) - 1),
    "how long the answer has been right": lambda right: len(right) - 1 - flip_last_wrong(right),
    "the shape is": lambda right: (flip_last_wrong(right) + 1)[:-1],  # the rest: in no catalogue
    " is right": lambda right: flip_last_wrong(right) + 2,
    "it stops with IndexError": lambda right: right[:, 99],
}


@each_seed
@pytest.mark.parametrize("words", WRONG_FLIPS)
def test_a_wrong_flip_is_named(words, seed):
    told(flip_step(WRONG_FLIPS[words], seed), words)
