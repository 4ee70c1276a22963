"""The share of y and the weights under each reduction: each mistake is told by its name."""

from itertools import pairwise

import numpy as np
import pytest

from minisft import data

from .conftest import wrong


def sums(masks, first=1):
    return sum((~m[first:]).sum() for m in masks), sum(m[first:].sum() for m in masks)


def with_first_token(masks, lam):
    n_x, n_y = sums(masks, 0)
    return n_y / (lam * n_x + n_y)


def share_of_x(masks, lam):
    n_x, n_y = sums(masks)
    return lam * n_x / (lam * n_x + n_y)


def quotient(masks, lam):
    n_x, n_y = sums(masks)
    return n_y / n_x


def without_lambda(masks, lam):
    n_x, n_y = sums(masks)
    return n_y / (n_x + n_y)


def lambda_on_y(masks, lam):
    n_x, n_y = sums(masks)
    return lam * n_y / (n_x + lam * n_y)


def mean_of_shares(masks, lam):
    return np.mean([m[1:].sum() / (lam * (~m[1:]).sum() + m[1:].sum()) for m in masks])


@pytest.mark.parametrize(
    "answer, words",
    [
        (with_first_token, "first token"),
        (share_of_x, "fraction of x"),
        (quotient, "N_y / N_x"),
        (without_lambda, "λ is missing"),
        (lambda_on_y, "applied to y"),
        (mean_of_shares, "mean of the fractions"),
        (lambda masks, lam: 1.0, "is right"),
        (lambda masks, lam: [0.5], "shape"),
    ],
)
def test_a_mistake_in_the_share_is_named(answer, words):
    wrong("completion_share", answer, words)


def weights(mask, starts, lam, reduction, m=None):
    return data.weights(np.where(mask, 1.0, lam) if m is None else m, starts, reduction)


def late_lambda(mask, starts, lam, reduction):
    w = data.weights(np.ones(len(mask)), starts, reduction)
    return np.where(mask, w, lam * w)


def late_lambda_over_y(mask, starts, lam, reduction):
    if reduction == "sum":
        return np.where(mask, 1.0, lam)
    if reduction == "token_mean":
        return np.where(mask, 1.0, lam) / mask.sum()
    result = []
    for a, b in pairwise(starts):
        result.append(np.where(mask[a:b], 1.0, lam) / (mask[a:b].sum() or 1))
    return np.concatenate(result) / sum(mask[a:b].any() for a, b in pairwise(starts))


def one_per_sequence(mask, starts, lam, reduction):
    w = weights(mask, starts, lam, reduction)
    if reduction != "sequence_mean":
        return w
    return np.concatenate([w[a:b] / (w[a:b].sum() or 1) for a, b in pairwise(starts)])


def all_sequences(mask, starts, lam, reduction):
    w = one_per_sequence(mask, starts, lam, reduction)
    return w / (len(starts) - 1) if reduction == "sequence_mean" else w


def late_boundary(mask, starts, lam, reduction):
    m = np.where(mask, 1.0, lam)
    for i in range(1, len(mask)):
        if mask[i] and not mask[i - 1]:
            m[i] = lam
    return weights(mask, starts, lam, reduction, m)


@pytest.mark.parametrize(
    "answer, words",
    [
        (lambda mask, *a: weights(~mask, *a), "applied to y"),
        (late_lambda, "counts all rows"),
        (late_lambda_over_y, "after normalising"),
        (late_boundary, "boundary"),
        (lambda mask, *a: weights(np.r_[False, mask[:-1]], *a), "aligned with the inputs"),
        (lambda mask, starts, lam, r: weights(mask, starts, 0.0, r), "x has weight 0"),
        (lambda mask, starts, lam, r: weights(mask, starts, 1.0, r), "x has weight 1"),
        (one_per_sequence, "number of sequences"),
        (all_sequences, "without any weight"),
        (lambda mask, starts, lam, r: weights(mask, starts, lam, "sum" if r == "sum" else "token_mean"), "token_mean"),
        (lambda mask, starts, lam, r: weights(mask, starts, lam, "sum" if r == "token_mean" else r), "not normalised"),
        (lambda mask, starts, lam, r: weights(mask, starts, lam, "token_mean" if r == "sum" else r), "formula itself"),
        (lambda mask, starts, lam, r: -weights(mask, starts, lam, r), "the sign is turned"),
        (lambda mask, starts, lam, r: weights(mask, starts, lam**2, r), "is right"),
        (lambda mask, starts, lam, r: weights(mask, starts, lam, r)[1:], "shape"),
    ],
)
def test_a_mistake_in_the_weights_is_named(answer, words):
    wrong("weigh", answer, words)
