"""Is the gradient right: of every layer on its example, of a tiny model, or of this very model on these examples?

Every oracle at hand is asked: both of gradcheck.py, and for models PyTorch too, if it is installed (pytorch.py). The
complex step and PyTorch give the verdict. The central difference is only reported: it is right to about 1e-9 where
numbers are of order 1, but loses digits for a tensor whose gradient is small compared with J.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any, NamedTuple

import numpy as np

from minisft import data, gradcheck, layers, model, objective, train
from minisft.config import ModelConfig
from minisft.data import Batch, Sequence
from minisft.params import Params
from minisft.verification import pytorch

TOLERANCE = 1e-9  # far above rounding, far below any mistake


class Errors(NamedTuple):
    """Relative errors of one gradient by each oracle: along a random direction, or by PyTorch the largest of all."""

    difference: float
    complex_step: float
    pytorch: float | None = None  # None if it was not asked

    @property
    def passed(self) -> bool:
        return all(off <= TOLERANCE for off in self[1:] if off is not None)


def combined(
    differences: dict[str, float], complex_steps: dict[str, float], by_pytorch: dict[str, float]
) -> dict[str, Errors]:
    """{name: Errors}, from {name: error} by each oracle; PyTorch may be missing."""
    return {name: Errors(off, complex_steps[name], by_pytorch.get(name)) for name, off in differences.items()}


def value(theta: Params, config: ModelConfig, batch: Batch) -> Any:
    """J(θ), whose slope is measured: forward only. Complex if θ is."""
    rows = np.flatnonzero(batch.weights)
    logits, _ = model.forward(theta, config, batch.ids, batch.starts, rows)
    return objective.forward(logits, batch.targets[rows], batch.weights[rows])[0]


def model_errors(theta: Params, config: ModelConfig, batch: Batch, rng: np.random.Generator) -> dict[str, Errors]:
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
    asked = pytorch.at_hand() and not theta.frozen  # it knows whole models
    by_pytorch = pytorch.errors(theta, config, batch, grad) if asked else {}
    return combined(differences, complex_steps, by_pytorch)


def layer_errors(rng: np.random.Generator) -> dict[str, Errors]:
    """{layer and tensor: Errors} for every layer and for the objective, on their examples."""
    found = [import_module(f"{layers.__name__}.{module.name}") for module in iter_modules(layers.__path__)]
    return {
        f"{layer.__name__.removeprefix('minisft.')} {name}": off
        for layer in [*found, objective]
        for name, off in combined(
            gradcheck.layer_errors(layer, rng), gradcheck.layer_errors(layer, rng, exact=True), {}
        ).items()
    }


def tiny_errors(rng: np.random.Generator) -> dict[str, Errors]:
    """{model and tensor: Errors} for a tiny random model, tied and untied, on ragged sequences with λ = 0.3."""
    result: dict[str, Errors] = {}
    for tied in (True, False):
        config = ModelConfig(17, 12, 14, 2, 4, 2, head_dim=6, tie_word_embeddings=tied)
        theta = Params.random(rng, model.shapes(config))
        sequences = [Sequence(rng.integers(0, 17, n), np.arange(n) >= n // 2, "") for n in (7, 2, 5)]
        batch = data.collate(sequences, 0.3, dtype=np.float64)
        label = "tied" if tied else "untied"
        result |= {f"{label} {name}": off for name, off in model_errors(theta, config, batch, rng).items()}
    return result
