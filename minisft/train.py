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

import numpy as np

from minisft import model, objective, optim
from minisft.config import ModelConfig, TrainConfig
from minisft.data import Batch, Sequence, collate
from minisft.errors import MinisftError
from minisft.parallel import ALONE, Ranks
from minisft.params import Params


class NotFinite(MinisftError):
    """A loss, its gradient or an update is not finite: met in the same step by all ranks."""


class LastGood:
    """The tensors in motion where the loss was last known to be finite: one copy, for two accidents.

    It is made between the gradient of a step and its update. A loss that is not finite is met before that: the copy
    is still that of the step before. A Ctrl-C in the middle of the update comes after it: the copy is θ_t.
    """

    def __init__(self, theta: Params, grad: Params):
        self.copy = grad.like()
        self.keep(theta)

    def keep(self, theta: Params):
        for name, kept in self.copy.named.items():
            kept[...] = theta.named[name]
        self.is_now = True

    def put_back(self, theta: Params):
        for name, kept in self.copy.named.items():
            theta.named[name][...] = kept


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
    ranks: Ranks = ALONE,
    last_good: LastGood | None = None,
) -> dict:
    """θ_t → θ_{t+1}, in place; returns what was measured at θ_t. The caller skips a batch without a target.

    The tensors of `grad` are moved, any others are frozen; `last_good` copies them before. Each rank computes its share
    of the whole batch; the sums over all ranks, and so the update, are the same in each.
    Raises FloatingPointError, and leaves θ_t as it is, if the loss or its gradient is not finite.
    """
    grad.flat[:] = 0
    sums = np.zeros(4)  # in float64, as a float32 sum would lose digits over many slices; see `row`
    share = whole.only(ranks.portion(np.diff(whole.starts)))
    lowest = model.lowest(grad)
    for part in share.split(settings.batch_size):  # slices of the step's weights: nothing to rescale
        rows = np.flatnonzero(part.weights)  # weight 0 never reaches the vocabulary; none: adds 0
        logits, c_model = model.forward(theta, config, part.ids, part.starts, rows, lowest=lowest)
        value, c_objective = objective.forward(logits, part.targets[rows], part.weights[rows])
        model.backward(theta, grad, config, c_model, objective.backward(c_objective, dJ=-1.0))  # the sign
        log_prob = c_objective.log_pi[np.arange(len(rows)), part.targets[rows]]
        correct = c_objective.log_pi.argmax(-1) == part.targets[rows]
        of_y = part.is_y[rows]
        sums += value, correct.sum(), log_prob[~of_y].sum(dtype=float), log_prob[of_y].sum(dtype=float)
    ranks.sum(grad.flat)
    ranks.sum(sums)
    J = sums[0]
    grad_norm = optim.clip(grad, settings.max_grad_norm)
    if not (math.isfinite(J) and math.isfinite(grad_norm)):
        raise FloatingPointError(f"the loss is {-J:g}, the norm of its gradient {grad_norm:g}")
    if last_good:
        last_good.keep(theta)
    optimizer.step(theta, grad, learning_rate)
    return row(whole, sums, settings.prompt_loss_weight, grad_norm, learning_rate)


def row(whole: Batch, sums: np.ndarray, prompt_loss_weight: float, grad_norm: float, learning_rate: float) -> dict:
    """Metrics of one step. `sums` are over its rows of weight > 0: J, right guesses, log Pr in x, log Pr in y."""
    J, correct, log_prob_x, log_prob_y = sums.tolist()
    targets_x, targets_y = (int(np.count_nonzero(whole.weights[rows])) for rows in (~whole.is_y, whole.is_y))
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


def steps_in(sequences: list[Sequence], settings: TrainConfig) -> int:
    """How many steps a run has: --max-steps, or all epochs, the last step of each smaller if need be."""
    per_step = settings.batch_size * settings.gradient_accumulation_steps
    return settings.max_steps or settings.num_train_epochs * math.ceil(len(sequences) / per_step)


def order(count: int, settings: TrainConfig, epoch: int) -> np.ndarray:
    """The order of the examples in an epoch: depends on seed and epoch alone, so a resumed run meets the same."""
    if not settings.shuffle:
        return np.arange(count)
    return np.random.default_rng([settings.seed, epoch]).permutation(count)


def trained(theta: Params, settings: TrainConfig) -> list[str]:
    """The names of the tensors that are not frozen. Raises MinisftError if a pattern of --train-only matches none."""
    for pattern in settings.train_only:
        if not any(fnmatchcase(name, pattern) for name in theta.named):
            first, second, *_, last = theta.named
            raise MinisftError(
                f"--train-only: '{pattern}' matches no tensor; their names are {first}, {second}, …, {last}"
            )
    return [name for name in theta.named if settings.trains(name)]


def start(theta: Params, settings: TrainConfig) -> State:
    trained(theta, settings)  # or a mistake would be noticed when an old run has been removed
    return State(0, theta, optim.make(theta, settings))


def train(
    state: State, config: ModelConfig, sequences: list[Sequence], settings: TrainConfig, ranks: Ranks = ALONE
) -> Iterator[State]:
    """Continue from `state`, the same in all ranks, to the end of the run, in place, yielding it after every step.

    Raises NotFinite naming step and examples if a loss is not finite; state.theta then is the last good θ. After a
    KeyboardInterrupt it is θ_t of state.step, whole.
    """
    if not settings.learning_rate:
        settings = replace(settings, learning_rate=default_learning_rate(state.theta))
    theta, total = state.theta, steps_in(sequences, settings)
    per_step = settings.batch_size * settings.gradient_accumulation_steps
    steps_an_epoch = math.ceil(len(sequences) / per_step)
    grad = theta.part(trained(theta, settings))
    last_good = LastGood(theta, grad)
    while state.step < total:
        began = time.perf_counter()
        epoch, k = divmod(state.step, steps_an_epoch)
        chosen = [sequences[i] for i in order(len(sequences), settings, epoch)[k * per_step : (k + 1) * per_step]]
        whole = collate(chosen, settings.prompt_loss_weight, settings.loss_reduction, theta.flat.dtype)
        rate = optim.learning_rate(settings, state.step, total)
        if whole.weights.any():
            last_good.is_now = False
            try:
                with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                    metrics = step(theta, grad, state.optimizer, whole, config, settings, rate, ranks, last_good)
                    if not all(np.isfinite(theta.named[name].sum()) for name in grad.named):
                        raise FloatingPointError("the update leads to parameters that are not finite")
            except FloatingPointError as error:
                last_good.put_back(theta)
                raise NotFinite(
                    f"step {state.step + 1}: {error}, on {', '.join(s.where for s in chosen)}; "
                    "try a smaller --learning-rate"
                ) from None
            except KeyboardInterrupt:
                if last_good.is_now:  # not half an update
                    last_good.put_back(theta)
                raise
        else:
            metrics = row(whole, np.zeros(4), settings.prompt_loss_weight, 0.0, rate)
        state.step += 1
        state.num_tokens += sum(len(s.ids) for s in chosen)
        metrics["num_tokens"] = state.num_tokens
        metrics["tokens_per_second"] = sum(len(s.ids) for s in chosen) / (time.perf_counter() - began)
        state.metrics = {"step": state.step} | metrics
        yield state


def finetune(
    theta_hat: Params,
    config: ModelConfig,
    sequences: list[Sequence],
    settings: TrainConfig,
    ranks: Ranks = ALONE,
) -> Iterator[State]:
    """θ̂ → θ̃: yields θ_t after every step t = 1 … T. θ̂ itself is never modified."""
    yield from train(start(theta_hat.copy(), settings), config, sequences, settings, ranks)


def pretrain(
    config: ModelConfig,
    sequences: list[Sequence],
    settings: TrainConfig,
    dtype=np.float32,
    ranks: Ranks = ALONE,
) -> Iterator[State]:
    """Random parameters → θ̂, by the same loop on documents."""
    theta = model.init(config, np.random.default_rng(settings.seed), dtype)
    yield from train(start(theta, settings), config, sequences, settings, ranks)
