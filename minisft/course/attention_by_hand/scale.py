"""What 1/√D is for: random queries and keys of several sizes D, with the scale and without it."""

import numpy as np

from minisft.course.attention_by_hand.head import softmax

SIZES, SEEDS, KEYS = (4, 16, 64, 256), range(20), 64


def probabilities(D, seed):
    """Variance of q·k, P without the scale and with it, (KEYS, KEYS) each, and a random cotangent dP of them."""
    q, k, dP = np.split(np.random.default_rng(seed).standard_normal((KEYS, 2 * D + KEYS)), [D, 2 * D], axis=1)
    return (q @ k.T).var(), softmax(q @ k.T), softmax(q @ k.T / np.sqrt(D)), dP


def sharpness(D, seed):
    """Variance of q·k; the mean over the rows of the largest probability, without 1/√D and with it."""
    variance, without, scaled, _ = probabilities(D, seed)
    return variance, without.max(-1).mean(), scaled.max(-1).mean()


def gradients(D, seed):
    """Fraction of rows with ‖dS‖ < 0.01, without 1/√D and with it; ‖dS‖ of all rows without, over that with it."""
    _, without, scaled, dP = probabilities(D, seed)
    norms = [np.linalg.norm(P * (dP - np.vecdot(P, dP, keepdims=True)), axis=-1) for P in (without, scaled)]
    return np.mean(norms[0] < 0.01), np.mean(norms[1] < 0.01), np.linalg.norm(norms[0]) / np.linalg.norm(norms[1])


def by_size(measure):
    """A row for each size: D, and each number of `measure` as the range over the seeds."""
    rows = []
    for D in SIZES:
        numbers = np.array([measure(D, seed) for seed in SEEDS])
        ranges = [f"{a:.3g} to {b:.3g}" if a < b else f"{a:.3g}" for a, b in zip(numbers.min(0), numbers.max(0))]
        rows.append([D, *ranges])
    return rows
