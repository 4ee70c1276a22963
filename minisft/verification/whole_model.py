"""Is the gradient right: of every layer by its example, of a tiny model, or of this very model on these examples?

By every oracle at hand: both of gradcheck.py, and for models PyTorch where it is installed (pytorch.py). The complex
step and PyTorch give the verdict. The central difference stands beside them: right to about 1e-9 where numbers are of
order 1, it loses the digits of a tensor whose gradient is small beside J.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import NamedTuple

import numpy as np

from minisft import data, gradcheck, layers, model, objective, train
from minisft.config import ModelConfig
from minisft.data import Batch, Sequence
from minisft.params import Params
from minisft.verification import pytorch

TOLERANCE = 1e-9  # far above rounding, far below any mistake


class Errors(NamedTuple):
    """Relative errors of one gradient, by each oracle: along a random direction, or (PyTorch) of its largest entry."""

    difference: float
    complex_step: float
    pytorch: float | None = None  # None: not asked

    @property
    def passed(self) -> bool:
        return all(off <= TOLERANCE for off in self[1:] if off is not None)


def combined(differences: dict, complex_steps: dict, by_pytorch: dict) -> dict:
    return {name: Errors(off, complex_steps[name], by_pytorch.get(name)) for name, off in differences.items()}


def value(theta, config, batch):
    """J(θ), whose slope is measured: forward only."""
    rows = np.flatnonzero(batch.weights)
    logits, _ = model.forward(theta, config, batch.ids, batch.starts, rows)
    return objective.forward(logits, batch.targets[rows], batch.weights[rows])[0]


def model_errors(theta: Params, config: ModelConfig, batch: Batch, rng) -> dict:
    """{name of a tensor: Errors of its gradient}; θ is float64."""
    grad, twin = theta.like(), theta.astype(np.complex128)
    train.value_and_grad(theta, grad, config, batch, dJ=1.0)
    named = grad.named.items()
    differences = gradcheck.errors(
        lambda: value(theta, config, batch), [(name, theta.named[name], g) for name, g in named], rng
    )
    complex_steps = gradcheck.complex_errors(
        lambda: value(twin, config, batch), [(name, twin.named[name], g) for name, g in named], rng
    )
    by_pytorch = pytorch.errors(theta, config, batch, grad) if pytorch.at_hand() else {}
    return combined(differences, complex_steps, by_pytorch)


def layer_errors(rng) -> dict:
    """{layer and tensor: Errors} of every layer and of the objective, by their examples."""
    found = [import_module(f"{layers.__name__}.{module.name}") for module in iter_modules(layers.__path__)]
    return {
        f"{layer.__name__.removeprefix('minisft.')} {name}": off
        for layer in [*found, objective]
        for name, off in combined(
            gradcheck.layer_errors(layer, rng), gradcheck.layer_errors(layer, rng, exact=True), {}
        ).items()
    }


def tiny_errors(rng) -> dict:
    """{model and tensor: Errors} of a tiny random model on ragged sequences, tied and untied, λ = 0.3."""
    result = {}
    for tied in (True, False):
        config = ModelConfig(17, 12, 14, 2, 4, 2, head_dim=6, tie_word_embeddings=tied)
        theta = Params.random(rng, model.shapes(config))
        sequences = [Sequence(rng.integers(0, 17, n), np.arange(n) >= n // 2, "") for n in (7, 2, 5)]
        batch = data.collate(sequences, 0.3, dtype=np.float64)
        label = "tied" if tied else "untied"
        result |= {f"{label} {name}": off for name, off in model_errors(theta, config, batch, rng).items()}
    return result
