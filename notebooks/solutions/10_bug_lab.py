# ruff: noqa: E402  (each section stands alone)
# Solutions of 10_bug_lab: one section an exercise.

# %% find
# 1. Which numbers can the training loss not give you? Begin with those: who never stops, and who is better on the
#    questions that the run shows than on others?
# 2. Two runs never stop. One of them has learned y all the same: its held-out loss, as it shows it, is low.
# 3. if run["stop_rate"] < 0.5:
def find(run, right):
    if run["stop_rate"] < 0.5:
        return "no-shift" if run["held_out_loss"] > 5 * right["held_out_loss"] else "end-token-masked"
    gap, usual = (r["true_held_out_loss"] / r["held_out_loss"] for r in (run, right))
    return "test-rows-in-training" if gap > 1.25 * usual else "none"


# %% repaired
# 1. Hold each function against its formula: what is the target of row i, by what is the sum divided, where is ε?
# 2. targets = ids[1:];  L = Σ losses · mask / Σ mask over the whole step;  w − rate · m̂ / (√v̂ + ε)
# 3. targets, counts = ids[1:], is_y[1:]
import numpy as np


def rows_of(ids, is_y):
    targets, counts = ids[1:], is_y[1:]
    return targets, counts / counts.sum()


def step_loss(losses, masks):
    total = sum((loss * mask).sum() for loss, mask in zip(losses, masks))
    return total / sum(mask.sum() for mask in masks)


def update(w, d, m, v, t):
    m = 0.9 * m + (1 - 0.9) * d
    v = 0.999 * v + (1 - 0.999) * d * d
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
    return w - 1e-2 * m_hat / (np.sqrt(v_hat) + 1e-8)


# %% leaks
# 1. If no sequence reads another, what is J of two of them together?
# 2. J(all) = Σ J(each alone), up to the rounding of float64
# 3. alone = sum(J([sequence]) for sequence in sequences)
def leaks(J, sequences):
    alone = sum(J([sequence]) for sequence in sequences)
    return abs(J(sequences) - alone) > 1e-9 * abs(alone)
