"""A step made of micro-batches, and sequences laid end to end: what a token weighs, and who may read whom."""

import numpy as np

from minisft.course.concatenated_sequences.mistakes import LAYOUT, STEP, divided, side_by_side
from minisft.course.grading.comparison import compare
from minisft.course.grading.exercise import exercise


@exercise
def step_weights(answer, seed=None):
    """Weights under token_mean of one step cut into micro-batches: ragged, λ of 0 and 0.1, one without any target."""
    rng = np.random.default_rng(seed)

    def micro(prompt_loss_weight, rows):
        return np.where(rng.random(rows) < 0.5, 1.0, prompt_loss_weight)

    cases = [([micro(weight, rows) for rows in (3, 9, 5)],) for weight in (0.0, 0.1)]
    for (parts,) in cases:
        parts[0][-1] = parts[1][-1] = 1.0
    cases += [([np.zeros(4), np.r_[micro(0.0, 5), 1.0]],), ([np.zeros(2), np.zeros(3)],)]
    cases += [([np.full(2, 0.1), np.full(3, 0.1)],)]  # a sum below 1: no y, and λ = 0.1
    praise = "one denominator for the whole step: however it is cut into micro-batches, a token weighs the same"
    right = divided(lambda parts, m: sum(part.sum() for part in parts))
    return compare(answer, right, cases, STEP, praise, "micro-batch")


@exercise
def layout(answer, seed=None):
    """Starts, positions and who may read whom, for sequences laid end to end."""
    rng = np.random.default_rng(seed)
    cases = [([int(n) for n in rng.integers(1, 6, count)],) for count in (3, 4)]
    cases = [([*lengths, 4, 3],) for (lengths,) in cases] + [([5],)]
    praise = "positions restart at 0, and a row reads itself and what stands before it in its own sequence: no leak"
    return compare(answer, side_by_side(), cases, LAYOUT, praise, ("starts", "positions", "allowed"))
