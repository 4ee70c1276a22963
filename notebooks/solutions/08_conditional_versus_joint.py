# ruff: noqa: E402, F811  (each section stands alone)
# Solutions of 08_conditional_versus_joint: one section an exercise.

# %% two_gradients
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
import numpy as np


def completion_share(masks, prompt_loss_weight):
    mask = np.concatenate([mask[1:] for mask in masks])  # the first token is given
    n_y, n_x = mask.sum(), (~mask).sum()
    return n_y / (prompt_loss_weight * n_x + n_y)


# %% weigh
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
def predict_winner(ratio, only_in_x):
    return "joint" if only_in_x else "conditional"


# %% my_objective
import numpy as np


def my_objective(mask):
    m = mask / mask.sum()  # every answer counts the same, be it short or long
    return m + 0.1 * ~mask / (~mask).sum()
