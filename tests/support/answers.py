"""Answers in tests: many to one prompt, and a model that is all but certain of one.

A file of tests that needs the fixture takes it by its name: `tokenizer = answers.tokenizer`.
"""

import numpy as np
import pytest

from minisft import evaluate
from minisft.data import Sequence
from minisft.tokenizer import Tokenizer
from support.by_hand import markov

X = [2, 3, 1]


def pairs(x, ys):
    """The sequences of one prompt with many answers."""
    return [Sequence(np.array([*x, *y]), np.arange(len(x) + len(y)) >= len(x), "") for y in ys]


def log_prob_of_y(theta, config, sequences):
    """Σ of log_probs over the targets, one number a sequence."""
    values = evaluate.log_probs(theta, config, sequences)
    return np.array([value[s.is_y[1:]].sum() for (value, _), s in zip(values, sequences, strict=True)])


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(["user\nHi\nassistant\nParis France is the capital of"] * 5, 300)


def certain(tokenizer, text, end, prompt="assistant\n"):
    """A model that all but certainly says `text` and then `end` after the last token of a prompt."""
    V = tokenizer.vocab_size
    answer = [*tokenizer.encode(text), end]
    chain = [tokenizer.encode(prompt)[-1], *answer]
    assert len(set(chain)) == len(chain)  # each is followed by one other
    transitions = np.full((V, V), 1e-9)
    transitions[chain[:-1], chain[1:]] = 1
    return markov(transitions / transitions.sum(-1, keepdims=True))
