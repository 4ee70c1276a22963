"""A world of five tokens, in which everything can be tried: eight questions, and a tokenizer and a model for them.

A conversation is 1 x 0, then 1 3 (the header of the answer), then y 0. Letters are tokens 1 to 3, so whatever the model
can say is a text; 0 ends a turn, and 4 ends a document.
"""

from itertools import product

import numpy as np

from minisft import model
from minisft.config import ModelConfig, TrainConfig
from minisft.data import Example
from minisft.params import Params
from minisft.tokenizer import Tokenizer

CONFIG = ModelConfig(5, 16, 24, 2, 4, 2, head_dim=6, max_position_embeddings=96, initializer_range=0.3)
LETTERS = "abc"
SETTINGS = TrainConfig(
    learning_rate=1e-2, max_steps=60, batch_size=2, gradient_accumulation_steps=4, weight_decay=0.01, warmup_steps=0.1
)


class Letters(Tokenizer):
    """What the library asks of a tokenizer, for the letters a, b and c; any other character is one of them too."""

    vocab_size, prefix, eos_id, stops = 5, list[int](), 4, list[int]()
    end_of_turn_id = 0

    def __init__(self) -> None:
        self.backend = type("Backend", (), {"normalizer": None})()
        self.special_ids = {0, 4}

    def encode(self, text, before=(), limit=None):
        return [1 + ord(character) % 3 for character in text][:limit]

    def decode(self, ids):
        return "".join("cab"[i - 1] for i in ids if i not in self.special_ids)

    def token_text(self, i):
        return self.decode([i]) or f"<{i}>"

    def render(self, messages, is_y, add_generation_prompt=False, limit=None, tools=None):
        runs = []
        for message, of_y in zip(messages, is_y):
            if message["role"] == "assistant":
                runs += [([1, 3], False), ([*self.encode(message["content"]), 0], of_y)]
            else:
                runs.append(([1, *self.encode(message["content"]), 0], False))
        return [*runs, ([1, 3], False)] if add_generation_prompt else runs


def example(x: str, y: str, number: int = 0) -> Example:
    messages = [{"role": "user", "content": x}, {"role": "assistant", "content": y}]
    return Example([], messages, f"letters:{number}")


def examples() -> list[Example]:
    """Eight questions of two letters, each with an answer of its own of one to three."""
    answers = ("a", "bc", "cab", "b", "ca", "bbc", "c", "ab")
    return [example("".join(x), y, i) for i, (x, y) in enumerate(zip(product(LETTERS, repeat=2), answers), 1)]


def theta(seed: int = 0) -> Params:
    return model.init(CONFIG, np.random.default_rng(seed), np.float64)
