"""An objective of the student's own: can it be trained, does it make something of y likelier, is it new?"""

import numpy as np

from minisft.course.conditional_versus_joint.experiment import last_token, weighted
from minisft.course.grading.arrays import array
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict, run, same

IN_THE_TABLE = {
    "this is the conditional objective: 1 on y, 0 on x": weighted(0.0),
    "this is the joint objective: 1 on every row": weighted(1.0),
    "this is λ = 0.1": weighted(0.1),
    "this is the last token of y alone": last_token,
}


@exercise
def my_objective(answer, seed=None):
    """A rule that can be trained, that makes something of y likelier, and that the table does not have yet."""
    rng = np.random.default_rng(seed)
    masks = [np.arange(x + y) >= x for x, y in rng.integers(3, 25, (6, 2))]
    rules = [run(answer, mask) for mask in masks]
    for mask, rule in zip(masks, rules):
        m = array(rule, f"{rule!r:.60} is no array of numbers")
        if m.shape != mask.shape:
            return Verdict(False, f"the shape is {m.shape}: one number for each row is asked for, {mask.shape}")
        if not np.isfinite(m).all():
            return Verdict(False, "a weight is not finite: is something divided by 0?")
        if (m[mask] < 0).any():
            return Verdict(False, "a weight on y is negative: that token is made less likely, without end")
        if (m < 0).any():
            return Verdict(
                False, "a weight on x is negative: log Pr of that token falls without end, and the run diverges"
            )
        if not m.any():
            return Verdict(False, "all weights are 0: nothing to learn")
    for mask, rule in zip(masks, rules):
        if not same(run(answer, mask), rule):
            return Verdict(False, "it gives other weights each time: an objective is one function of θ")
    theirs = np.concatenate(rules, dtype=float)  # of all sequences: one factor, or each answer its own
    for sentence, known in IN_THE_TABLE.items():
        if proportional(theirs, np.concatenate([known(mask) for mask in masks], dtype=float)):
            return Verdict(False, f"{sentence}, up to a factor. It is in the table: propose another one")
    if not any(np.asarray(m)[mask].any() for m, mask in zip(rules, masks)):
        return Verdict(False, "no weight on y, log Pr(x) alone: it never learns to answer")
    on_y = np.mean([np.asarray(m, float)[mask].sum() / np.sum(m) for m, mask in zip(rules, masks)])
    return Verdict(True, f"a new objective: {on_y:.0%} of its weight is on y in these cases. Run the next cell")


def proportional(a, b):
    """Equal up to a positive factor, of the last entry: that is of y."""
    return same(a * np.abs(b).max(), b * np.abs(a).max())
