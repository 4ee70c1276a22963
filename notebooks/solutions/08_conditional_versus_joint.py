# ruff: noqa: E402, F811  (each section stands alone)
# Solutions of 08_conditional_versus_joint: one section an exercise.

# %% two_gradients
# 1. Two sets of rows: those that predict x, those that predict y. One forward and backward for each, with
#    weights of 1.
# 2. angle = arccos(⟨g_x, g_y⟩ / (‖g_x‖ ‖g_y‖)), in degrees
# 3. rows, grad = np.flatnonzero(~part.is_y), theta.like()
import numpy as np

from minisft import model, objective


def two_gradients(theta, config, part):
    gradients = []
    for chosen in (~part.is_y, part.is_y):
        rows, grad = np.flatnonzero(chosen), theta.like()
        logits, cache = model.forward(theta, config, part.ids, part.starts, rows)
        _, c_objective = objective.forward(logits, part.targets[rows], np.ones(len(rows)))
        model.backward(theta, grad, config, cache, objective.backward(c_objective, 1.0))
        gradients.append(grad.flat)
    gradient_x, gradient_y = gradients
    cosine = gradient_x @ gradient_y / (np.linalg.norm(gradient_x) * np.linalg.norm(gradient_y))
    return gradient_x, gradient_y, np.degrees(np.arccos(cosine))


# %% completion_share
# 1. The first token of a sequence is given, not predicted. Then count.
# 2. N_y / (λ N_x + N_y)
# 3. mask = np.concatenate([mask[1:] for mask in masks])
import numpy as np


def completion_share(masks, prompt_loss_weight):
    mask = np.concatenate([mask[1:] for mask in masks])  # the first token is given
    n_y, n_x = mask.sum(), (~mask).sum()
    return n_y / (prompt_loss_weight * n_x + n_y)


# %% weigh
# 1. First m, then the divisor. What is left of a sequence in which nothing has weight?
# 2. m = 1 on y, λ on x;  sum: m;  token_mean: m / Σ m;  sequence_mean: m / (Σ m of its sequence) / (sequences
#    with weight)
# 3. m = np.where(mask, 1.0, prompt_loss_weight)
import numpy as np


def weigh(mask, starts, prompt_loss_weight, reduction):
    m = np.where(mask, 1.0, prompt_loss_weight)
    if reduction == "sum":
        return m
    if reduction == "token_mean":
        return m / m.sum()
    parts = np.split(m, starts[1:-1])
    weighted = sum(part.any() for part in parts)
    return np.concatenate([part / (part.sum() or 1) for part in parts]) / weighted


# %% predict_winner
# 1. In which of the measured comparisons does the joint objective win? What do they have in common?
# 2. what stood only in x is learnt only from log Pr(x)
# 3. one `if` is enough; which of the two arguments decides?
def predict_winner(ratio, only_in_x):
    return "joint" if only_in_x else "conditional"


# %% my_objective
# 1. Which rows should count more, and why? Write m, then look at what it does.
# 2. m ≥ 0, one number a row; J = Σ m log π
# 3. m = mask.astype(float)
import numpy as np


def my_objective(mask):
    m = mask / mask.sum()  # every answer counts the same, be it short or long
    return m + 0.1 * ~mask / (~mask).sum()
