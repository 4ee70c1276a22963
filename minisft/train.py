"""θ̂ → θ_t → θ̃: one loop for pre-training and fine-tuning, written as a generator so that one can stop, look and go on.

    L(θ)     = −J(θ)                                                the minus sign lives in `step`, and nowhere else
    θ_{t+1}  = optimiser(θ_t, ∇L(θ_t))

Pre-training is the same loop on other data: all of the text is y, and x is empty.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minisft import adapter, data, doors, frozen, model, objective, optim
from minisft.accidents import LastGood
from minisft.config import ModelConfig, TrainConfig, number, whole
from minisft.data import Batch, Sequence
from minisft.errors import MinisftError
from minisft.parallel import ALONE, Ranks
from minisft.params import Params


@dataclass
class State:
    """Where a run is after `step` updates. `theta` is θ_t itself, in motion: copy it to keep it."""

    step: int
    theta: Params
    optimizer: optim.SGD | optim.AdamW
    num_tokens: int = 0  # seen so far, targets or not
    metrics: dict = field(default_factory=dict)  # of the step just made; see `step_metrics`


# --- the loop ---------------------------------------------------------------------------------------------------------


def train(
    state: State, config: ModelConfig, sequences: list[Sequence], settings: TrainConfig, ranks: Ranks = ALONE
) -> Iterator[State]:
    """Continue from `state`, the same in all ranks, to the end of the run, in place, yielding it after every step.

    Raises NotFinite naming step and examples if a loss is not finite; state.theta then is the last good θ. After a
    KeyboardInterrupt it is θ_t of state.step, whole. Raises MinisftError before the first step if θ is not real or not
    of this config, if there are no sequences, or if the run has fewer steps than `state` has made.
    """
    theta = state.theta
    doors.parameters("theta", theta, model.shapes(config))
    doors.some("sequences", sequences)
    total = steps_in(sequences, settings)
    doors.number("state.step", state.step, whole(0, total))
    settings = replace(settings, learning_rate=settings.learning_rate or default_learning_rate(theta))
    grad = theta.part(trained(theta, settings))
    if block := model.lowest(grad):
        kept = frozen.fitting(theta, config, sequences, read_again(sequences, settings), settings.cache_frozen)
        sequences = frozen.remember(theta, config, sequences, block, kept, ranks)
    optimizer = LastGood(state.optimizer, theta, grad)  # the same updates, and what to go back to after an accident
    for chosen, batch in batches(sequences, settings, state.step, theta.flat.dtype):
        began = time.perf_counter()
        rate = optim.learning_rate(settings, state.step, total)
        with optimizer.watching(state.step + 1, chosen):
            metrics = step(theta, grad, optimizer, batch, config, settings, rate, ranks)
        state.step += 1
        num_tokens = sum(len(sequence.ids) for sequence in chosen)
        state.num_tokens += num_tokens
        metrics["num_tokens"] = state.num_tokens
        metrics["tokens_per_second"] = num_tokens / (time.perf_counter() - began)
        state.metrics = {"step": state.step} | metrics
        yield state


def step(
    theta: Params,
    grad: Params,
    optimizer: optim.SGD | optim.AdamW | LastGood,
    batch: Batch,
    config: ModelConfig,
    settings: TrainConfig,
    learning_rate: float,
    ranks: Ranks = ALONE,
) -> dict:
    """θ_t → θ_{t+1}, in place; returns what was measured at θ_t. A batch without a target moves nothing.

    The tensors of `grad` are moved, any others are frozen. Each rank takes its own sequences of the batch; the sums
    over all ranks, and so the update, are the same in each.
    Raises FloatingPointError, and leaves θ_t as it is, if the loss or its gradient is not finite, and MinisftError if
    an argument makes no sense.
    """
    require(theta, grad, batch, learning_rate)
    if not batch.weights.any():
        return step_metrics(batch, np.zeros(4), settings.prompt_loss_weight, 0.0, learning_rate)
    grad.flat[:] = 0
    sums = np.zeros(4)  # in float64, as a float32 sum would lose digits over many slices; see `measured`
    own = batch.only(ranks.portion(np.diff(batch.starts)))
    for micro_batch in own.split(settings.batch_size):  # slices of the step's weights: nothing to rescale
        J, cache = value_and_grad(theta, grad, config, micro_batch, dJ=-1.0)  # the sign: L = −J
        sums += measured(J, cache, micro_batch)
    ranks.sum(grad.flat)
    ranks.sum(sums)
    J, grad_norm = sums[0], optim.clip(grad, settings.max_grad_norm)
    if not (math.isfinite(J) and math.isfinite(grad_norm)):
        raise FloatingPointError(f"the loss is {-J:g}, the norm of its gradient {grad_norm:g}")
    optimizer.step(theta, grad, learning_rate)
    return step_metrics(batch, sums, settings.prompt_loss_weight, grad_norm, learning_rate)


def require(theta: Params, grad: Params, batch: Batch, learning_rate: float) -> None:
    """Raises MinisftError for what `step` alone would not notice; what the model reads, `model.forward` looks at."""
    doors.number("learning_rate", learning_rate, number(low=0))
    if np.may_share_memory(theta.flat, grad.flat) or grad.frozen:
        raise MinisftError("grad: expected a vector of its own, received that of theta; make it with theta.like()")
    doors.parameters("grad", grad, {name: grad.shapes.get(name) and shape for name, shape in theta.shapes.items()})
    if batch.is_y.dtype != bool:
        doors.refuse("batch.is_y", "true or false for each row", batch.is_y, "convert it with astype(bool)")


def value_and_grad(
    theta: Params, grad: Params, config: ModelConfig, batch: Batch, dJ: float
) -> tuple[Any, objective.Cache]:
    """Adds dJ · ∇J(θ) of a batch to grad. Returns J in nats, and the objective's cache of the rows of weight > 0."""
    rows = np.flatnonzero(batch.weights)  # weight 0 never reaches the vocabulary; none: adds 0
    below = frozen.below(theta, config, batch)
    logits, c_model = model.forward(theta, config, batch.ids, batch.starts, rows, None, model.lowest(grad), below)
    J, c_objective = objective.forward(logits, batch.targets[rows], batch.weights[rows])
    del logits  # of the size of what follows: the largest arrays of a step
    model.backward(theta, grad, config, c_model, objective.backward(c_objective, dJ))
    return J, c_objective


# --- batches ----------------------------------------------------------------------------------------------------------


def batches(
    sequences: list[Sequence], settings: TrainConfig, first_step: int = 0, dtype: DTypeLike = np.float32
) -> Iterator[tuple[list[Sequence], Batch]]:
    """The sequences and the batch of every step of a run, from first_step on (counted from 0), made as they are needed.

    The last step of an epoch is smaller if need be. dtype: of the weights, that of θ.
    """
    per_step = settings.batch_size * settings.gradient_accumulation_steps
    steps_an_epoch = math.ceil(len(sequences) / per_step)
    for t in range(first_step, steps_in(sequences, settings)):
        epoch, k = divmod(t, steps_an_epoch)
        chosen = [sequences[i] for i in order(len(sequences), settings, epoch)[k * per_step : (k + 1) * per_step]]
        yield chosen, data.collate(chosen, settings.prompt_loss_weight, settings.loss_reduction, dtype)


def steps_in(sequences: list[Sequence], settings: TrainConfig) -> int:
    """How many steps a run has: --max-steps, or all epochs; a fraction of one is rounded up to whole steps."""
    per_step = settings.batch_size * settings.gradient_accumulation_steps
    return settings.max_steps or math.ceil(settings.num_train_epochs * math.ceil(len(sequences) / per_step))


def read_again(sequences: list[Sequence], settings: TrainConfig) -> np.ndarray:
    """Whether the whole run reads a sequence more than once, for each of them: (S,) bool."""
    count, per_step = len(sequences), settings.batch_size * settings.gradient_accumulation_steps
    epochs, steps = divmod(steps_in(sequences, settings), math.ceil(count / per_step))
    times = np.full(count, epochs)
    times[order(count, settings, epochs)[: steps * per_step]] += 1
    return times > 1


def order(count: int, settings: TrainConfig, epoch: int) -> np.ndarray:
    """The order (n,) of the n = count examples in an epoch: made of seed and epoch alone, as a resumed run needs."""
    if not settings.shuffle:
        return np.arange(count)
    return np.random.default_rng([settings.seed, epoch]).permutation(count)


# --- what a step measures ---------------------------------------------------------------------------------------------


def measured(J: float, cache: objective.Cache, batch: Batch) -> np.ndarray:
    """(4,) float64, over rows of weight > 0: J, right guesses, log Pr in x and in y (nats). Sums, so slices add up."""
    rows = np.flatnonzero(batch.weights)
    log_prob = cache.log_pi[np.arange(len(rows)), batch.targets[rows]]
    correct = cache.log_pi.argmax(-1) == batch.targets[rows]
    is_y = batch.is_y[rows]
    return np.array([J, correct.sum(), log_prob[~is_y].sum(dtype=float), log_prob[is_y].sum(dtype=float)])


def step_metrics(
    batch: Batch, sums: np.ndarray, prompt_loss_weight: float, grad_norm: float, learning_rate: float
) -> dict:
    """The metrics of one step, in nats: `sums` (4,) of `measured` over all of its batch, in its reduction."""
    J, correct, log_prob_x, log_prob_y = sums.tolist()
    targets_x, targets_y = (int(np.count_nonzero(batch.weights[rows])) for rows in (~batch.is_y, batch.is_y))
    targets = targets_x + targets_y
    metrics = {
        "loss": 0.0 - J,  # of J = 0, -J would be -0.0
        "objective": J,
        "num_target_tokens": targets,
        "grad_norm": grad_norm,
        "learning_rate": learning_rate,
        "mean_token_accuracy": correct / targets if targets else 0.0,
    }
    if prompt_loss_weight > 0:
        metrics["prompt_loss"] = -log_prob_x / targets_x if targets_x else 0.0
        metrics["completion_loss"] = -log_prob_y / targets_y if targets_y else 0.0
    return metrics


# --- where a run begins -----------------------------------------------------------------------------------------------


def default_learning_rate(theta: Params) -> float:
    """1e-3 for models under 10 million parameters, 2e-5 above; ten times as much where an adapter moves."""
    return (1e-3 if theta.base.flat.size < 10_000_000 else 2e-5) * (10 if theta.frozen else 1)


def trained(theta: Params, settings: TrainConfig) -> list[str]:
    """The names of the tensors that are not frozen. Raises MinisftError if a pattern of --train-only matches none."""
    for pattern in settings.train_only:
        if not any(fnmatchcase(name, pattern) for name in theta.named):
            first, *others = theta.named
            others = [*others[:1], "…", *others[-1:]] if others[2:] else others
            raise MinisftError(
                f"--train-only: '{pattern}' matches no tensor; their names are {', '.join([first, *others])}"
            )
    return [name for name in theta.named if settings.trains(name)]


def start(theta: Params, settings: TrainConfig) -> State:
    """θ_0: θ itself, or θ frozen with a new adapter if lora_r is set. Raises MinisftError if nothing is trained."""
    doors.of_kind("settings", settings, TrainConfig, "a TrainConfig")
    if settings.lora_r and not theta.frozen:
        theta = adapter.start(theta, settings)
    trained(theta, settings)  # or a mistake would be noticed when an old run has been removed
    return State(0, theta, optim.make(theta, settings))


def finetune(
    theta_hat: Params,
    config: ModelConfig,
    sequences: list[Sequence],
    settings: TrainConfig,
    ranks: Ranks = ALONE,
) -> Iterator[State]:
    """θ̂ → θ̃: yields θ_t after every step t = 1 … T. θ̂ itself is never modified.

    With settings.lora_r, θ_t is θ̂ with an adapter, and `adapter.merged(state.theta)` a model like θ̂. θ̂ with an
    adapter is taken as well: then that one moves on.
    """
    doors.of_kind("theta_hat", theta_hat, Params, "parameters, as of checkpoint.load")
    doors.of_kind("config", config, ModelConfig, "a ModelConfig")
    doors.of_kind("settings", settings, TrainConfig, "a TrainConfig")
    shared = settings.lora_r and not theta_hat.frozen  # a new adapter leaves θ̂ as it is
    theta = theta_hat if shared else theta_hat.copy()
    yield from train(start(theta, settings), config, sequences, settings, ranks)


def pretrain(
    config: ModelConfig,
    sequences: list[Sequence],
    settings: TrainConfig,
    dtype: DTypeLike = np.float32,
    ranks: Ranks = ALONE,
) -> Iterator[State]:
    """Random parameters → θ̂, by the same loop on documents."""
    doors.of_kind("config", config, ModelConfig, "a ModelConfig")
    doors.of_kind("settings", settings, TrainConfig, "a TrainConfig")
    theta = model.init(config, np.random.default_rng(settings.seed), dtype)
    yield from train(start(theta, settings), config, sequences, settings, ranks)
