"""Pr(answer | enquiry) of the help desk: each answer in all its tokens, with its end token."""

import numpy as np

from minisft.course.grading.arrays import numeric
from minisft.course.grading.comparison import judge
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict


def of_y(log_probs, masks):
    return [v[m[1:]] for v, m in zip(log_probs, masks)]


def right_probabilities(log_probs, masks):
    return np.array([np.exp(v.sum()) for v in of_y(log_probs, masks)])


def each(f, part=of_y):
    """A way to make one number a sequence of the log-probabilities that `part` picks."""
    return lambda log_probs, masks: np.array([f(v) for v in part(log_probs, masks)])


def normalised(log_probs, masks):
    p = right_probabilities(log_probs, masks)
    return p / p.sum()


PROBABILITIES = {
    "these are log-probabilities: exp is missing": each(np.sum),
    "the end token is left out: this is the probability that the model begins so, not that it then stops": each(
        lambda v: np.exp(v[:-1].sum())
    ),
    "the prompt is in the sum: this is Pr(enquiry, answer)": each(lambda v: np.exp(v.sum()), lambda v, m: v),
    "divided by the number of tokens: this is the mean probability of a token, not of the answer": each(
        lambda v: np.exp(v.mean())
    ),
    "made to sum to 1 over the candidates: the model may say something else, and that must stay missing": normalised,
    "a softmax over the means of the candidates: these are shares among them, not the model's probabilities": (
        lambda v, m: each(lambda u: np.exp(u.mean()))(v, m) / each(lambda u: np.exp(u.mean()))(v, m).sum()
    ),
    "the probabilities of the tokens are added; they are to be multiplied": each(lambda v: np.exp(v).sum()),
    "the mean of the tokens' probabilities is no probability of the answer: multiply them": each(
        lambda v: np.exp(v).mean()
    ),
    "the mask is aligned with the inputs: log_probs[k][i] is about token i + 1, so take mask[1:]": each(
        lambda v: np.exp(v.sum()), lambda v, m: [a[b[:-1]] for a, b in zip(v, m)]
    ),
    "the tokens of x are taken, not those of y": each(
        lambda v: np.exp(v.sum()), lambda v, m: [a[~b[1:]] for a, b in zip(v, m)]
    ),
    "the first token of the answer is left out": each(lambda v: np.exp(v[1:].sum())),
    "only the last token, the end token, is taken": each(lambda v: np.exp(v[-1])),
    "only the least likely token is taken: the probability is the product of all": each(lambda v: np.exp(v.min())),
    "10 or 2 to the power of nats: with natural logarithms the base is e": each(lambda v: 2 ** v.sum()),
}


@exercise
def probabilities(answer, seed=None) -> Verdict:
    """answer(log_probs, masks) -> Pr(answer k | enquiry) (K,), from lists of (n − 1,) and of (n,)."""
    rng = np.random.default_rng(seed)
    cases = []
    for candidates in (2, 3, 4):
        x = int(rng.integers(3, 7))
        masks = [np.repeat([False, True, False], (x, int(rng.integers(3, 8)), 1)) for _ in range(candidates)]
        cases.append(([np.log(rng.uniform(0.2, 0.9, len(mask) - 1)) for mask in masks], masks))
    praise = "each answer with its end token, in all its tokens; what is missing to 1 is what else the model may say"
    return judge(numeric(answer), right_probabilities, cases, PROBABILITIES, praise)
