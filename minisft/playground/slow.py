"""One step, slowly: θ_{t−1} → θ_t taken apart, with this step's own numbers.

    batch → weights w → logits z of one row → π → w log π → ∂J/∂z → ‖∂L/∂tensor‖ → the update → log Pr of watched pairs

The step itself is made by `train.train`, so its metrics are those of metrics.jsonl; the parts are computed again from
the same batch by the functions that `train.step` calls, and add up to them.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from minisft import model, objective, train, trajectory
from minisft.config import ModelConfig, TrainConfig
from minisft.data import Batch, Sequence
from minisft.params import Params
from minisft.playground import measure
from minisft.playground.measure import short
from minisft.playground.run import Run, twin

CANDIDATES = 8  # tokens of the chosen row that are shown one by one


def take_apart(run: Run, step: int, pairs: list[Sequence], row: int | None = None) -> dict[str, Any]:
    """Step `step` of a run, counted from 1, with the row of its batch to look at, by default the one that adds most.

    Returns the event "slow"; its sums are those of the metrics in it. Raises MinisftError as `Run.at` does.
    """
    before, config = run.at(step - 1), run.config
    settings = run.settings
    chosen, batch = next(train.batches(run.sequences, longer(settings, step), before.step, before.theta.flat.dtype))
    grad, log_prob = gradient(before.theta, config, batch, settings)
    after = twin(before)
    next(run.steps_from(after))
    numbers = {id(sequence): number for number, sequence in enumerate(run.sequences)}
    contributions = np.where(batch.weights > 0, -batch.weights.astype(float) * log_prob, 0.0)
    row = int(contributions.argmax()) if row is None or not 0 <= row < len(batch.ids) else row
    return {
        "event": "slow",
        "t": step,
        "metrics": after.metrics,
        "batch": [
            {
                "example": numbers[id(sequence)],
                "weights": [weight_of(batch, rows, is_y) for is_y in (False, True)],
                "log_prob": [float(f"{value:.4g}") for value in log_prob[rows] if not np.isnan(value)],
            }
            for sequence, rows in zip(chosen, slices(batch))
        ],
        "sums": sums(batch, contributions, grad),
        "row": one_row(before.theta, config, batch, row),
        "tensors": tensors(grad, before.theta, after.theta),
        "update": update(before, after, grad, settings),
        "pairs": [changes(before.theta, after.theta, config, [pair]) for pair in pairs],
    }


def longer(settings: TrainConfig, step: int) -> TrainConfig:
    """The same settings for a run that has at least so many steps: the order of the examples is the same."""
    return replace(settings, max_steps=max(settings.max_steps, step))


def gradient(theta: Params, config: ModelConfig, batch: Batch, settings: TrainConfig) -> tuple[Params, np.ndarray]:
    """∇J(θ) of the batch, before any clipping, and log π of every row's target; NaN where the weight is 0."""
    grad, log_prob, first = theta.part(train.trained(theta, settings)), np.full(len(batch.ids), np.nan), 0
    grad.flat[:] = 0
    for part in batch.split(settings.batch_size):
        _, cache = train.value_and_grad(theta, grad, config, part, dJ=1.0)
        rows = np.flatnonzero(part.weights)
        log_prob[first + rows] = cache.log_pi[np.arange(len(rows)), cache.targets]
        first += len(part.ids)
    return grad, log_prob


def slices(batch: Batch) -> list[slice]:
    return [slice(int(a), int(b)) for a, b in zip(batch.starts[:-1], batch.starts[1:])]


def weight_of(batch: Batch, rows: slice, is_y: bool) -> float:
    """The weight of the tokens of x, or of y, of one sequence: it is the same for all of them."""
    return short(batch.weights[rows][batch.is_y[rows] == is_y].max(initial=0))


def sums(batch: Batch, contributions: np.ndarray, grad: Params) -> dict[str, float]:
    """What the parts add up to: the names are those of the metrics."""
    return {
        "loss": float(contributions.sum()),
        "num_target_tokens": int(np.count_nonzero(batch.weights)),
        "grad_norm": trajectory.norms(grad)["total"],
        "weights": float(batch.weights.sum(dtype=float)),
    }


def one_row(theta: Params, config: ModelConfig, batch: Batch, row: int) -> dict[str, Any]:
    """One row of the batch: z, π, w log π and ∂J/∂z, for the target and the likeliest tokens; the others are summed."""
    place = int(np.searchsorted(batch.starts, row, side="right")) - 1
    rows = slices(batch)[place]
    ids, start = batch.ids[rows], np.array([0, rows.stop - rows.start])
    z, _ = model.forward(theta, config, ids, start, np.array([row - rows.start]), lowest=config.num_hidden_layers)
    J, cache = objective.forward(z, batch.targets[row : row + 1], batch.weights[row : row + 1])
    [pi], [dz], [z] = np.exp(cache.log_pi), objective.backward(cache, 1.0), z
    target = int(batch.targets[row])
    shown = [target, *(int(i) for i in np.argsort(-z, kind="stable")[:CANDIDATES] if i != target)][:CANDIDATES]
    rest = np.setdiff1d(np.arange(len(z)), shown)
    return {
        "row": row,
        "sequence": place,
        "position": row - rows.start + 1,  # of the target, in its sequence
        "target": target,
        "weight": short(batch.weights[row]),
        "log_prob": short(cache.log_pi[0, target]),
        "contribution": short(J),
        "log_sum_exp": short(z[target] - cache.log_pi[0, target]),
        "candidates": [[i, short(z[i]), short(pi[i]), short(dz[i])] for i in shown],
        "rest": [len(rest), short(pi[rest].sum()), short(dz[rest].sum())],
    }


def tensors(grad: Params, before: Params, after: Params) -> list[list]:
    """[‖∂L/∂tensor‖, ‖change of the tensor‖] of every tensor that is trained, in the order of θ; the squares add up."""
    norms, moved = trajectory.norms(grad), trajectory.distances(after, before)
    return [[short(norms[name]), short(moved[name])] for name in grad.named]


def update(before: train.State, after: train.State, grad: Params, settings: TrainConfig) -> dict[str, Any]:
    """The update of one number of θ, the one with the largest gradient: what stands in each symbol of the formula."""
    place = int(np.abs(grad.flat).argmax())
    name, span = next((name, span) for name, span in grad.spans.items() if span.start <= place < span.stop)
    index = tuple(int(i) for i in np.unravel_index(place - span.start, grad.named[name].shape))
    norm, most = after.metrics["grad_norm"], settings.max_grad_norm
    scale = most / (norm + 1e-6) if 0 < most < norm + 1e-6 else 1.0
    result = {
        "name": name,
        "index": index,
        "learning_rate": after.metrics["learning_rate"],
        "clip": short(scale),
        "gradient": short(-scale * float(grad.flat[place])),  # of L = −J
        "before": short(before.theta.named[name][index]),
        "after": short(after.theta.named[name][index]),
        "step": after.optimizer.updates,
        "weight_decay": settings.weight_decay if grad.named[name].ndim == 2 else 0.0,
    }
    if after.optimizer.moments:
        m, v = (float(after.optimizer.moments[moment][place]) for moment in ("m", "v"))
        t, beta1, beta2 = after.optimizer.updates, settings.adam_beta1, settings.adam_beta2
        result |= {"m": short(m), "v": short(v), "m_hat": short(m / (1 - beta1**t)), "v_hat": short(v / (1 - beta2**t))}
    return result


def changes(before: Params, after: Params, config: ModelConfig, pair: list[Sequence]) -> list[float]:
    """log Pr(y|x) of a watched pair before and after the step, in nats."""
    both = (measure.tokens(theta, config, pair)[0][0] for theta in (before, after))
    return [short(sum(log_prob for log_prob, _ in tokens)) for tokens in both]
