"""Objectives side by side: the same θ̂, the same data in the same order, the same steps, and what each run leads to.

    J(θ) = Σᵢ wᵢ log π_θ(yᵢ | context)      an objective is a rule that gives m; `data.weights` makes w of it

A rule is a function of the mask of one sequence: (n,) bool, True where the row predicts a token of y, gives (n,) float.
Runs do not depend on each other, so each takes a process of its own, as many at a time as there are cores.
"""

import functools
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from minisft import data, evaluate, optim, train
from minisft.config import TrainConfig
from minisft.course.conditional_versus_joint.worlds import World, encode, kind_of, theta_hat, world
from minisft.data import Sequence
from minisft.formats import resources
from minisft.params import Params

SETTINGS = TrainConfig(  # of all comparisons that do not say otherwise
    learning_rate=7e-4, max_steps=200, batch_size=8, loss_reduction="sum", max_grad_norm=0.0, warmup_steps=4
)
ALL = ("losses", "forgetting", "answers")
DOCUMENTS = 191  # every 191st document of the pre-training text is read again, to see what was forgotten


class Run(NamedTuple):
    """All that decides what one run gives; numbers and texts only, so that another process can do it.

    m         one array a sequence of the world's training set: what the rule of the objective gives for it
    looks     the steps t before the last at which θ_t is measured
    measures  of "gradients", "losses", "forgetting" and "answers"
    """

    world: str
    seed: int
    m: list[np.ndarray]
    settings: TrainConfig
    looks: tuple
    measures: tuple


# --- objectives ------------------------------------------------------------------------------------------------------


def weighted(prompt_loss_weight: float):
    """The rule m = 1 on y and λ on x: λ = 0 is log Pr(y|x), λ = 1 is log Pr(x, y)."""
    return lambda mask: np.where(mask, 1.0, prompt_loss_weight)


def last_token(mask: np.ndarray) -> np.ndarray:
    """The rule 1 on the last token of y, its end token, and 0 elsewhere."""
    m = np.zeros(len(mask))
    m[np.flatnonzero(mask)[-1]] = 1
    return m


# --- one run ---------------------------------------------------------------------------------------------------------


@functools.lru_cache
def pretrained():
    """Documents that θ̂ has read, and its loss on them, in nats a token."""
    documents = encode(data.read_documents(resources.path("pretrain.jsonl"))[::DOCUMENTS])
    return documents, losses(theta_hat()[0], documents)[1]


def losses(theta: Params, sequences: list[Sequence]) -> tuple[float, float]:
    """−log Pr in nats per token: its mean over all tokens of x, and over all tokens of y; 0 if there are none."""
    values = np.concatenate([log_prob for log_prob, _ in evaluate.log_probs(theta, theta_hat()[1], sequences)])
    of_y = np.concatenate([s.is_y[1:] for s in sequences])

    def mean(rows: np.ndarray) -> float:
        return -float(values[rows].mean(dtype=np.float64)) if rows.any() else 0.0

    return mean(~of_y), mean(of_y)


def gradient(theta: Params, part: data.Batch, rows: np.ndarray) -> np.ndarray:
    """∇ Σ log Pr(token | before) over the chosen rows (N,) bool of a batch: (P,)."""
    grad, weights = theta.like(), rows.astype(theta.flat.dtype)
    train.value_and_grad(theta, grad, theta_hat()[1], replace(part, weights=weights), dJ=1.0)
    return grad.flat


def two_gradients(theta: Params, sequences: list[Sequence]) -> dict:
    """‖∇ log Pr(x)‖ and ‖∇ log Pr(y|x)‖, summed over the sequences, and the angle between them in degrees."""
    part = data.collate(sequences, 1.0, "sum", theta.flat.dtype)
    of_x, of_y = (gradient(theta, part, rows).astype(np.float64) for rows in (~part.is_y, part.is_y))
    norm_x, norm_y = np.linalg.norm(of_x), np.linalg.norm(of_y)
    angle = np.degrees(np.arccos(np.clip(of_x @ of_y / (norm_x * norm_y), -1, 1)))
    return {"norm x": float(norm_x), "norm y": float(norm_y), "angle": float(angle)}


def worth(theta: Params, run: Run, here: World) -> dict:
    """What θ_t is worth: fractions of questions from 0 to 1, of each test and each kind, and losses in nats per token.

    "forgetting" is the loss on the pre-training text, minus that of θ̂.
    """
    _, config, tokenizer = theta_hat()
    result: dict[str, float] = {}
    if "gradients" in run.measures:
        result |= two_gradients(theta, encode(here.train[::17]))
    if "losses" in run.measures:
        result["loss x"], result["loss y"] = losses(theta, encode(here.tests["held out"]))
    if "forgetting" in run.measures:
        documents, before = pretrained()
        result["forgetting"] = losses(theta, documents)[1] - before
    if "answers" in run.measures:
        longest = 2 + max(int(s.is_y.sum()) for questions in here.tests.values() for s in encode(questions))
        for name, questions in here.tests.items():
            answered = evaluate.answers(theta, config, tokenizer, questions, longest)
            result |= {f"{name}, {key}": mean(answered, key) for key in ("exact", "stopped")}
            for kind in dict.fromkeys(map(kind_of, questions)):
                some = [answer for answer, question in zip(answered, questions) if kind_of(question) == kind]
                result[f"{name}, {kind}"] = mean(some, "exact")
    return result


def mean(answered, key: str) -> float:
    return float(np.mean([answer[key] for answer in answered]))


def follow(run: Run) -> list[dict]:
    """One run from θ̂: a row a look, and one at the end. With m of a λ it is `train.finetune`, to the bit."""
    here = world(run.world, run.seed)
    start, config, _ = theta_hat()
    sequences, settings, theta = encode(here.train), run.settings, start.copy()
    optimizer, grad, rows = optim.make(theta, settings), theta.like(), []
    m = {id(sequence): m for sequence, m in zip(sequences, run.m)}
    for t, (chosen, batch) in enumerate(train.batches(sequences, settings)):
        if t in run.looks:
            rows.append({"step": t} | worth(theta, run, here))
        w = data.weights(np.concatenate([m[id(s)] for s in chosen]), batch.starts, settings.loss_reduction)
        batch = replace(batch, weights=w.astype(theta.flat.dtype))
        rate = optim.learning_rate(settings, t, settings.max_steps)
        train.step(theta, grad, optimizer, batch, config, settings, rate)
    return [*rows, {"step": settings.max_steps} | worth(theta, run, here)]


# --- many ------------------------------------------------------------------------------------------------------------


def compare(pool, rules: dict, name: str, settings: TrainConfig, seeds, looks=(), measures=ALL) -> dict:
    """{rule: [the rows of each seed, as `follow` gives them]}: every rule with every seed, in the world of that name.

    pool   from `side_by_side.processes()`, or None: in this process, one after the other
    rules  {rule: a function from the mask of a sequence to its m}
    """
    runs = []
    for seed in seeds:
        masks = [sequence.is_y[1:] for sequence in encode(world(name, seed).train)]
        for rule in rules.values():
            m = [np.asarray(rule(mask), np.float64) for mask in masks]
            runs.append(Run(name, seed, m, replace(settings, seed=seed), tuple(looks), measures))
    done = list(map(follow, runs) if pool is None else pool.map(follow, runs))
    return {rule: done[i :: len(rules)] for i, rule in enumerate(rules)}
