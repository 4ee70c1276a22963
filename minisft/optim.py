"""From ∇L to the next θ: clipping, the learning rate of a step, SGD and AdamW (arXiv 1711.05101, as in PyTorch).

    SGD      θ ← θ − η (∇L + μθ)                                    μ: weight decay

    AdamW    θ ← θ − ημθ            =  (1 − ημ)θ
             m ← β₁m + (1 − β₁)∇L   =  m + (1 − β₁)(∇L − m)         a running mean of the gradient
             v ← β₂v + (1 − β₂)∇L²  =  v + (1 − β₂)(∇L² − v)        and one of its square
             θ ← θ − η m̂ / (√v̂ + ε),     m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)       t = 1, 2, …

Decay is for matrices (embeddings included), not for gains and biases. What is frozen has no gradient and no moments.
"""

import math
from collections.abc import Iterator
from itertools import groupby

import numpy as np

from minisft.config import TrainConfig
from minisft.params import Params


def clip(grad: Params, max_norm: float) -> float:
    """‖∇L‖₂ over all of θ; then grad is scaled to a norm of at most max_norm, in place (0: left as it is)."""
    norm = float(np.sqrt(np.vdot(grad.flat, grad.flat)))
    if 0 < max_norm < norm + 1e-6:
        grad.flat *= max_norm / (norm + 1e-6)
    return norm


def learning_rate(settings: TrainConfig, step: int, total: int) -> float:
    """Rate of step `step`, counted from 0, of `total`: a ramp from 0 over the warm-up steps, then the schedule."""
    eta, warmup = settings.learning_rate, warmup_steps(settings, total)
    if step < warmup:
        return eta * step / warmup
    done = (step - warmup) / max(1, total - warmup)
    return {"constant": eta, "linear": eta * (1 - done), "cosine": eta * (1 + math.cos(math.pi * done)) / 2}[
        settings.lr_scheduler_type
    ]


def warmup_steps(settings: TrainConfig, total: int) -> int:
    """`settings.warmup_steps`; a number below 1 is a fraction of all steps, rounded up, as in transformers."""
    given = settings.warmup_steps
    return math.ceil(given * total) if given < 1 else int(given)


class SGD:
    """θ ← θ − η (∇L + μθ): no momentum, nothing to remember."""

    def __init__(self, theta: Params, settings: TrainConfig) -> None:
        self.settings, self.updates = settings, 0
        self.moments: dict[str, np.ndarray] = {}

    def step(self, theta: Params, grad: Params, learning_rate: float) -> None:
        """One update of θ, in place."""
        self.updates += 1
        for w, d, decay in pieces(theta, grad, self.settings.weight_decay):
            w -= learning_rate * (d + decay * w)


class AdamW:
    """Adaptive moments with decoupled weight decay. `moments` are two more vectors like ∇L; `updates` is t."""

    def __init__(self, theta: Params, settings: TrainConfig) -> None:
        self.settings, self.updates = settings, 0
        size = sum(view.size for name, view in theta.named.items() if settings.trains(name))
        self.moments = {"m": np.zeros(size, theta.flat.dtype), "v": np.zeros(size, theta.flat.dtype)}

    def step(self, theta: Params, grad: Params, learning_rate: float) -> None:
        """One update of θ, in place."""
        self.updates += 1
        beta1, beta2, eps = self.settings.adam_beta1, self.settings.adam_beta2, self.settings.adam_epsilon
        correct1, correct2 = 1 - beta1**self.updates, 1 - beta2**self.updates
        for w, d, m, v, decay in pieces(theta, grad, self.settings.weight_decay, self.moments["m"], self.moments["v"]):
            w *= 1 - learning_rate * decay
            m += (1 - beta1) * (d - m)
            v += (1 - beta2) * (d * d - v)
            m_hat, v_hat = m / correct1, v / correct2
            w -= learning_rate * m_hat / (np.sqrt(v_hat) + eps)


def make(theta: Params, settings: TrainConfig) -> SGD | AdamW:
    """The optimiser that the settings name; its moments are zeros."""
    return SGD(theta, settings) if settings.optim == "sgd" else AdamW(theta, settings)


BLOCK = 32768  # elements: what a few vectors of may stay in the cache


def pieces(theta: Params, grad: Params, weight_decay: float, *moments: np.ndarray) -> Iterator[tuple]:
    """(w, d, …, decay): a piece of θ, the same piece of ∇L and of every moment, all views, and what decays w.

    Neighbours of one decay are one vector, cut into pieces that stay in the cache while all formulas visit them.
    """

    def kind(name: str) -> tuple[int, float]:
        frozen = theta.spans[name].start - grad.spans[name].start  # so many elements before it: not in the gradient
        return frozen, weight_decay if grad.named[name].ndim == 2 else 0.0

    for (frozen, decay), names in groupby(grad.named, kind):
        spans = [grad.spans[name] for name in names]
        for first in range(spans[0].start, spans[-1].stop, BLOCK):
            last = min(first + BLOCK, spans[-1].stop)
            w = theta.flat[frozen + first : frozen + last]
            yield w, *(vector[first:last] for vector in (grad.flat, *moments)), decay
