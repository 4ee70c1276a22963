"""θ̂ → θ_t → θ̃: one loop for pre-training and fine-tuning, written as a generator so that one can stop, look and go on.

    L(θ)     = −J(θ)                                                the minus sign lives in `step`, and nowhere else
    θ_{t+1}  = optimiser(θ_t, ∇L(θ_t))

Pre-training is the same loop on other data: all of the text is y, and x is empty.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from minisft import model, objective, optim
from minisft.config import ModelConfig, TrainConfig
from minisft.data import Batch, Sequence, batch
from minisft.errors import MinisftError
from minisft.params import Params


@dataclass
class State:
    """Where a run is after `step` updates. `theta` is θ_t itself, in motion: copy it to keep it."""

    step: int
    theta: Params
    optimizer: optim.SGD | optim.AdamW
    num_tokens: int = 0  # seen so far, targets or not
    metrics: dict = field(default_factory=dict)  # of the step just made; see `row`


def default_learning_rate(theta: Params) -> float:
    """1e-3 for models under 10 million parameters, 2e-5 above."""
    return 1e-3 if theta.flat.size < 10_000_000 else 2e-5


def step(
    theta: Params,
    grad: Params,
    optimizer,
    whole: Batch,
    config: ModelConfig,
    settings: TrainConfig,
    learning_rate: float,
) -> dict:
    """θ_t → θ_{t+1}, in place; returns what was measured at θ_t. The caller skips a batch without a target.

    Raises FloatingPointError, and leaves θ_t as it is, if the loss or its gradient is not finite.
    """
    grad.flat[:] = 0
    J = 0.0
    seen = []
    for part in whole.split(settings.batch_size):  # slices of the step's weights: nothing to rescale
        rows = np.flatnonzero(part.weights)  # weight 0 never reaches the vocabulary; none: adds 0
        logits, c_model = model.forward(theta, config, part.ids, part.starts, rows)
        value, c_objective = objective.forward(logits, part.targets[rows], part.weights[rows])
        J += float(value)  # a float32 J would lose digits over many slices
        model.backward(theta, grad, config, c_model, objective.backward(c_objective, dJ=-1.0))  # the sign
        seen.append(
            (
                c_objective.log_pi[np.arange(len(rows)), part.targets[rows]],
                c_objective.log_pi.argmax(-1) == part.targets[rows],
                part.mask[rows],
            )
        )
    grad_norm = optim.clip(grad, settings.max_grad_norm)
    if not (math.isfinite(J) and math.isfinite(grad_norm)):
        raise FloatingPointError(f"the loss is {-J:g}, the norm of its gradient {grad_norm:g}")
    optimizer.step(theta, grad, learning_rate)
    log_prob, correct, is_completion = map(np.concatenate, zip(*seen))
    return row(J, log_prob, correct, is_completion, settings.prompt_loss_weight, grad_norm, learning_rate)


def row(J, log_prob, correct, is_completion, prompt_loss_weight, grad_norm, learning_rate) -> dict:
    """Metrics of one step; the arrays are (M,), over the rows of weight > 0."""
    metrics = {
        "loss": 0.0 - J,  # of J = 0, -J would be -0.0
        "objective": J,
        "num_target_tokens": len(log_prob),
        "grad_norm": grad_norm,
        "learning_rate": learning_rate,
        "mean_token_accuracy": float(correct.mean()) if len(correct) else 0.0,
    }
    if prompt_loss_weight > 0:
        for name, rows in (("prompt_loss", ~is_completion), ("completion_loss", is_completion)):
            metrics[name] = -float(log_prob[rows].mean()) if rows.any() else 0.0
    return metrics


def steps_in(sequences: list[Sequence], settings: TrainConfig) -> int:
    """How many steps a run has: --max-steps, or all epochs, the last step of each smaller if need be."""
    per_step = settings.batch_size * settings.gradient_accumulation_steps
    return settings.max_steps or settings.num_train_epochs * math.ceil(len(sequences) / per_step)


def order(count: int, settings: TrainConfig, epoch: int) -> np.ndarray:
    """The order of the examples in an epoch: depends on seed and epoch alone, so a resumed run meets the same."""
    if not settings.shuffle:
        return np.arange(count)
    return np.random.default_rng([settings.seed, epoch]).permutation(count)


def start(theta: Params, settings: TrainConfig) -> State:
    return State(0, theta, optim.make(theta, settings))


def train(state: State, config: ModelConfig, sequences: list[Sequence], settings: TrainConfig) -> Iterator[State]:
    """Continue from `state` to the end of the run, in place, yielding it after every step.

    Raises MinisftError naming step and examples if a loss is not finite; state.theta then is the last good θ. After a
    KeyboardInterrupt it is θ_t of state.step, whole.
    """
    if not settings.learning_rate:
        settings = replace(settings, learning_rate=default_learning_rate(state.theta))
    theta, total = state.theta, steps_in(sequences, settings)
    per_step = settings.batch_size * settings.gradient_accumulation_steps
    steps_an_epoch = math.ceil(len(sequences) / per_step)
    grad, good = theta.like(), theta.flat.copy()
    while state.step < total:
        began = time.perf_counter()
        epoch, k = divmod(state.step, steps_an_epoch)
        chosen = [sequences[i] for i in order(len(sequences), settings, epoch)[k * per_step : (k + 1) * per_step]]
        whole = batch(chosen, settings.prompt_loss_weight, settings.loss_reduction, theta.flat.dtype)
        rate = optim.learning_rate(settings, state.step, total)
        if whole.weights.any():
            before = theta.flat.copy()
            try:
                with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                    metrics = step(theta, grad, state.optimizer, whole, config, settings, rate)
                    good = before  # the loss was finite there
                    if not np.isfinite(theta.flat.sum()):
                        raise FloatingPointError("the update leads to parameters that are not finite")
            except FloatingPointError as error:
                theta.flat[:] = good
                raise MinisftError(
                    f"step {state.step + 1}: {error}, on {', '.join(s.where for s in chosen)}; "
                    "try a smaller --learning-rate"
                ) from None
            except KeyboardInterrupt:
                theta.flat[:] = before  # not half a step
                raise
        else:
            metrics = row(0.0, np.empty(0), np.empty(0), np.empty(0, bool), settings.prompt_loss_weight, 0.0, rate)
        state.step += 1
        state.num_tokens += sum(len(s.ids) for s in chosen)
        metrics["num_tokens"] = state.num_tokens
        metrics["tokens_per_second"] = sum(len(s.ids) for s in chosen) / (time.perf_counter() - began)
        state.metrics = {"step": state.step} | metrics
        yield state


def finetune(
    theta_hat: Params, config: ModelConfig, sequences: list[Sequence], settings: TrainConfig
) -> Iterator[State]:
    """θ̂ → θ̃: yields θ_t after every step t = 1 … T. θ̂ itself is never modified."""
    yield from train(start(theta_hat.copy(), settings), config, sequences, settings)


def pretrain(
    config: ModelConfig, sequences: list[Sequence], settings: TrainConfig, dtype=np.float32
) -> Iterator[State]:
    """Random parameters → θ̂, by the same loop on documents."""
    theta = model.init(config, np.random.default_rng(settings.seed), dtype)
    yield from train(start(theta, settings), config, sequences, settings)
