"""Objectives side by side: the same θ̂, the same data in the same order, the same steps, and what each run leads to.

    J(θ) = Σᵢ wᵢ log π_θ(yᵢ | context)      an objective is a rule that gives m; `data.weights` makes w of it

A rule is a function of the mask of one sequence: (n,) bool, True where the row predicts a token of y, gives (n,) float.
Runs do not depend on each other, so each takes a process of its own, as many at a time as there are cores.
"""

import functools
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from minisft import checkpoint, data, evaluate, model, objective, optim, train
from minisft.config import TrainConfig
from minisft.data import Example, Sequence
from minisft.formats import resources
from minisft.params import Params
from minisft.runs import allocator

SEEDS = (0, 1, 2)
ALL = ("losses", "forgetting", "answers")
LONGEST_ANSWER = 32  # tokens; the longest one expected has 30
DOCUMENTS = 191  # every 191st document of the pre-training text is read again, to see what was forgotten
ASKED = 13  # every 13th of the 600 held-out questions is asked: all four kinds in turn


class World(NamedTuple):
    """What to fine-tune on, and what to ask afterwards: {name of a test: its questions}; losses are of the first."""

    train: list[Example]
    tests: dict[str, list[Example]]


class Run(NamedTuple):
    """All that decides what one run gives; numbers and texts only, so that another process can do it.

    m         one array a sequence of the world's training set: what the rule of the objective gives for it
    looks     the steps t before the last at which the two gradients are measured
    measures  of "losses", "forgetting" and "answers": of θ̃
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


# --- worlds ----------------------------------------------------------------------------------------------------------


def world(name: str, seed: int) -> World:
    """The data of one experiment. The three seeds share no held-out question and no invented country.

    "atlas"        200 pairs about 50 countries; asked about others
    "few"          20 of these pairs, others for each seed
    "padded"       the 200 pairs, each question after a sentence about another country: longer x, not worth knowing
    "closed book"  the 200 pairs, and 64 paragraphs of four facts about one of 8 invented countries and a question about
                   one of them; asked, without the paragraph, about facts that only stood in x ("closed book")
    """
    pairs, held_out = (read(f"atlas_{part}") for part in ("train", "test"))
    known = held_out[seed::ASKED]
    if name == "atlas":
        return World(pairs, {"held out": known})
    if name == "few":
        return World(pairs[20 * seed : 20 * seed + 20], {"held out": known})
    if name == "padded":
        rng = np.random.default_rng(seed)
        before = [texts(pair)[1] for pair in pairs]
        padded = [[after(before[rng.integers(len(before))], example) for example in part] for part in (pairs, known)]
        return World(padded[0], {"held out": padded[1]})
    names = [line.split("\t")[0] for line in resources.path("facts/invented.tsv").read_text("utf-8").splitlines()[1:]]
    mixed, closed = read("closed_book_train"), read("closed_book_test")
    hidden = [n for i, n in enumerate(names) if i % len(SEEDS) != seed % len(SEEDS)]
    chosen = [e for e in mixed if not any(n in texts(e)[0] for n in hidden)]
    asked = [e for e in closed if not any(n in texts(e)[0] for n in hidden)]
    return World(chosen, {"held out": known, "closed book": asked})


def read(name):
    return data.read([resources.path(f"{name}.jsonl")])


def texts(example):
    """Question and answer."""
    return [message["content"] for message in example.completion]


def after(sentence, example):
    """The example with a sentence before its question."""
    question, answer = example.completion
    return example._replace(completion=[question | {"content": f"{sentence} {question['content']}"}, answer])


@functools.lru_cache
def theta_hat():
    return checkpoint.load(resources.path("atlas"))


@functools.lru_cache
def pretrained():
    """Documents that θ̂ has read, and its loss on them, in nats a token."""
    documents = encode(data.read_documents(resources.path("pretrain.jsonl"))[::DOCUMENTS])
    return documents, losses(theta_hat()[0], documents)[1]


def encode(examples) -> list[Sequence]:
    return [data.encode(example, theta_hat()[2]) for example in examples]


def length_ratio(name: str, seed: int = 0) -> float:
    """Tokens of x for each token of y in a training set; the first token of a sequence is given, and not counted."""
    masks = np.concatenate([s.is_y[1:] for s in encode(world(name, seed).train)])
    return float((~masks).sum() / masks.sum())


# --- one run ---------------------------------------------------------------------------------------------------------


def losses(theta: Params, sequences: list[Sequence]) -> tuple[float, float]:
    """−log Pr in nats a token: its mean over all tokens of x, and over all of y."""
    values = np.concatenate([log_prob for log_prob, _ in evaluate.log_probs(theta, theta_hat()[1], sequences)])
    of_y = np.concatenate([s.is_y[1:] for s in sequences])
    return tuple(-float(values[rows].mean(dtype=np.float64)) if rows.any() else 0.0 for rows in (~of_y, of_y))


def gradient(theta: Params, part: data.Batch, rows: np.ndarray) -> np.ndarray:
    """∇ Σ log Pr(token | before) over the chosen rows (N,) bool of a batch: (P,)."""
    config, rows, grad = theta_hat()[1], np.flatnonzero(rows), theta.like()
    logits, cache = model.forward(theta, config, part.ids, part.starts, rows)
    _, c_objective = objective.forward(logits, part.targets[rows], np.ones(len(rows), theta.flat.dtype))
    model.backward(theta, grad, config, cache, objective.backward(c_objective, 1.0))
    return grad.flat


def two_gradients(theta: Params, sequences: list[Sequence]) -> dict:
    """‖∇ log Pr(x)‖ and ‖∇ log Pr(y|x)‖, summed over the sequences, and the angle between them in degrees."""
    part = data.collate(sequences, 1.0, "sum", theta.flat.dtype)
    of_x, of_y = (gradient(theta, part, rows).astype(np.float64) for rows in (~part.is_y, part.is_y))
    norm_x, norm_y = np.linalg.norm(of_x), np.linalg.norm(of_y)
    angle = np.degrees(np.arccos(np.clip(of_x @ of_y / (norm_x * norm_y), -1, 1)))
    return {"norm x": float(norm_x), "norm y": float(norm_y), "angle": float(angle)}


def worth(theta: Params, run: Run, here: World) -> dict:
    """Shares from 0 to 1, losses in nats a token; "forgetting" is the loss on the pre-training text, less that of θ̂."""
    _, config, tokenizer = theta_hat()
    result = {}
    if "losses" in run.measures:
        result["loss x"], result["loss y"] = losses(theta, encode(next(iter(here.tests.values()))))
    if "forgetting" in run.measures:
        documents, before = pretrained()
        result["forgetting"] = losses(theta, documents)[1] - before
    if "answers" in run.measures:
        for name, questions in here.tests.items():
            answered = evaluate.answers(theta, config, tokenizer, questions, LONGEST_ANSWER)
            result[name] = float(np.mean([answer["exact"] for answer in answered]))
            result[f"{name}, stopped"] = float(np.mean([answer["stopped"] for answer in answered]))
    return result


def follow(run: Run) -> list[dict]:
    """One run from θ̂: a row a look, and one at the end. With m of a λ it is `train.finetune`, to the bit."""
    here = world(run.world, run.seed)
    start, config, _ = theta_hat()
    sequences, settings, theta = encode(here.train), run.settings, start.copy()
    probe = sequences[::17]
    optimizer, grad, rows, size = optim.make(theta, settings), theta.like(), [], settings.batch_size
    steps_an_epoch = -(-len(sequences) // size)
    for t in range(settings.max_steps):
        if t in run.looks:
            rows.append({"step": t} | two_gradients(theta, probe))
        epoch, k = divmod(t, steps_an_epoch)
        chosen = train.order(len(sequences), settings, epoch)[k * size : (k + 1) * size]
        whole = data.collate([sequences[i] for i in chosen])
        w = data.weights(np.concatenate([run.m[i] for i in chosen]), whole.starts, settings.loss_reduction)
        whole = replace(whole, weights=w.astype(theta.flat.dtype))
        train.step(
            theta, grad, optimizer, whole, config, settings, optim.learning_rate(settings, t, settings.max_steps)
        )
    gradients = two_gradients(theta, probe) if run.looks else {}
    return [*rows, {"step": settings.max_steps} | gradients | worth(theta, run, here)]


# --- many ------------------------------------------------------------------------------------------------------------


def processes(count: int | None = None) -> ProcessPoolExecutor:
    """Processes that wait for runs, one a core and at most 3 (memory), each with one thread for its matrix products."""
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ.setdefault(variable, "1")  # read when a process loads NumPy: this one already has
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")  # a fresh interpreter: a kernel has threads, which a fork would lose
    return ProcessPoolExecutor(count or min(3, cores), context, allocator.keep_freed_arrays)


def compare(pool, rules: dict, name: str, settings: TrainConfig, looks=(), measures=ALL) -> dict:
    """{rule: [the rows of each seed, as `follow` gives them]}: every rule with every seed, in the world of that name.

    pool   from `processes()`, or None: in this process, one after the other
    rules  {rule: a function from the mask of a sequence to its m}
    """
    runs = []
    for seed in SEEDS:
        masks = [sequence.is_y[1:] for sequence in encode(world(name, seed).train)]
        for rule in rules.values():
            m = [np.asarray(rule(mask), np.float64) for mask in masks]
            runs.append(Run(name, seed, m, replace(settings, seed=seed), tuple(looks), measures))
    done = list(map(follow, runs) if pool is None else pool.map(follow, runs))
    return {rule: done[i :: len(rules)] for i, rule in enumerate(rules)}


def at_the_end(results: dict, what: str) -> dict[str, list[float]]:
    """{rule: [a number a seed]}: one measure of θ̃, of what `compare` gave."""
    return {rule: [rows[-1][what] for rows in seeds] for rule, seeds in results.items()}


def percent(shares: dict) -> dict:
    return {rule: [100 * share for share in seeds] for rule, seeds in shares.items()}


def with_spread(values, digits=0) -> str:
    """The mean, and in brackets the number of each seed."""
    return f"{np.mean(values):.{digits}f} ({', '.join(f'{value:.{digits}f}' for value in values)})"


def winner(shares: dict) -> str:
    """The rule whose worst seed beats the best seed of every other; "not decided" if none does."""
    for rule, seeds in shares.items():
        if all(min(seeds) > max(other) for name, other in shares.items() if name != rule):
            return rule
    return "not decided"


def consequences(results: dict) -> tuple[list[str], list[list]]:
    """Columns and rows of a table: what each objective leads to, and what of it is good and bad beside the first.

    Good and bad are what all seeds agree on: the worst of one objective is better than the best of the other.
    """
    wanted = {"held out": 1, "held out, stopped": 1, "loss y": -1, "loss x": -1, "forgetting": -1}  # -1: less is better
    names = ["held out (%)", "stopped (%)", "loss on y", "loss on x", "forgetting"]
    ends = {what: at_the_end(results, what) for what in wanted}
    rows, first = [], next(iter(results))
    for rule in results:
        row = [
            with_spread(100 * np.array(ends[what][rule]))
            if what.startswith("held")
            else with_spread(ends[what][rule], 2)
            for what in wanted
        ]
        good, bad = [], []
        for name, (what, sign) in zip(names, wanted.items()):
            ours, theirs = (sign * np.array(ends[what][r]) for r in (rule, first))
            good += [name.split(" (")[0]] * bool(min(ours) > max(theirs))
            bad += [name.split(" (")[0]] * bool(max(ours) < min(theirs))
        rows.append([rule, *row, ", ".join(good) or "–", ", ".join(bad) or "–"])
    return ["objective", *names, "better", "worse"], rows
