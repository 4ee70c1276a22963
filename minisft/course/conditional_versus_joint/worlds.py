"""θ̂, and the data of one experiment: what to fine-tune on, and what to ask afterwards, drawn anew by each seed."""

import functools
from typing import NamedTuple

import numpy as np

from minisft import checkpoint, data
from minisft.course.conditional_versus_joint.countries import fill, invent, paragraph, wordings
from minisft.data import Example, Sequence
from minisft.formats import resources

ASKED = 12  # known countries that a seed asks about, held out of fine-tuning: four questions each
FEW, MANY = (8, 4), (150, 1)  # invented countries, and paragraphs about each of their facts that is asked
NEVER_ASKED = 2  # facts of an invented country, of four
OPEN = 16  # questions of each test about invented countries
POLITE = " Thank you for this good question. Please ask again at any time, and have a very nice day."
WORDY = 205  # tokens of a conversation with the wordy x, at least: of the 256 that the model reads


class World(NamedTuple):
    """What to fine-tune on, and what to ask afterwards: {name of a test: its questions}; losses are of the first."""

    train: list[Example]
    tests: dict[str, list[Example]]


@functools.lru_cache(maxsize=4)
def world(name: str, seed: int) -> World:
    """The data of one experiment. Every seed draws its own held-out questions and invents its own countries.

    "atlas"       200 pairs about 50 countries; asked about 12 others ("held out")
    "paragraphs"  the 200 pairs, and 64 more: x is a paragraph of four facts about one of 8 invented countries and a
                  question about one of them. Asked about facts that stood in x alone, without the paragraph ("closed
                  book"); and with a paragraph, as trained, and about a country that training has not seen ("open book")
    "many countries"  the 200 pairs, and 300 such paragraphs about 150 invented countries, each asked once
    "documents"   "paragraphs", and the 64 paragraphs once more as plain documents, all of them y
    "polite y"    "paragraphs", with the same two polite sentences after each answer
    "wordy x"     "paragraphs", with answers of other pairs before each question
    """
    rng = np.random.default_rng(seed)
    pairs, rest = read("atlas_train"), read("atlas_test")
    kinds = len(wordings())
    asked = [rest[kinds * i + kind] for i in rng.permutation(len(rest) // kinds)[:ASKED] for kind in range(kinds)]
    if name == "atlas":
        return World([pairs[i] for i in rng.permutation(len(pairs))], {"held out": asked})
    told, documents, tests = paragraphs(rng, *(MANY if name == "many countries" else FEW))
    train, tests = pairs + told, {"held out": asked} | tests
    if name == "documents":
        train = train + documents
    if name == "polite y":
        train, tests = map_all(polite, train, tests)
    if name == "wordy x":
        idle = [texts(pair)[1] for pair in pairs]
        train, tests = map_all(lambda example: wordy(rng, example, idle), train, tests)
    return World(train, tests)


def paragraphs(
    rng: np.random.Generator, invented: int, times: int
) -> tuple[list[Example], list[Example], dict[str, list[Example]]]:
    """Examples whose x tells of an invented country, their paragraphs as documents, and what to ask about them."""
    told, documents, closed, trained, new = [], [], [], [], []
    for facts in invent(rng, invented):
        never = rng.permutation(["capital", "currency", "language"])[:NEVER_ASKED]  # a continent is easily guessed
        for kind in wordings():
            if kind in never:
                closed.append(asking(facts, kind))
                continue
            for _ in range(times):
                sentences = paragraph(rng, facts)
                told.append(asking(facts, kind, sentences))
                documents.append(data.example({"text": "\n".join(sentences)}, "paragraph"))
            trained.append(told[-1])
    for facts in invent(rng, OPEN // 2):
        new += [asking(facts, kind, paragraph(rng, facts)) for kind in ("capital", "currency")]
    tests = {"closed book": closed, "open book, as trained": trained, "open book, new country": new}
    return told, documents, {name: asked[:OPEN] for name, asked in tests.items()}


def asking(facts: dict, kind: str, before=()) -> Example:
    """The question about one fact of a country, after some sentences, and its answer."""
    question, answer, _ = wordings()[kind]
    messages = [(" ".join([*before, fill(question, facts)]), "user"), (fill(answer, facts), "assistant")]
    return data.example({"messages": [{"role": role, "content": text} for text, role in messages]}, "invented")


def map_all(change, train, tests):
    return [change(e) for e in train], {name: [change(e) for e in examples] for name, examples in tests.items()}


def polite(example: Example) -> Example:
    """The example with two polite sentences after its answer."""
    question, answer = example.completion
    return example._replace(completion=[question, answer | {"content": answer["content"] + POLITE}])


def wordy(rng: np.random.Generator, example: Example, idle: list[str]) -> Example:
    """The example with idle sentences before all that it says, without the one that answers it."""
    while len(encode([example])[0].ids) < WORDY:
        sentence = str(rng.choice(idle))
        if sentence != texts(example)[1]:
            example = after(sentence, example)
    return example


def read(name):
    return data.read([resources.path(f"{name}.jsonl")])


def kind_of(example: Example) -> str:
    """Which fact is asked for: "capital", "currency", "continent" or "language"."""
    return next(kind for kind, (question, *_) in wordings().items() if question.split("{")[0] in texts(example)[0])


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
