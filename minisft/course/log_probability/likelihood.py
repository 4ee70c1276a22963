"""log Pr(y|x) from logits, and the perplexity: a sum and a mean over the tokens of y."""

import numpy as np

from minisft.course.grading.cases import LATEST
from minisft.course.grading.comparison import judge
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict
from minisft.course.log_probability.mistakes import LOG_PR, PERPLEXITY, log_softmax, true_log_pr


def conversation(rng, tail=2, size=1.0, length=None):
    """(logits, ids, is_y) of a prompt, an answer of 3 to 6 tokens or of `length`, and `tail` tokens after it."""
    V, before, drawn = rng.integers([5, 2, 3], [9, 6, 7])
    length = length or drawn
    n = before + length + tail
    positions = np.arange(n)
    is_y = (positions >= before) & (positions < before + length)
    return size * rng.standard_normal((n, V)), rng.integers(0, V, n), is_y


def lost(got, length) -> str:
    """What became of a number that is right elsewhere, by what it is."""
    where = f"of {length} tokens" if length else "with large logits"
    try:
        value = float(got)
    except (TypeError, ValueError):
        return f"right elsewhere, not for an answer {where}"
    if np.isnan(value):
        return "exp overflows: take the largest logit of each row off first"
    if value == -np.inf:
        return (
            f"a probability of an answer {where} is too small for a float and becomes 0: add logarithms of it instead"
        )
    return f"right elsewhere, not for an answer {where}"


@exercise
def log_pr(answer, seed=None) -> Verdict:
    """answer(logits (n, V), ids (n,), is_y (n,)) -> log Pr(y|x): with tokens after y, without, and large logits."""
    rng = np.random.default_rng(seed)
    praise = "log Pr(y|x) = Σ_i log Pr(y_i | x, y_<i): right for ragged sequences and for logits of any size"
    verdict = judge(answer, true_log_pr, [conversation(rng) for _ in range(4)], LOG_PR, praise)
    if not verdict.right:
        return verdict
    verdict = judge(answer, true_log_pr, [conversation(rng, tail=0) for _ in range(2)], {}, praise)
    if not verdict.right:
        return Verdict(False, f"right while tokens follow y, wrong where y ends the sequence: {verdict.text}")
    for size, length in ((1.0, 1500), (1e3, None)):
        verdict = judge(answer, true_log_pr, [conversation(rng, size=size, length=length)], {}, praise)
        if not verdict.right:
            return Verdict(False, f"{lost(LATEST['tried'].got, length)} ({verdict.text})")
    return verdict


@exercise
def perplexity(answer, seed=None) -> Verdict:
    """answer(log_probs (n − 1,), is_y (n,)) -> exp(− mean of log Pr over the tokens of y)."""
    rng = np.random.default_rng(seed)
    cases = [conversation(rng) for _ in range(4)]
    cases = [(log_softmax(z)[np.arange(len(ids) - 1), ids[1:]], is_y) for z, ids, is_y in cases]
    praise = "a model that finds V tokens equally likely has perplexity V: yours counts choices a token"
    return judge(answer, lambda v, y: np.exp(-v[y[1:]].mean()), cases, PERPLEXITY, praise)
