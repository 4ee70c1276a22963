"""Five wrong objectives, repaired one by one: the verdict names those still wrong."""

import numpy as np

from minisft.course.grading.arrays import numeric
from minisft.course.grading.comparison import judge
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Stumbled, Verdict
from minisft.course.three_tutors.shop import without_the_last

TERM = {
    "still Pr(y|x), a product: its logarithm is wanted, so that a pair of small probability counts too": lambda v: (
        np.exp(v.sum())
    ),
    "the probabilities of the tokens are added: add their logarithms": lambda v: np.exp(v).sum(),
    "the logarithm of the sum of the tokens' probabilities: log Pr(y|x) is the sum of the logarithms": lambda v: np.log(
        np.exp(v).sum()
    ),
    "the mean over the tokens of y: log Pr(y|x) is their sum": np.mean,
    "the end token is left out": lambda v: v[:-1].sum(),
    "the sign is turned: `loss_of` does that": lambda v: -v.sum(),
}
PAIR_OF = {
    "still log Pr(x|y): the answer is given, and the question is to be predicted": lambda q, a: pair(a, q),
    "the question is in y as well: it would be predicted too": lambda q, a: pair(q, q + a),
    "all of it is y: this is log Pr(x, y)": lambda q, a: pair("", q + a),
    "x is empty: this is log Pr(y), the answer to no question": lambda q, a: pair("", a),
    "the answer stands in x too: it would be given": lambda q, a: pair(q + a, a),
    "x and y are stripped: they are concatenated as they are": lambda q, a: pair(q.strip(), a.strip()),
}
COUNTED = {
    "still the sum over x only": lambda m: ~m,
    "x counts too: this is log Pr(x, y)": lambda m: np.ones(len(m)),
    "the end token does not count": without_the_last,
    "shifted once more: is_y[i] is about the token that row i predicts already": lambda m: np.append(m[1:], False),
    "shifted to the right: row i then counts if the token it reads belongs to y": lambda m: np.append(False, m[:-1]),
    "divided by the number of tokens: `mean` divides, by the number of pairs": lambda m: m / m.sum(),
    "the sign is turned: `loss_of` does that": lambda m: -m.astype(float),
}
LOSS = {
    "still argmin: a trainer that lowers this makes the right answers less likely": np.mean,
    "the sum, without the minus": np.sum,
    "the sum over the pairs: the mean is wanted": lambda v: -v.sum(),
    "exp of the terms: the loss is their mean, with a minus": lambda v: -np.exp(v).mean(),
    "only the worst pair counts": lambda v: -v.min(),
    "it is the median": lambda v: -np.median(v),
}
MEAN = {
    "still the mean of the slices' means: a pair in a small slice counts more than another": lambda p: np.mean(
        [v.mean() for v in p]
    ),
    "divided by the number of slices, not of pairs": lambda p: sum(v.sum() for v in p) / len(p),
    "the slices' means are added: the value grows with the number of slices": lambda p: sum(v.mean() for v in p),
    "the sum, divided by nothing": lambda p: sum(v.sum() for v in p),
    "every slice is divided by the size of the first: the last one may be smaller": lambda p: np.mean(
        [v.sum() / len(p[0]) for v in p]
    ),
    "only the first slice is in it": lambda p: p[0].mean(),
    "only the last slice is in it": lambda p: p[-1].mean(),
}


def pair(x, y):
    return {"prompt": x, "completion": y}


@exercise
def repaired(pair_of, term, counted, loss_of, mean, seed=None) -> Verdict:
    """The five functions of the exercise, each alone, on random cases; the verdict names those that are still wrong."""
    rng = np.random.default_rng(seed)
    words = rng.permutation(["lamp", "mug", "chair", "radio", "kettle", "knife"])
    asked = [(f"How much is the {word}?\n", f"It is {rng.integers(2, 99)} euros.") for word in words[:3]]
    tokens = [np.log(rng.uniform(0.2, 0.9, rng.integers(4, 9))) for _ in range(3)]
    masks = [np.repeat([False, True, False], rng.integers([3, 4, 1], [6, 8, 3])) for _ in range(3)]
    terms = [np.log(rng.uniform(0.1, 0.9, size)) for size in (3, 5, 6)]
    slices = [
        np.split(np.log(rng.uniform(0.1, 0.9, size)), cuts) for size, cuts in ((7, [3, 6]), (6, [4]), (5, [2, 4]))
    ]
    verdicts = {
        "pair_of": judge(pair_of, pair, asked, PAIR_OF, ""),
        "term": judge(numeric(term), np.sum, [(v,) for v in tokens], TERM, ""),
        "counted": judge(numeric(counted), lambda m: m * 1.0, [(m,) for m in masks], COUNTED, ""),
        "loss_of": judge(numeric(loss_of), lambda v: -v.mean(), [(v,) for v in terms], LOSS, ""),
        "mean": judge(numeric(mean), lambda p: np.concatenate(p).mean(), [(p,) for p in slices], MEAN, ""),
    }
    said = [f"`{name}`: {verdict.text}" for name, verdict in verdicts.items() if verdict.right is False]
    if said:
        return Verdict(False, "; ".join(said))
    missing = [name for name, verdict in verdicts.items() if verdict.right is None]
    if missing:
        raise Stumbled(None, f"not written yet: {', '.join(missing)}")
    return Verdict(
        True, "all five: (x, y), log, y, minus, and the number of the pairs stand where the formula has them"
    )
