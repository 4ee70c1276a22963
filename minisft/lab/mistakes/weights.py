"""Mistakes in the weights and in the objective: what the log-probabilities of a step add up to."""

from dataclasses import replace

import numpy as np

from minisft import data, objective, train
from minisft.data import Batch
from minisft.lab.mistakes.mistake import mistake


@mistake(
    "weights",
    (Batch, "split"),
    wrong="loss = mean(losses) / micro_batches",
    right="loss = sum(losses) / targets_of_the_step",
    seen=("huggingface/transformers#34242", "huggingface/trl#2175", "karpathy/nanochat#59", "ml-explore/mlx-lm#1544"),
)
def mean_of_means(split):
    """Each micro-batch has its own mean, so a token in one with few targets weighs more than one in a full one."""
    return lambda batch, size: own_means(list(split(batch, size)), batch.weights.sum(), divided=True)


@mistake(
    "weights",
    (Batch, "split"),
    wrong="loss = mean(losses)                       # of each micro-batch, and added up",
    right="loss = sum(losses) / targets_of_the_step",
    seen=("axolotl-ai-cloud/axolotl#2262", "huggingface/transformers#35207"),
)
def loss_not_divided(split):
    """The means of the micro-batches are added up: loss and gradient are as many times too large."""
    return lambda batch, size: own_means(list(split(batch, size)), batch.weights.sum(), divided=False)


def own_means(parts: list[Batch], total: float, divided: bool) -> list[Batch]:
    """Micro-batches whose weights add up to the same in each: to that of the step, or, divided, to their part of it."""
    each = total / len(parts) if divided else total
    sums = [part.weights.sum() for part in parts]
    return [replace(part, weights=part.weights * (each / own)) if own else part for part, own in zip(parts, sums)]


@mistake(
    "weights",
    (data, "collate"),
    wrong="loss = (losses * mask).mean()",
    right="loss = (losses * mask).sum() / mask.sum()",
    seen=("d2l-ai/d2l-en#2076", "NovaSky-AI/SkyRL#462"),
)
def mean_over_padding(collate):
    """The mean is over all places of the padded batch, those of x and the pads too: the loss looks small."""

    def wrong(sequences, *rest, **more):
        batch = collate(sequences, *rest, **more)
        places = len(sequences) * np.diff(batch.starts).max()
        return replace(
            batch, weights=batch.weights * (np.count_nonzero(batch.weights) / places).astype(batch.weights.dtype)
        )

    return wrong


@mistake(
    "objective",
    (objective, "forward"),
    wrong="loss = -log(mean(pi[targets]))",
    right="loss = -mean(log(pi[targets]))",
)
def log_of_mean(forward):
    """The log of the mean of Pr: tokens that are likely already count most, and the unlikely ones are left behind."""

    def wrong(logits, targets, weights):
        J, cache = forward(logits, targets, weights)
        w_pi, total = weights * np.exp(cache.log_pi[np.arange(len(targets)), targets]), weights.sum()
        if not w_pi.sum():
            return J, cache
        return total * np.log(w_pi.sum() / total), cache._replace(weights=total * w_pi / w_pi.sum())

    return wrong


@mistake(
    "objective",
    (objective, "forward"),
    wrong="loss = nll_loss(softmax(logits), targets)",
    right="loss = nll_loss(log_softmax(logits), targets)",
    seen=("AnubhavGupta3377/Text-Classification-Models-Pytorch#9", "midas-research/man-sf-emnlp#2"),
)
def sum_of_probabilities(forward):
    """Pr in the place of log Pr: what has a small probability has a small gradient too. The loss is negative."""

    def wrong(logits, targets, weights):
        _, cache = forward(logits, targets, weights)
        w_pi = weights * np.exp(cache.log_pi[np.arange(len(targets)), targets])
        return w_pi.sum(), cache._replace(weights=w_pi)

    return wrong


@mistake(
    "objective",
    (train, "value_and_grad"),
    wrong="theta += learning_rate * grad_of_loss",
    right="theta -= learning_rate * grad_of_loss",
    seen=("torch/optim#52",),
)
def sign(value_and_grad):
    """The loss is climbed, not descended."""
    return lambda theta, grad, config, batch, dJ: value_and_grad(theta, grad, config, batch, -dJ)
