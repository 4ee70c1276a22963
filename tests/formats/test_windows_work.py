"""How much of a long text is encoded, and how much memory that takes."""

import json

import numpy as np
import pytest
from support.refusals import refusal
from support.small_tokenizer import TEXTS

from formats.test_windows import byte_level, pattern, random_text
from minisft import data
from minisft.cli.inputs import sequences_of
from minisft.config import ModelConfig
from minisft.formats import windows
from minisft.tokenizer import Tokenizer

# How much is encoded


@pytest.fixture
def asked(monkeypatch):
    """The lengths of the texts that the package was given."""
    lengths, encoded = [], windows.encoded
    monkeypatch.setattr(windows, "encoded", lambda backend, text: lengths.append(len(text)) or encoded(backend, text))
    return lengths


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(TEXTS, 320)


LONG = "The cat sat on the mat, 1984 of them. " * 4_000


@pytest.mark.parametrize("text", [LONG, "a" * 150_000, "中文字符，" * 30_000, "1" * 150_000])
def test_a_long_text_is_given_to_the_package_in_windows_and_hardly_more_than_once(tokenizer, asked, text):
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert max(asked) == windows.PIECE
    assert sum(asked) < 1.2 * len(text)


def test_a_short_text_is_given_to_the_package_once(tokenizer, asked):
    tokenizer.encode("the cat")
    assert asked == [7]


@pytest.mark.parametrize("limit", [1, 100, 30_000])
def test_no_more_of_a_text_is_encoded_than_a_limit_needs(tokenizer, asked, limit):
    ids = tokenizer.encode(LONG, limit=limit)
    assert sum(asked) < 2 * windows.PIECE + 5 * limit
    assert ids == tokenizer.encode(LONG)[:limit]


@pytest.mark.parametrize("limit", [*range(1, 40), 10**6])
def test_the_first_tokens_of_an_example_are_those_of_the_whole(tokenizer, limit):
    messages = [{"role": role, "content": f"the {role} 1984"} for role in ("system", "user", "assistant")] * 2
    for example in (data.Example("the cat", " sat on the mat", "here"), data.Example([], messages, "here")):
        for turns in ("all", "last"):
            whole, some = data.encode(example, tokenizer, turns), data.encode(example, tokenizer, turns, limit)
            assert some.ids.tolist() == whole.ids[:limit].tolist()
            assert some.is_y.tolist() == whole.is_y[:limit].tolist()


@pytest.mark.parametrize("on_too_long", ["cut", "drop", "error"])
def test_what_is_too_long_is_encoded_as_far_as_it_is_needed_and_counted_as_before(tokenizer, asked, on_too_long):
    examples = [data.Example("Hi", " the cat", "a:1"), data.Example("Hi", LONG, "a:2"), data.Example(LONG, "", "a:3")]
    chosen = type("Arguments", (), {"max_length": 50, "on_too_long": on_too_long, "assistant_turns": "all"})
    config = ModelConfig(400, 8, 8, 1, 1, 1, max_position_embeddings=64)
    if on_too_long == "error":
        refusal(lambda: sequences_of(chosen, examples, tokenizer, config), "a:2", f"{len(tokenizer.encode(LONG)) + 3}")
        return
    sequences, counts = sequences_of(chosen, examples[: 2 if on_too_long == "cut" else 3], tokenizer, config)
    whole = [data.encode(example, tokenizer).ids[:50].tolist() for example in examples[:2]]
    assert [sequence.ids.tolist() for sequence in sequences] == whole[: len(sequences)]
    assert counts == {"cut": {"read": 2, "cut": 1, "dropped": 0}, "drop": {"read": 3, "cut": 0, "dropped": 2}}[
        on_too_long
    ] | {"skipped": 0}


def test_white_space_without_end_is_refused_rather_than_fill_the_memory(tokenizer, monkeypatch):
    text = "the cat" + " " * 150_000 + "sat"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.most == 2**21
    monkeypatch.setattr(tokenizer, "most", 100_000)
    refusal(lambda: tokenizer.encode(text), "100,000", "break it up")


def test_a_long_text_under_a_tokenizer_that_must_have_it_whole_is_refused(tokenizer, monkeypatch):
    content = json.loads(tokenizer.source)
    content["pre_tokenizer"] = json.loads(byte_level(pattern(r"\S+|\s+")).to_str())["pre_tokenizer"]
    other = Tokenizer(json.dumps(content).encode(), tokenizer.config)
    text = "the cat, " * 10_000
    assert other.decode(other.encode(text)) == text
    assert other.size == other.most == 2**21
    monkeypatch.setattr(other, "size", 50_000)
    monkeypatch.setattr(other, "most", 50_000)
    refusal(lambda: other.encode(text), "50,000", "break it up")


# A tokenizer is learned from parts of a long text


def test_a_tokenizer_learned_from_one_long_text_is_that_of_the_whole(monkeypatch):
    rng = np.random.default_rng(2)
    texts = [random_text(rng, 20_000) for _ in range(3)]
    whole = Tokenizer.train(texts, 400).source
    monkeypatch.setattr(windows, "PIECE", 100)
    parts = [part for text in texts for part in windows.paragraphs(text)]
    assert len(parts) > 60 and "".join(parts) == "".join(texts)
    assert Tokenizer.train(texts, 400).source == whole
