"""Exercise: three short functions with a mistake in each line that matters, to be repaired."""

from typing import NamedTuple

import numpy as np

from minisft.course.grading.cases import expected
from minisft.course.grading.comparison import judge
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict, run, same

RATE, BETA1, BETA2, EPS = 1e-2, 0.9, 0.999, 1e-8


class Rows(NamedTuple):
    targets: np.ndarray
    weights: np.ndarray


def rows_of(ids, is_y):
    return ids[1:], is_y[1:] / max(is_y[1:].sum(), 1)


def step_loss(losses, masks):
    return sum((loss * mask).sum() for loss, mask in zip(losses, masks)) / sum(mask.sum() for mask in masks)


def update(w, d, m, v, t):
    m, v = BETA1 * m + (1 - BETA1) * d, BETA2 * v + (1 - BETA2) * d * d
    return w - RATE * (m / (1 - BETA1**t)) / (np.sqrt(v / (1 - BETA2**t)) + EPS)


def moved(corrected=True, inside=False, rate=-RATE, late=0, first=True, second=True):
    """AdamW with one thing wrong."""

    def wrong(w, d, m, v, t):
        m, v = BETA1 * m + (1 - BETA1) * d, BETA2 * v + (1 - BETA2) * d * d
        c1 = 1 - BETA1 ** (t + late) if corrected and first else 1
        c2 = 1 - BETA2 ** (t + late) if corrected and second else 1
        return w + rate * (m / c1) / (np.sqrt(v / c2 + EPS) if inside else np.sqrt(v / c2) + EPS)

    return wrong


ROWS = {
    "rows_of: the targets are the inputs themselves: row i is to predict token i + 1": (
        lambda ids, is_y: (ids[:-1], is_y[1:] / max(is_y[1:].sum(), 1))
    ),
    "rows_of: the mask is that of the inputs: a row counts if the token it predicts belongs to y": (
        lambda ids, is_y: (ids[1:], is_y[:-1] / max(is_y[:-1].sum(), 1))
    ),
    "rows_of: targets and mask are those of the inputs: both are shifted, once": (
        lambda ids, is_y: (ids[:-1], is_y[:-1] / max(is_y[:-1].sum(), 1))
    ),
    "rows_of: the end token is left out: it is the last token of y, and a target like the others": (
        lambda ids, is_y: (ids[1:], np.append(is_y[1:-1], False) / max(is_y[1:-1].sum(), 1))
    ),
    "rows_of: the weights are divided by all rows: only those of y count": (
        lambda ids, is_y: (ids[1:], is_y[1:] / len(is_y[1:]))
    ),
    "rows_of: the weights are not divided: the mean over y is asked for": lambda ids, is_y: (ids[1:], is_y[1:] * 1.0),
    "rows_of: the weights stand on x; they belong to y": lambda ids, is_y: (
        ids[1:],
        ~is_y[1:] / max((~is_y[1:]).sum(), 1),
    ),
    "rows_of: the divisor counts a first token of y, which is given and no target": lambda ids, is_y: (
        ids[1:],
        is_y[1:] / max(is_y.sum(), 1),
    ),
    "rows_of: everything from the first token of y on has weight; what stands behind y is x again": (
        lambda ids, is_y: (ids[1:], (np.cumsum(is_y[1:]) > 0) / max((np.cumsum(is_y[1:]) > 0).sum(), 1))
    ),
    "rows_of: x counts too: its rows have weight 0": lambda ids, is_y: (
        ids[1:],
        np.full(len(ids) - 1, 1 / (len(ids) - 1)),
    ),
}
LOSSES = {
    "step_loss: a mean of means: divide once, by all targets of the step": (
        lambda losses, masks: np.mean([(a * m).sum() / max(m.sum(), 1) for a, m in zip(losses, masks)])
    ),
    "step_loss: the means are added up, not divided: as many times too large as there are micro-batches": (
        lambda losses, masks: sum((a * m).sum() / max(m.sum(), 1) for a, m in zip(losses, masks))
    ),
    "step_loss: it is divided by all places, the padded ones too: divide by the targets": (
        lambda losses, masks: sum((a * m).sum() for a, m in zip(losses, masks)) / sum(map(np.size, masks))
    ),
    "step_loss: a mean of the means over all places: divide once, by all targets of the step": (
        lambda losses, masks: np.mean([(a * m).mean() for a, m in zip(losses, masks)])
    ),
    "step_loss: what is masked counts too": lambda losses, masks: np.concatenate(losses).mean(),
    "step_loss: it is divided by the number of micro-batches: divide by the targets of the step": (
        lambda losses, masks: sum((a * m).sum() for a, m in zip(losses, masks)) / len(masks)
    ),
    "step_loss: only the first micro-batch counts": lambda losses, masks: losses[0][masks[0]].mean(),
    "step_loss: the mask is turned round": lambda losses, masks: np.concatenate(losses)[~np.concatenate(masks)].mean(),
    "step_loss: a target whose loss is 0 is a target, too: count the mask, not the losses": lambda losses, masks: (
        sum((a * m).sum() for a, m in zip(losses, masks)) / sum(np.count_nonzero(a * m) for a, m in zip(losses, masks))
    ),
    "step_loss: the sign is turned": lambda losses, masks: -step_loss(losses, masks),
    "step_loss: it is not divided at all": lambda losses, masks: sum((a * m).sum() for a, m in zip(losses, masks)),
}
UPDATES = {
    "update: ε stands inside the root: there it is √ε, ten thousand times as much": moved(inside=True),
    "update: m and v begin at 0, and are used as they are: divide by 1 − βᵗ": moved(corrected=False),
    "update: ε is inside the root, and m and v are not corrected": moved(inside=True, corrected=False),
    "update: m is not corrected: divide it by 1 − β₁ᵗ": moved(first=False),
    "update: v is not corrected: divide it by 1 − β₂ᵗ": moved(second=False),
    "update: ε is added to the root before v is corrected; it is added to that of the corrected v": (
        lambda w, d, m, v, t: (
            w
            - RATE
            * (BETA1 * m + (1 - BETA1) * d)
            / (1 - BETA1**t)
            * np.sqrt(1 - BETA2**t)
            / (np.sqrt(BETA2 * v + (1 - BETA2) * d * d) + EPS)
        )
    ),
    "update: this is the step alone; w after it is asked for": lambda w, *a: update(w, *a) - w,
    "update: m and v are those before the update: d belongs into them first": lambda w, d, m, v, t: (
        w - RATE * (m / (1 - BETA1**t)) / (np.sqrt(v / (1 - BETA2**t)) + EPS)
    ),
    "update: it climbs: the loss is to go down": moved(rate=RATE),
    "update: it climbs, and ε is inside the root": moved(rate=RATE, inside=True),
    "update: the correction is that of the update after this one: the first update is t = 1": moved(late=1),
}


@exercise
def repaired(own_rows, own_loss, own_update, seed=None) -> Verdict:
    rng = np.random.default_rng(seed)
    praise = "all three are right: the shift once, one divisor a step, and the update as the paper has it"
    verdict = Verdict(True, praise)
    for answer, right, cases, mistakes in (
        (own_rows, rows_of, sequences(rng), ROWS),
        (own_loss, step_loss, [slices(rng) for _ in range(4)], LOSSES),
        (own_update, update, [moments(rng, t) for t in (1, 2, 50)], UPDATES),
    ):
        verdict = judge(answer, right, cases, mistakes, praise)
        if not verdict.right:
            return verdict
    losses, masks = slices(rng)
    masks[1][:] = False
    if not same(run(own_loss, losses, masks), step_loss(losses, masks)):
        expected((losses, masks), step_loss(losses, masks), None)
        why = "a micro-batch without a target adds nothing: add up first, then divide once"
        return Verdict(False, f"step_loss: {why}")
    return verdict


def sequences(rng):
    """(ids, is_y): y at the end, with a line break behind it, of one token, and a document that is all y."""
    result = []
    for n_x, n_y, after in (
        (rng.integers(2, 5), rng.integers(2, 5), 0),
        (3, rng.integers(2, 6), 1),
        (4, 1, 2),
        (0, 6, 0),
    ):
        n = int(n_x + n_y + after)
        result.append((rng.permutation(40)[:n], (np.arange(n) >= n_x) & (np.arange(n) < n_x + n_y)))
    return result


def slices(rng):
    """Micro-batches whose padded losses have another number of targets each. One target is foreseen for certain: its
    loss is 0."""
    masks = [np.arange(8) < count for count in rng.choice(np.arange(2, 8), 3, replace=False)]
    losses = [rng.exponential(size=8) for _ in masks]
    losses[1][0] = 0.0
    return losses, masks


def moments(rng, t):
    w, d, m = rng.standard_normal((3, 5))
    d[:2] *= 1e-5  # so small that ε matters
    return w, d, m * (t > 1) * np.abs(d), d * d * (t > 1) * rng.uniform(0.5, 2, 5), t
