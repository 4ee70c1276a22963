"""Notebook 06: what a loss of pre-training can be compared with, counted from text and from a config."""

import numpy as np

from minisft import model
from minisft.config import ModelConfig
from minisft.course.grading.comparison import judge
from minisft.course.grading.verdict import Stumbled, Verdict, kindly, run, settle
from minisft.course.pretraining_mistakes import (
    BIGRAM,
    CHARACTERS,
    PARAMETERS,
    UNIFORM,
    UNIGRAM,
    bigram,
    per_character,
    uniform,
    unigram,
)

# --- quizzes ---------------------------------------------------------------------------------------------------------


def where_the_curve_ends(prediction, last_losses, unigram, bigram):
    """Quiz: the last loss of each seed beside the two entropies, in nats a token."""
    mean = float(np.mean(last_losses))
    names = ("above the unigram entropy", "between the two entropies", "below the bigram entropy")
    shown = ", ".join(f"{loss:.2f}" for loss in last_losses)
    happened = (
        f"The last losses are {shown} nats a token; counting tokens gives {unigram:.2f}, counting pairs {bigram:.2f}."
    )
    return settle(prediction, names, names[int(mean < unigram) + int(mean < bigram)], happened)


def better_tokenizer(prediction, nats_a_token, nats_a_character):
    """Quiz: two times {vocabulary: loss of a bigram model on unread text}; which pays least for the text?"""
    best = min(nats_a_character, key=nats_a_character.get)
    shown = ", ".join(f"{nats_a_token[V]:.2f} and {nats_a_character[V]:.2f} (V = {V})" for V in nats_a_token)
    happened = f"Nats a token and nats a character: {shown}. A token of a larger vocabulary stands for more characters."
    return settle(prediction, tuple(nats_a_character), best, happened)


def which_text(prediction, right_name):
    """Quiz: {layout: [share of held-out answers about the right name, one a seed]}."""
    (one, first), (other, second) = right_name.items()
    tie = max(min(first), min(second)) <= min(max(first), max(second))  # the ranges over the seeds overlap
    outcome = "no difference" if tie else one if min(first) > max(second) else other
    shown = "; ".join(
        f"{name}: {', '.join(f'{100 * share:.0f}' for share in shares)}" for name, shares in right_name.items()
    )
    happened = f"Answers about the country that was asked for, in %, one number a seed: {shown}."
    return settle(prediction, (one, other, "no difference"), outcome, happened)


# --- the exercises ---------------------------------------------------------------------------------------------------


def uniform_loss(answer, seed=None):
    """The loss of π = 1 / V on documents of several lengths, under sum and token_mean."""
    rng = np.random.default_rng(seed)
    cases = [
        (int(rng.integers(20, 600)), [int(n) for n in rng.integers(2, 30, 3)], reduction)
        for reduction in ("sum", "token_mean") * 2
    ]
    return judge(answer, uniform, cases, UNIFORM, "a model that knows nothing pays log V for each predicted token")


@kindly
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
    return Verdict(True, "what a model can reach that counts tokens, and one that counts pairs, in nats a token")


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


def count_parameters(answer, seed=None):
    """The number of parameters of random configs: tied and untied, with head sizes apart from C / H."""
    rng = np.random.default_rng(seed)

    def config(tied, head_dim):
        C, F, V, G, R = (int(n) for n in rng.integers(2, 9, 5))
        layers, context = (int(n) for n in rng.integers(2, 6, 2))
        H = G * (R + 1)
        return ModelConfig(V + 20, C * H * 2, F + 40, layers, H, G, head_dim * (2 * C + 2), context, 1e-5, 1e4, tied)

    cases = [(config(tied, head_dim),) for tied in (True, False) for head_dim in (0, 1)]
    shapes = [sum(int(np.prod(shape)) for shape in model.shapes(case).values()) for (case,) in cases]
    right = {case: number for (case,), number in zip(cases, shapes)}
    praise = f"{len(cases)} configs, tied and untied: each the sum over all tensors; the largest has {max(shapes):,}"
    return judge(answer, right.get, cases, PARAMETERS, praise)


def nats_per_character(answer, seed=None):
    """From a token_mean loss to nats a character, on documents whose tokens differ in length."""
    rng = np.random.default_rng(seed)
    cases = []
    for _ in range(3):
        lengths = [int(n) for n in rng.integers(5, 40, 4)]
        cases.append((float(rng.uniform(1, 4)), lengths, [int(n * rng.uniform(1.5, 4)) for n in lengths]))
    return judge(answer, per_character, cases, CHARACTERS, "now losses of different tokenizers can be compared")
