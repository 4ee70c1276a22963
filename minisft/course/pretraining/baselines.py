"""What a loss of pre-training can be compared with, counted from text."""

import numpy as np

from minisft.course.grading.comparison import judge
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Stumbled, Verdict, run
from minisft.course.pretraining.mistakes import (
    BIGRAM,
    CHARACTERS,
    UNIFORM,
    UNIGRAM,
    bigram,
    per_character,
    uniform,
    unigram,
)


@exercise
def uniform_loss(answer, seed=None):
    """The loss of π = 1 / V on documents of several lengths, under sum and token_mean."""
    rng = np.random.default_rng(seed)
    cases = [
        (int(rng.integers(20, 600)), [*map(int, rng.integers(2, 30, 3)), 1], reduction)  # one of the end token alone
        for reduction in ("sum", "token_mean") * 2
    ]
    return judge(answer, uniform, cases, UNIFORM, "a model that knows nothing pays log V for each predicted token")


@exercise
def entropies(answer, seed=None):
    """The pair (unigram, bigram) of entropies of random documents, each judged by itself."""
    rng = np.random.default_rng(seed)
    cases = [(documents(rng, V), V) for V in (5, 9, 30)]
    given = [run(answer, *case) for case in cases]
    if any(np.shape(pair) != (2,) for pair in given):
        raise Stumbled(False, "it should return two numbers: the unigram and the bigram entropy")
    for number, (what, right, mistakes) in enumerate((("unigram", unigram, UNIGRAM), ("bigram", bigram, BIGRAM))):
        results = iter([pair[number] for pair in given])
        verdict = judge(lambda *case: next(results), right, cases, mistakes, "")  # noqa: B023 (used at once)
        if not verdict.right:
            return Verdict(False, f"{what}: {verdict.text}")
    return Verdict(True, "what a model can reach that counts tokens, and one that counts pairs, in nats per token")


def documents(rng, vocab_size):
    """Four documents in which the next token depends on the one before, so that pairs tell more than tokens."""
    likely = rng.dirichlet(np.full(vocab_size, 0.3), vocab_size)
    result = []
    for length in rng.integers(6, 15, 4):
        ids = [int(rng.integers(vocab_size))]
        while len(ids) < length:
            ids.append(int(rng.choice(vocab_size, p=likely[ids[-1]])))
        result.append(np.array(ids))
    return result


@exercise
def nats_per_character(answer, seed=None):
    """From a token_mean loss to nats per character, on documents whose tokens differ in length."""
    rng = np.random.default_rng(seed)
    cases = []
    for _ in range(3):
        lengths = [int(n) for n in rng.integers(5, 40, 4)]
        lengths.append(1)  # its only token is given: characters that cost nothing
        cases.append((float(rng.uniform(1, 4)), lengths, [int(n * rng.uniform(1.5, 4)) for n in lengths]))
    return judge(answer, per_character, cases, CHARACTERS, "now losses of different tokenizers can be compared")
