"""θ̂, and the data of one experiment: what to fine-tune on, and what to ask afterwards."""

import functools
from typing import NamedTuple

import numpy as np

from minisft import checkpoint, data
from minisft.data import Example, Sequence
from minisft.formats import resources

SEEDS = (0, 1, 2)
ASKED = 13  # every 13th of the 600 held-out questions is asked: all four kinds in turn


class World(NamedTuple):
    """What to fine-tune on, and what to ask afterwards: {name of a test: its questions}; losses are of the first."""

    train: list[Example]
    tests: dict[str, list[Example]]


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


def encode(examples) -> list[Sequence]:
    return [data.encode(example, theta_hat()[2]) for example in examples]


def length_ratio(name: str, seed: int = 0) -> float:
    """Tokens of x for each token of y in a training set; the first token of a sequence is given, and not counted."""
    masks = np.concatenate([s.is_y[1:] for s in encode(world(name, seed).train)])
    return float((~masks).sum() / masks.sum())
