"""KL(π ‖ π̂): a wrong divergence is told what it is."""

import numpy as np
import pytest

from minisft.course.three_states import divergence

from .conftest import each_seed, told

WRONG_DIVERGENCES = {
    "taken under θ̂": lambda p, q: np.mean(np.sum(np.exp(q) * (q - p), -1)),
    "never negative": lambda p, q: np.mean(np.sum(np.exp(p) * (q - p), -1)),
    "averages over the vocabulary": lambda p, q: np.mean(np.exp(p) * (p - q)),
    "sums over the rows": lambda p, q: np.sum(np.exp(p) * (p - q)),
    "in bits": lambda p, q: np.mean(np.sum(np.exp(p) * np.log2(np.exp(p) / np.exp(q)), -1)),
    "log π stands where π belongs": lambda p, q: np.mean(np.sum(p * (p - q), -1)),
    "its weight π(v) is missing": lambda p, q: np.mean(np.sum(p - q, -1)),
    "only the likeliest token": lambda p, q: np.mean(
        [np.exp(a.max()) * (a.max() - b[a.argmax()]) for a, b in zip(p, q)]
    ),
    "cross-entropy": lambda p, q: -np.mean(np.sum(np.exp(p) * q, -1)),
    "the shape is (7,)": lambda p, q: np.sum(np.exp(p) * (p - q), -1),
    " is right": lambda p, q: np.mean(np.sum(np.exp(p) * (np.exp(p) - np.exp(q)), -1)),
    "it returns nothing": lambda p, q: None,
}


@each_seed
@pytest.mark.parametrize("words", WRONG_DIVERGENCES)
def test_a_wrong_divergence_is_named(words, seed):
    told(divergence(WRONG_DIVERGENCES[words], seed), words)
