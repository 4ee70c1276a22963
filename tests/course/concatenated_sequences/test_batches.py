"""Weights of a step, and sequences laid end to end: each mistake is called by its name."""

from itertools import pairwise

import numpy as np
import pytest

from minisft.course import concatenated_sequences as check


def mean_of_means(parts):
    return [m / m.sum() / len(parts) if m.any() else m for m in parts]


def means_unguarded(parts):
    return [m / m.sum() / len(parts) for m in parts]


def own_sums(parts):
    return [m / max(m.sum(), 1e-30) for m in parts]


def rows_counted(parts):
    return [m / sum(len(p) for p in parts) for m in parts]


def positives_counted(parts):
    total = sum((p > 0).sum() for p in parts)
    return [m / total if total else m for m in parts]


def twice(parts):
    total = sum(p.sum() for p in parts) or 1
    return [m / total / len(parts) for m in parts]


def unguarded(parts):
    total = sum(p.sum() for p in parts)
    return [m / total for m in parts]


def one_array(parts):
    m = np.concatenate(parts)
    return m / max(m.sum(), 1)


def a_sequence_the_same_say(parts):
    return [m / max(m.sum(), 1) / max(sum(p.any() for p in parts), 1) * 2 for m in parts]


@pytest.mark.parametrize(
    "answer, words",
    [
        (mean_of_means, "mean of means"),
        (means_unguarded, "mean of means"),
        (means_unguarded, "0 / 0 gives NaN"),
        (own_sums, "that many times too large"),
        (rows_counted, "all rows"),
        (positives_counted, "not by the sum of m"),
        (twice, "divided twice"),
        (lambda parts: [1.0 * m for m in parts], "nothing is divided"),
        (lambda parts: [m / len(parts) for m in parts], "number of micro-batches alone"),
        # not in the catalogue
        (unguarded, "0 / 0 gives NaN: there the weights are 0"),
        (one_array, "should return 3 arrays"),
        (a_sequence_the_same_say, "micro-batch 0: entry"),
        (lambda parts: [m[m > 0] for m in parts], "the shape"),
        (lambda parts: [m * 0 for m in parts], "micro-batch 0: entry"),
        (lambda parts: [-m / max(sum(p.sum() for p in parts), 1) for m in parts], "micro-batch 0: entry"),
    ],
)
def test_a_wrong_step_is_called_by_its_mistake(answer, words):
    for seed in (0, 1):
        verdict = check.step_weights(answer, seed=seed)
        assert verdict.right is False and words in verdict.text, verdict


def batch_of(lengths, restart=True, block=True, causal=np.tril, first=0, starts=slice(None)):
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    n = bounds[-1]
    positions = np.concatenate([np.arange(first, first + k) for k in lengths]) if restart else np.arange(n)
    allowed = np.zeros((n, n), bool) if block else np.ones((n, n), bool)
    for a, b in pairwise(bounds):
        allowed[a:b, a:b] = True
    return bounds[starts], positions, causal(allowed)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"restart": False}, "run on through the batch"),
        ({"block": False}, "leak into it"),
        ({"restart": False, "block": False}, "one long text"),
        ({"causal": lambda allowed: allowed}, "what follows it"),
        ({"causal": np.triu}, "transposed"),
        ({"causal": lambda allowed: np.tril(allowed, -1)}, "may not read itself"),
        ({"first": 1}, "begin at 1"),
        ({"starts": slice(-1)}, "lacks its last entry"),
        ({"starts": slice(1, None)}, "lacks its first entry"),
        ({"causal": lambda allowed: ~np.tril(allowed)}, "inverted"),
        # not in the catalogue
        ({"first": 2}, "positions: entry 0 is 2 where 0 is right"),
        ({"causal": lambda allowed: np.where(np.tril(allowed), 0.0, -np.inf)}, "allowed: entry"),
        ({"causal": lambda allowed: np.tril(allowed, 1)}, "allowed: entry"),
        ({"causal": lambda allowed: allowed[:-1]}, "allowed: the shape"),
        ({"restart": False, "causal": np.triu}, "positions: entry"),
    ],
)
def test_a_wrong_layout_is_called_by_its_mistake(changes, words):
    for seed in (0, 1):
        verdict = check.layout(lambda lengths: batch_of(lengths, **changes), seed=seed)
        assert verdict.right is False and words in verdict.text, verdict
