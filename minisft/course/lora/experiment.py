"""LoRA of several ranks beside full fine-tuning: what each has learnt of D, and what it has forgotten.

    learnt      the fraction of held-out questions answered exactly
    forgotten   −log Pr of documents that θ̂ has read, under θ_t minus under θ̂, in nats per token

A method is its rank r, and r = 0 is full fine-tuning. Each is run with every rate of its grid and every seed; the
rate is chosen on questions that are not the held-out ones.
"""

import functools
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from minisft import adapter, checkpoint, data, evaluate, train
from minisft.config import TrainConfig
from minisft.formats import resources
from minisft.params import Params

SETTINGS = TrainConfig(max_steps=80, batch_size=16, loss_reduction="sum", max_grad_norm=0.0, warmup_steps=4)
RANKS, SEEDS, LOOKS = (1, 4, 16, 64, 0), (0, 1, 2), (40, 80)
RATES = {  # the grids: of LoRA, and of all numbers
    True: (2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2),
    False: (1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3),
}
DOCUMENTS = 191  # every 191st document of the pre-training text is read again
COUNTRIES = {"chosen by": 1, "held out": 2}  # which countries, modulo 5: 120 questions each


class Run(NamedTuple):
    """All that decides what one run gives. r = 0: all numbers move."""

    r: int
    learning_rate: float
    seed: int


@functools.lru_cache
def theta_hat():
    """θ̂ of the atlas, its config and its tokenizer."""
    return checkpoint.load(resources.path("atlas"))


@functools.lru_cache
def pairs():
    """D, as sequences."""
    return [data.encode(pair, theta_hat()[2]) for pair in data.read([resources.path("atlas_train.jsonl")])]


@functools.lru_cache
def questions(name: str):
    """Those of `COUNTRIES`: four about each country, none of which is in D."""
    every = data.read([resources.path("atlas_test.jsonl")])
    return [question for i, question in enumerate(every) if i // 4 % 5 == COUNTRIES[name]]


@functools.lru_cache
def held_out():
    """The held-out questions with their answers, as sequences."""
    return [data.encode(question, theta_hat()[2]) for question in questions("held out")]


@functools.lru_cache
def documents():
    """Documents that θ̂ has read, as sequences, and its loss on them."""
    read = data.read_documents(resources.path("pretrain.jsonl"))[::DOCUMENTS]
    sequences = [data.encode(document, theta_hat()[2]) for document in read]
    return sequences, loss(theta_hat()[0], sequences)


def loss(theta: Params, sequences) -> float:
    """−log Pr of y, in nats per token; all of a document is y."""
    values = evaluate.log_probs(theta, theta_hat()[1], sequences)
    of_y = [log_prob[s.is_y[1:]] for (log_prob, _), s in zip(values, sequences)]
    return -float(np.concatenate(of_y).mean(dtype=np.float64))


def exact(theta: Params, name: str) -> float:
    """The fraction of these questions that are answered exactly."""
    _, config, tokenizer = theta_hat()
    answered = evaluate.answers(theta, config, tokenizer, questions(name), 24)
    return float(np.mean([answer["exact"] for answer in answered if answer is not None]))


def worth(theta: Params) -> dict:
    """What θ has learnt and forgotten; an adapter is merged first, which changes no answer and is faster."""
    whole = adapter.merged(theta) if theta.frozen else theta
    sequences, before = documents()
    return {name: exact(whole, name) for name in COUNTRIES} | {"forgetting": loss(whole, sequences) - before}


def settings_of(run: Run) -> TrainConfig:
    return replace(SETTINGS, lora_r=run.r, learning_rate=run.learning_rate, seed=run.seed)


def follow(run: Run) -> list[dict]:
    """One run from θ̂: a row for each t of LOOKS."""
    rows, losses = [], []
    start, config, _ = theta_hat()
    for state in train.finetune(start, config, pairs(), settings_of(run)):
        losses.append(state.metrics["loss"] / state.metrics["num_target_tokens"])
        if state.step in LOOKS:
            row = run._asdict() | {"step": state.step, "numbers": state.theta.flat.size}
            rows.append(row | {"loss": float(np.mean(losses[-10:]))} | worth(state.theta))
    return rows


def plan() -> list[Run]:
    """Every method with every rate of its grid, for every seed."""
    return [Run(r, rate, seed) for seed in SEEDS for r in RANKS for rate in RATES[r > 0]]
