"""A model of four tokens with random parameters, for which every answer can be listed. Token 0 is the end token."""

import numpy as np

from minisft import data, evaluate, model
from minisft.config import ModelConfig
from minisft.params import Params

TINY = ModelConfig(
    vocab_size=4,
    hidden_size=8,
    intermediate_size=12,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    max_position_embeddings=16,
    tie_word_embeddings=False,
)


def tiny_theta(seed):
    """Random parameters of the tiny model, another θ for each seed."""
    return Params.random(np.random.default_rng(seed), model.shapes(TINY))


def as_sequence(x, y):
    """The tokens of x and y end to end, those of y marked."""
    return data.Sequence(np.array([*x, *y]), np.arange(len(x) + len(y)) >= len(x), "tiny")


def pr(theta, x, answers):
    """Pr(y|x) of each of these answers y under the tiny model, (number of answers,)."""
    pairs = [as_sequence(x, y) for y in answers]
    scored = evaluate.log_probs(theta, TINY, pairs)
    return np.exp([values[pair.is_y[1:]].sum() for pair, (values, _) in zip(pairs, scored)])


def strings(length):
    """Every string of `length` tokens without an end token."""
    return [()] if length == 0 else [(*y, token) for y in strings(length - 1) for token in (1, 2, 3)]


def all_answers(length):
    """Every answer of at most `length` tokens, its end token included."""
    return [(*y, 0) for n in range(length) for y in strings(n)]


def shown(y):
    """An answer as a label: "1 2 end", or "1 2 …" if it has not ended."""
    return " ".join("end" if token == 0 else str(token) for token in y) + " …" * (y[-1] != 0)
