"""From ∇L to the next θ: clipping, the learning rate of a step, SGD and AdamW (arXiv 1711.05101, as in PyTorch).

    SGD      θ ← θ − η (∇L + μθ)                                    μ: weight decay
    AdamW    θ ← θ − ημθ
             m ← β₁m + (1 − β₁)∇L        v ← β₂v + (1 − β₂)∇L²
             θ ← θ − η m̂ / (√v̂ + ε),     m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)       t = 1, 2, …

Decay is for matrices (embeddings included), not for gains and biases. What is frozen has no gradient and no moments.
"""

import math

import numpy as np

from minisft.config import TrainConfig
from minisft.params import Params

BLOCK = 32768  # elements: what a few vectors of may stay in the cache


def clip(grad: Params, max_norm: float) -> float:
    """‖∇L‖₂ over all of θ; then grad is scaled to a norm of at most max_norm, in place (0: left as it is)."""
    norm = float(np.sqrt(np.vdot(grad.flat, grad.flat)))
    if 0 < max_norm < norm + 1e-6:
        grad.flat *= max_norm / (norm + 1e-6)
    return norm


def learning_rate(config: TrainConfig, step: int, total: int) -> float:
    """Rate of step `step`, counted from 0, of `total`: a ramp from 0 over the warm-up steps, then the schedule."""
    eta, warmup = config.learning_rate, config.warmup_steps
    if step < warmup:
        return eta * step / warmup
    done = (step - warmup) / max(1, total - warmup)
    return {"constant": eta, "linear": eta * (1 - done), "cosine": eta * (1 + math.cos(math.pi * done)) / 2}[
        config.lr_scheduler_type
    ]


def blocks(theta: Params, grad: Params, weight_decay: float):
    """(w, d, slice, decay): a piece of θ, the same of the gradient, where that is in its vector, and what decays it.

    Neighbours of one decay are one vector, cut in pieces that stay in the cache while all formulas visit them.
    """
    runs = []  # [start in θ, start in the gradient, size, decay]
    for name, view in grad.named.items():
        start, decay = theta.spans[name].start, weight_decay if view.ndim == 2 else 0.0
        if runs and start == runs[-1][0] + runs[-1][2] and decay == runs[-1][3]:
            runs[-1][2] += view.size
        else:
            runs.append([start, grad.spans[name].start, view.size, decay])
    for start, first, size, decay in runs:
        for i in range(0, size, BLOCK):
            n = min(BLOCK, size - i)
            part = slice(first + i, first + i + n)
            yield theta.flat[start + i : start + i + n], grad.flat[part], part, decay


class SGD:
    """θ ← θ − η∇L: no momentum, nothing to remember."""

    def __init__(self, theta: Params, config: TrainConfig):
        self.config, self.updates, self.moments = config, 0, {}

    def step(self, theta: Params, grad: Params, learning_rate: float):
        for w, d, _, decay in blocks(theta, grad, self.config.weight_decay):
            w -= learning_rate * (d + decay * w)
        self.updates += 1


class AdamW:
    """Adaptive moments with decoupled weight decay. `moments` are two more vectors like ∇L; `updates` is t."""

    def __init__(self, theta: Params, config: TrainConfig):
        self.config, self.updates = config, 0
        size = sum(view.size for name, view in theta.named.items() if config.trains(name))
        self.moments = {"m": np.zeros(size, theta.flat.dtype), "v": np.zeros(size, theta.flat.dtype)}

    def step(self, theta: Params, grad: Params, learning_rate: float):
        self.updates += 1
        beta1, beta2, eps = self.config.adam_beta1, self.config.adam_beta2, self.config.adam_epsilon
        correct1, correct2 = 1 - beta1**self.updates, 1 - beta2**self.updates
        for w, d, part, decay in blocks(theta, grad, self.config.weight_decay):
            m, v = self.moments["m"][part], self.moments["v"][part]
            if decay:
                w *= 1 - learning_rate * decay
            m += (1 - beta1) * (d - m)
            v *= beta2
            v += (1 - beta2) * d * d
            root = np.sqrt(v)
            root /= math.sqrt(correct2)
            root += eps  # outside the root
            w -= (learning_rate / correct1) * (m / root)


def make(theta: Params, config: TrainConfig):
    return {"sgd": SGD, "adamw": AdamW}[config.optim](theta, config)
