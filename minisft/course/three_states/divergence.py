"""KL(π ‖ π̂), exact: how far the probabilities have moved from those of θ̂."""

import numpy as np

from minisft.course.grading.comparison import judge
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict


def exact_kl(log_pi, log_pi_hat):
    return (np.exp(log_pi) * (log_pi - log_pi_hat)).sum(-1).mean()


@exercise
def divergence(answer, seed=None) -> Verdict:
    z, z_hat = np.random.default_rng(seed).standard_normal((2, 4, 7, 5)) * 2
    cases = [tuple(a - np.log(np.exp(a).sum(-1, keepdims=True)) for a in pair) for pair in zip(z, z_hat)]
    mistakes = {
        "it is KL(π̂ ‖ π): the expectation is taken under θ̂, not under θ": lambda a, b: exact_kl(b, a),
        "the sign is turned: a divergence is never negative": lambda a, b: -exact_kl(a, b),
        "it averages over the vocabulary, too: sum over v, then average over the rows": lambda a, b: exact_kl(a, b) / 5,
        "it sums over the rows: nats a token are wanted, so average over them": lambda a, b: exact_kl(a, b) * 7,
        "it is in bits: use the natural logarithm": lambda a, b: exact_kl(a, b) / np.log(2),
        "log π stands where π belongs: the weight of each v is exp of it": lambda a, b: (a * (a - b)).sum(-1).mean(),
        "each v counts the same: its weight π(v) is missing": lambda a, b: (a - b).sum(-1).mean(),
        "only the likeliest token counts: the sum runs over the whole vocabulary": (
            lambda a, b: np.take_along_axis(np.exp(a) * (a - b), a.argmax(-1)[:, None], -1).mean()
        ),
        "it is the cross-entropy: the entropy of π is not taken off": lambda a, b: -(np.exp(a) * b).sum(-1).mean(),
    }
    return judge(answer, exact_kl, cases, mistakes, "exact, on four pairs of random distributions, in nats a token")
