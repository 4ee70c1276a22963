"""Wrong gradients, each on inputs on which it happens to be right, and on honest ones: the table of section 8."""

import numpy as np

from minisft.course.attention_by_hand.blind_tests import gain_gap, gap, mean_gap
from minisft.course.attention_by_hand.head import softmax


def outer_gain(rng, blind):
    return gain_gap(np.ones(6) if blind else rng.standard_normal(6), rng)


def mean_for_delta(rng, blind):
    return mean_gap(np.zeros((4, 6)) if blind else rng.standard_normal((4, 6)), rng)


def factor_p_missing(rng, blind):
    S, dP = rng.standard_normal((2, 5, 1 if blind else 6))
    P = softmax(S)
    return gap(softmax, S, dP - np.vecdot(P, dP, keepdims=True), dP, rng)


def tile_for_repeat(rng, blind):
    H, G, D = (4, 4, 3) if blind else (4, 2, 3)
    k, d = rng.standard_normal((5, G, D)), rng.standard_normal((5, H, D))
    return gap(lambda k: np.repeat(k, H // G, axis=1), k, d.reshape(5, H // G, G, D).sum(1), d, rng)


def first_length_for_all(rng, blind):
    """A stand-in for attention: a row gets the sum of the rows up to it, of its own sequence."""
    starts = [0, 3, 6] if blind else [0, 2, 5]

    def running(x, starts, step=1):
        return np.concatenate([np.cumsum(part[::step], axis=0)[::step] for part in np.split(x, starts[1:])])

    x, dy = rng.standard_normal((2, 9, 4))
    dx = running(dy, list(range(0, 9, starts[1])), step=-1)
    return gap(lambda x: running(x, starts), x, dx, dy, rng)


TRIALS = {
    "the gain pulled out of the sum": (outer_gain, "all gains 1", "random gains"),
    "the mean of dP for δ": (mean_for_delta, "scores 0, as in a fresh model", "random scores"),
    "the factor P missing": (factor_p_missing, "one key", "six keys"),
    "tile for repeat": (tile_for_repeat, "4 heads on 4", "4 heads on 2"),
    "the first length for all": (first_length_for_all, "lengths 3, 3, 3", "lengths 2, 3, 4"),
}


def blind_and_honest(seeds=5):
    """A row for each wrong gradient: where it passes, its largest gap there; honest inputs, and the gaps there."""
    for name, (trial, there, honest) in TRIALS.items():
        passing, found = ([trial(np.random.default_rng(s), blind) for s in range(seeds)] for blind in (True, False))
        assert max(passing) < 1e-12 < 1e-4 < min(found)
        yield [name, there, f"{max(passing):.0e}", honest, f"{min(found):.0e} to {max(found):.0e}"]
