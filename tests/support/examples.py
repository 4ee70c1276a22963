"""Examples in tests: conversations as people write them, a small tokenizer, and sequences whose ids count up.

A file of tests that needs the fixture takes it by its name: `tokenizer = examples.tokenizer`.
"""

from itertools import groupby

import numpy as np
import pytest

from minisft.data import Sequence, encode
from minisft.formats.rows import example
from minisft.tokenizer import SPECIAL, Tokenizer

TEXTS = ["user\nWhich is the capital of France?", "assistant\nParis", "system\nBe brief.", "user\n  assistant\n  "] * 10
END_OF_TEXT, START, END = SPECIAL


def said(*contents, system=None):
    """A conversation: user and assistant in turn, after a system turn if there is one."""
    turns = [{"role": ("user", "assistant")[i % 2], "content": content} for i, content in enumerate(contents)]
    return turns if system is None else [{"role": "system", "content": system}, *turns]


CHAT = {"messages": said("Hi", "Hello", "And?", "Bye", system="Be brief.")}
ALPACA = {"instruction": "Add.", "input": "1 2", "output": "3"}


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(TEXTS, 400)


def encoded(row, tokenizer, assistant_turns="all"):
    return encode(example(row, "data.jsonl:1"), tokenizer, assistant_turns)


def marked(sequence, tokenizer):
    """[(text, is it y?)]: neighbouring tokens of the same kind together."""
    pairs = zip(sequence.ids, sequence.is_y, strict=True)
    groups = groupby(pairs, key=lambda pair: bool(pair[1]))
    return [("".join(tokenizer.token_text(int(i)) for i, _ in group), is_y) for is_y, group in groups]


def plain(*lengths, prompt=1):
    """Sequences of these lengths, the first `prompt` tokens of each x; ids count up through all of them."""
    ends = np.cumsum(lengths)
    return [
        Sequence(np.arange(end - n, end), np.arange(n) >= prompt, f"data.jsonl:{line}")
        for line, (n, end) in enumerate(zip(lengths, ends), 1)
    ]
