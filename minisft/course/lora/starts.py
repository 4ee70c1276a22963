"""Four ways to begin: A and B each random or 0, and what the first steps make of it."""

import math
from dataclasses import replace

import numpy as np

from minisft import adapter, data, model, optim, train
from minisft.course.lora.experiment import SETTINGS, held_out, loss, pairs, theta_hat
from minisft.params import Params

STARTS = {  # {name: (A is random, B is random)}
    "A random, B = 0": (True, False),
    "A = 0, B random": (False, True),
    "both 0": (False, False),
    "both random": (True, True),
}


def begin(name: str, r: int = 8, seed: int = 0) -> Params:
    """θ_0 with such an adapter at every linear map. What is random is uniform within ± 1 / √(its columns)."""
    hat, rng = theta_hat()[0], np.random.default_rng(seed)
    theta = adapter.attach(hat, adapter.linear_maps(hat), r, 2 * r)
    for tensor, view in theta.named.items():
        if STARTS[name][tensor.endswith(adapter.B)]:
            view[...] = rng.uniform(-1, 1, view.shape) / math.sqrt(view.shape[1])
    return theta


def gradients(theta: Params) -> dict[str, float]:
    """{"A", "B": the norm of the gradient of all of them} at θ, of J on the first 16 pairs."""
    grad = theta.like()
    batch = data.collate(pairs()[:16], 0.0, "sum", theta.flat.dtype)
    train.value_and_grad(theta, grad, theta_hat()[1], batch, dJ=1.0)
    ends = {"A": adapter.A, "B": adapter.B}
    return {
        letter: math.sqrt(sum(float((g**2).sum()) for tensor, g in grad.named.items() if tensor.endswith(end)))
        for letter, end in ends.items()
    }


def measured(name: str, steps: int = 20, learning_rate: float = 4e-3) -> dict:
    """How far the logits of θ_0 are from those of θ̂, both gradients, the held-out loss at θ_0 and after the run."""
    theta, config = begin(name), theta_hat()[1]
    batch = data.collate(held_out()[:8], 0.0, "sum", theta.flat.dtype)
    rows = np.flatnonzero(batch.weights)
    at_0, before = (model.forward(t, config, batch.ids, batch.starts, rows)[0] for t in (theta, theta_hat()[0]))
    result = {"logits": float(np.abs(at_0 - before).max())} | {f"d{k}": v for k, v in gradients(theta).items()}
    result["loss at 0"] = loss(theta, held_out())
    settings = replace(SETTINGS, max_steps=steps, learning_rate=learning_rate)
    state = train.State(0, theta, optim.make(theta, settings))
    for _ in train.train(state, config, pairs(), settings):
        pass
    return result | {"loss": loss(adapter.merged(state.theta), held_out())}
