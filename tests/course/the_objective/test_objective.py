"""J(θ) from the model alone: each mistake is told by its name."""

import numpy as np

from minisft import model
from minisft.course import the_objective as check

from .conftest import named, softmax, wrong


def per_token(theta, config, pairs, begin=0, end=0, shift=1, axis=-1, read_x=True):
    """[Pr of the tokens of y] for each pair; the options are ways to get it wrong."""
    result = []
    for x, y in pairs:
        ids = np.array([*x, *y]) if read_x else y
        z, _ = model.forward(theta, config, ids, np.array([0, len(ids)]), np.arange(len(ids)))
        pi = softmax(z, axis)
        first = len(x) if read_x else 1
        result.append(np.array([pi[i - 1, ids[i - 1 + shift]] for i in range(first + begin, len(ids) - end)]))
    return result


def logs(*a, **options):
    return [np.log(pr) for pr in per_token(*a, **options)]


def total(*a, **options):
    return sum(v.sum() for v in logs(*a, **options))


def everything(theta, config, pairs):
    return total(theta, config, [(np.concatenate((x, y))[:1], np.concatenate((x, y))[1:]) for x, y in pairs])


def packed_without_starts(theta, config, pairs):
    ids = np.concatenate([np.concatenate(pair) for pair in pairs])
    z, _ = model.forward(theta, config, ids, np.array([0, len(ids)]), np.arange(len(ids)))
    pi, at, J = softmax(z), 0, 0.0
    for x, y in pairs:
        for i in range(at + len(x), at + len(x) + len(y)):
            J += np.log(pi[i - 1, ids[i]])
        at += len(x) + len(y)
    return J


def bare(theta, config, pairs):
    J = 0.0
    for x, y in pairs:
        ids = np.array([*x, *y])
        z, _ = model.forward(theta, config, ids, np.array([0, len(ids)]), np.arange(len(x) - 1, len(ids) - 1))
        J += z[np.arange(len(y)), y].sum()
    return J


def rows_of_y(theta, config, pairs):
    J = 0.0
    for x, y in pairs:
        ids = np.array([*x, *y])
        z, _ = model.forward(theta, config, ids, np.array([0, len(ids)]), np.arange(len(x), len(ids)))
        J += np.log(softmax(z))[np.arange(len(y)), y].sum()
    return J


J_CASES = [
    (lambda t, c, p: total(t, c, p) / len(p), "the mean over the pairs"),
    (lambda t, c, p: np.concatenate(logs(t, c, p)).mean(), "the mean over the tokens"),
    (lambda *a: sum(v.mean() for v in logs(*a)), "the sum of the means"),
    (lambda *a: total(*a, shift=0), "no shift: row i predicts"),
    (rows_of_y, "no shift: the rows of y"),
    (everything, "the tokens of x are in the sum"),
    (lambda *a: total(*a, begin=1), "the first token of y is left out"),
    (lambda *a: total(*a, end=1), "the end token is left out"),
    (lambda *a: total(*a, read_x=False), "x is not given"),
    (packed_without_starts, "the pairs see each other"),
    (lambda *a: sum(pr.prod() for pr in per_token(*a)), "the log is missing"),
    (lambda *a: np.log(sum(pr.prod() for pr in per_token(*a))), "log Σ Pr(y|x)"),
    (lambda *a: sum(pr.sum() for pr in per_token(*a)), "probabilities of tokens are added"),
    (lambda t, c, p: total(t, c, p[:1]), "the first pair only"),
    (lambda t, c, p: total(t, c, p[-1:]), "the last pair only"),
    (lambda *a: -total(*a), "the sign is turned"),
    (bare, "without a softmax"),
    (lambda *a: total(*a, axis=0), "over the positions"),
    (lambda *a: logs(*a)[0], "the shape is"),
    (lambda *a: total(*a) / np.log(2), "bits"),
    (lambda t, c, p: total(t, c, [(y, x) for x, y in p]), "is right"),
    (lambda t, c, p: model.forward(t, c, *p[0]), "it stops with"),
    (lambda *a: print(end=""), "`return` missing"),
    (lambda *a: "J", "'J'"),
]


@named(J_CASES)
def test_a_wrong_objective_is_told_what_it_is(answer, words):
    wrong(check.J, answer, words)


def test_an_objective_that_trains_on_the_way_is_refused():
    def moving(theta, config, pairs):
        theta.flat += 1e-3
        return total(theta, config, pairs)

    wrong(check.J, moving, "changes its argument number 1")
