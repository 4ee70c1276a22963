"""J(θ) = Σᵢ wᵢ log π_θ(yᵢ | context): the one place where the objective is computed, and the one to read first.

z are the logits of the rows that count, one row for every predicted token, and π = softmax(z). The weights w say what J
is: 1 on the tokens of y and 0 on those of x give Σ log Pr(y|x), 1 on both gives Σ log Pr(x, y) (data.py, `weights`).

    log π  = z − log Σ_j exp(z_j)
    J      = Σᵢ wᵢ log π(yᵢ)                     arXiv 2501.09223, ch. 4; now from the bottom up
    ∂J/∂zᵢ = wᵢ (onehot(yᵢ) − π)                 the target is pushed up, everything else down by its probability

z may be complex, for the complex step of gradcheck.py: the largest logit is that of its real part.
"""

from collections import namedtuple

import numpy as np

from minisft import doors

Cache = namedtuple("Cache", "log_pi targets weights")


def forward(logits, targets, weights):
    doors.one_per_row(logits, targets, weights)
    log_pi = logits - logits.real.max(-1, keepdims=True)  # (M, V); leaves π as it is, and exp cannot overflow
    log_pi -= np.log(np.exp(log_pi).sum(-1, keepdims=True))
    J = (weights * log_pi[np.arange(len(targets)), targets]).sum()  # (M,) -> one number
    return J, Cache(log_pi, targets, weights)


def backward(cache, dJ):
    pi, w = np.exp(cache.log_pi), (dJ * cache.weights)[:, None]  # (M, V), (M, 1)
    return w * onehot_minus(pi, cache.targets)


def onehot_minus(pi, targets):
    """onehot(targets) − π, in the memory of π, for most of it is −π."""
    np.negative(pi, out=pi)
    pi[np.arange(len(targets)), targets] += 1
    return pi


def example(rng):
    return None, (rng.standard_normal((5, 7)), rng.integers(0, 7, 5), rng.standard_normal(5))
