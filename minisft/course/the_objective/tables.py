"""A model that is a table: θ *is* the logits, a row for three prompts and a row of four answers for each of them."""

import numpy as np

from minisft import gradcheck, objective, optim
from minisft.config import TrainConfig
from minisft.course.the_objective.sums import softmax
from minisft.params import Params

COUNTS = np.array([[8, 1, 1, 2], [3, 3, 5, 1], [1, 10, 4, 9]])  # how often the data hold each pair (x, y)
FREQUENCY = COUNTS / COUNTS.sum(1, keepdims=True)
XS, YS = np.nonzero(COUNTS)
WEIGHTS = COUNTS[XS, YS] / COUNTS.sum()


def squared_error(z, targets, weights):
    """Σ w ½‖π − onehot(y)‖² and its gradient by the logits."""
    pi = softmax(z)
    off = pi - np.eye(z.shape[-1])[targets]
    value = (weights * 0.5 * (off**2).sum(-1)).sum()
    return value, weights[:, None] * pi * (off - (pi * off).sum(-1, keepdims=True))


def table(seed):
    """Random logits: theta.x (3,) of the prompts, theta.y (3, 4) of the answers to each."""
    return Params.random(np.random.default_rng(seed), {"x": (3,), "y": (3, 4)})


def table_loss(theta, kind, lam=0.0):
    """The mean of L over the data, and its gradient."""
    grad = theta.like()
    if kind == "squared error":
        L, dz = squared_error(theta.y[XS], YS, WEIGHTS)
    else:
        J, c = objective.forward(theta.y[XS], YS, WEIGHTS)
        L, dz = -J, objective.backward(c, -1.0)
    np.add.at(grad.y, XS, dz)
    J_x, c_x = objective.forward(theta.x[None].repeat(len(XS), 0), XS, lam * WEIGHTS)
    grad.x[...] += objective.backward(c_x, -1.0).sum(0)
    return L - J_x, grad


def gradient_error(kind, lam):
    """The largest relative error of the gradient of `table_loss`, by difference quotients."""
    theta = table(0)
    _, grad = table_loss(theta, kind, lam)
    tensors = [(name, theta.named[name], grad.named[name]) for name in theta.named]
    return max(gradcheck.errors(lambda: table_loss(theta, kind, lam)[0], tensors, np.random.default_rng(1)).values())


def train_table(kind, optimiser, rate, seed, steps=400, lam=0.0):
    """(θ after these steps, the distance to the optimum before each: the largest |π(y|x) − frequency|)."""
    theta, distances = table(seed), []
    opt = optim.make(theta, TrainConfig(optim=optimiser))
    for _ in range(steps):
        distances.append(np.abs(softmax(theta.y) - FREQUENCY).max())
        opt.step(theta, table_loss(theta, kind, lam)[1], rate)
    return theta, np.array(distances)


def steps_to(distances, near=0.01):
    """The first step whose distance is below `near`, None if there is none."""
    return int((distances < near).argmax()) if (distances < near).any() else None
