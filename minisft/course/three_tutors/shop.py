"""The shop: its facts as plain text, and the weights of its objective, the mean over the pairs of log Pr(y|x)."""

import re

import numpy as np

from minisft import data
from minisft.course.grading.arrays import numeric
from minisft.course.grading.comparison import judge
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict


def plain(answer: str) -> data.Example:
    """An answer as plain text to be continued: all but the fact it ends with, and the fact."""
    beginning, *_, fact = re.split(r"(?<= costs)|(?<= made of)|(?<= lasts)|(?<= is)(?= (?!made))", answer)
    return data.Example(beginning, fact, "")


def mean_over_pairs(is_y, starts):
    return is_y / (len(starts) - 1)


def pairs_of(is_y, starts):
    """The number of the pair of each row, and how many rows of y that pair has."""
    pair = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return pair, np.bincount(pair, is_y)[pair]


def without_the_last(is_y):
    """The same mask, but for the last row of each run."""
    return is_y & np.append(is_y[1:], False)


WEIGHTS = {
    "w is 1 on x too: this is the joint objective, log Pr(x, y)": lambda m, s: np.ones(len(m)) / (len(s) - 1),
    "w is 1 on x and 0 on y: this trains the questions, log Pr(x)": lambda m, s: ~m / (len(s) - 1),
    "the sum over the pairs is not divided by their number S": lambda m, s: m.astype(float),
    "you divide by the number of tokens of y (token_mean); the mean runs over the pairs": lambda m, s: m / m.sum(),
    "you divide by the number of all rows; the mean runs over the pairs": lambda m, s: m / len(m),
    "each pair is divided by its own number of tokens: then its term is no longer log Pr(y|x)": lambda m, s: (
        m / (len(s) - 1) / pairs_of(m, s)[1]
    ),
    "each pair is divided by its number of tokens, and not by the number of pairs": lambda m, s: m / pairs_of(m, s)[1],
    "S is len(starts) − 1: `starts` has one entry more than there are pairs": lambda m, s: m / len(s),
    "the end token has weight 0: a model trained so never learns to stop": lambda m, s: (
        without_the_last(m) / (len(s) - 1)
    ),
    "the mask is shifted once more: is_y[i] is about the token that row i predicts already": lambda m, s: (
        np.append(m[1:], False) / (len(s) - 1)
    ),
    "the mask is shifted to the right: row i then counts if the token it reads belongs to y": lambda m, s: (
        np.append(False, m[:-1]) / (len(s) - 1)
    ),
    "the sign is turned: J is maximised, and the trainer sets the minus": lambda m, s: m / (1 - len(s)),
}


@exercise
def weights(answer, seed=None) -> Verdict:
    """answer(is_y (N,), starts (S + 1,)) -> w (N,) with Σ w log π = the mean over the pairs of log Pr(y|x)."""
    rng = np.random.default_rng(seed)
    cases = []
    for pairs in (3, 5, 4):
        lengths = zip(rng.integers(2, 6, pairs), rng.permutation(9)[:pairs] + 2)
        masks = [np.repeat([False, True, False], (x, y, 1)) for x, y in lengths]  # a line break ends it
        cases.append((np.concatenate(masks), np.cumsum([0, *map(len, masks)])))
    praise = "Σ w log π is the mean of log Pr(y|x) over the pairs: each pair counts once, a long answer as a whole"
    return judge(numeric(answer), mean_over_pairs, cases, WEIGHTS, praise)
