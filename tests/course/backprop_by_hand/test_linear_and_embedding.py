"""The backward of a linear map and of an embedding, as students write them: each mistake is called by its name."""

import numpy as np
import pytest

from .conftest import wrong


def linear_overwritten(p, g, x, dy):
    g.weight[...] = dy.T @ x
    return dy @ p.weight


def linear_rebound(p, g, x, dy):
    g.weight = g.weight + dy.T @ x
    return dy @ p.weight


def linear_transposed(p, g, x, dy):
    g.weight += x.T @ dy
    return dy @ p.weight


def linear_forward_again(p, g, x, dy):
    g.weight += dy.T @ x
    return dy @ p.weight.T


def linear_mean(p, g, x, dy):
    g.weight += dy.T @ x / x.shape[0]
    return dy @ p.weight


def linear_from_x(p, g, x, dy):
    g.weight += dy.T @ x
    return x @ p.weight


def linear_nothing_added(p, g, x, dy):
    return dy @ p.weight


def linear_subtracted(p, g, x, dy):
    g.weight -= dy.T @ x
    return dy @ p.weight


def linear_half(p, g, x, dy):
    g.weight += dy.T @ x
    return 0.5 * dy @ p.weight


def linear_no_return(p, g, x, dy):
    g.weight += dy.T @ x


def linear_transposed_and_overwritten(p, g, x, dy):
    g.weight[...] = x.T @ dy
    return dy @ p.weight


def linear_changes_dy(p, g, x, dy):
    g.weight += dy.T @ x
    dy *= 2
    return dy @ p.weight / 2


def linear_moves_the_weight(p, g, x, dy):
    g.weight += dy.T @ x
    p.weight += 1
    return dy @ (p.weight - 1)


def linear_short(p, g, x, dy):
    g.weight += dy.T @ x
    return (dy @ p.weight).sum(0)


def linear_single(p, g, x, dy):
    g.weight += dy.T @ x
    return (dy @ p.weight).astype(np.float32)


def linear_square_only(p, g, x, dy):
    """Right by luck for square matrices only."""
    g.weight += dy.T @ x
    return (dy @ p.weight)[:, : len(p.weight)]


def linear_returns_the_gradient(p, g, x, dy):
    return dy.T @ x


def embedding_fancy(p, g, ids, dx):
    g.weight[ids] += dx


def embedding_set(p, g, ids, dx):
    for i, row in zip(ids, dx):
        g.weight[i] = row


def embedding_by_place(p, g, ids, dx):
    g.weight[: len(ids)] += dx


def embedding_mean(p, g, ids, dx):
    for v in set(ids.tolist()):
        g.weight[v] += dx[ids == v].mean(0)


def embedding_first(p, g, ids, dx):
    tokens, first = np.unique(ids, return_index=True)
    g.weight[tokens] += dx[first]


def embedding_not_added(p, g, ids, dx):
    g.weight + np.eye(len(p.weight))[ids].T @ dx


def embedding_all_overwritten(p, g, ids, dx):
    g.weight[...] = np.eye(len(p.weight))[ids].T @ dx


def embedding_counted(p, g, ids, dx):
    np.add.at(g.weight, ids, 1.0)


def embedding_returns_it(p, g, ids, dx):
    return np.eye(len(p.weight))[ids].T @ dx


NAMED = [
    ("linear", linear_overwritten, "is overwritten: add with `+=`"),
    ("linear", linear_rebound, "would replace the array"),
    ("linear", linear_transposed, "is the transpose of the gradient"),
    ("linear", linear_forward_again, "W is transposed"),
    ("linear", linear_mean, "a mean over the rows"),
    ("linear", linear_from_x, "made of x where it should be made of dy"),
    ("linear", linear_nothing_added, "nothing is added to g.weight"),
    ("linear", linear_subtracted, "the sign of g.weight is turned"),
    ("linear", linear_half, "dx is 0.5 times the derivative"),
    ("linear", linear_no_return, "it returns nothing: dx"),
    (
        "linear",
        linear_transposed_and_overwritten,
        "which is (out, in) like W: dyᵀ x; besides",
    ),
    ("linear", linear_changes_dy, "it changes dy"),
    ("linear", linear_moves_the_weight, "it changes p"),
    ("linear", linear_short, "dx has the shape (4,)"),
    ("linear", linear_single, "a few digits only"),
    ("embedding", embedding_fancy, "repeated ids are lost: `g.weight[ids] += dx`"),
    ("embedding", embedding_by_place, "in the order of the batch"),
    ("embedding", embedding_mean, "the rows of a token are averaged"),
    ("embedding", embedding_first, "only the first row of each token"),
    ("embedding", embedding_not_added, "nothing is added"),
    ("embedding", embedding_all_overwritten, "g.weight is overwritten"),
    ("embedding", embedding_counted, "the counts of the tokens"),
]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("exercise, answer, words", NAMED)
def test_a_mistake_is_called_by_its_name(exercise, answer, words, seed):
    wrong(exercise, answer, words, seed)


UNNAMED = [
    ("linear", linear_square_only, "dx has the shape (5, 3)"),
    ("linear", linear_returns_the_gradient, "dx has the shape (4, 4)"),
    ("linear", lambda p, g, x, dy: "dx", "where dx, an array"),
    ("linear", lambda p, g, x, dy: dy @ p.wieght, "AttributeError"),
    ("linear", lambda p, x, dy: dy, "TypeError"),
    ("embedding", embedding_set, "g.weight is off by"),
    ("embedding", embedding_returns_it, "nothing is added"),
    ("embedding", lambda p, g, ids, dx: np.add.at(g.weight, ids, -dx), "the sign of g.weight is turned"),
]


@pytest.mark.parametrize("exercise, answer, words", UNNAMED)
def test_a_mistake_without_a_name_is_described_and_never_passes(exercise, answer, words):
    wrong(exercise, answer, words)
