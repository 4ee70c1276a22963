"""A tokenizer of SentencePiece's kind in a GGUF file: scores take the place of merges."""

import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.conversations import render
from support.refusals import refusal
from support.small_gguf import CONFIG, TEXTS, random_theta, write
from support.small_sentencepiece import BYTES, SPECIAL, ZEPHYR, learned

from minisft import checkpoint
from minisft.formats.sentencepiece import from_scores
from minisft.tokenizer import Tokenizer

LEARNED = [*learned()[0], "<tool>"]
TOKENS = [*SPECIAL, *BYTES, *LEARNED]
SCORES = dict(zip(LEARNED, range(0, -len(LEARNED), -1)))
OF_SCORES = {
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": TOKENS,
    "tokenizer.ggml.scores": [float(SCORES.get(token, 0)) for token in TOKENS],
    "tokenizer.ggml.token_type": [2, 3, 3, *[6] * 256, *[1] * (len(LEARNED) - 1), 4],
    "tokenizer.ggml.unknown_token_id": 0,
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.chat_template": ZEPHYR,
}


def of_scores(path, **fields):
    fields = OF_SCORES | {f"tokenizer.ggml.{key}": value for key, value in fields.items()}
    config = replace(CONFIG, vocab_size=len(fields["tokenizer.ggml.tokens"]), num_hidden_layers=1)
    drop = ["tokenizer.ggml.merges", "tokenizer.ggml.pre"]
    write(path, random_theta(config), config, Tokenizer.train(TEXTS, 300), drop=drop, fields=fields)
    return checkpoint.load(path)[2]


@pytest.fixture(scope="module")
def sentencepiece(tmp_path_factory):
    return of_scores(tmp_path_factory.mktemp("scores") / "model.gguf")


def by_scores(text):
    """The ids as llama.cpp finds them: of all neighbours that together are a token, the best score, the first such."""
    parts = list(text.replace(" ", "▁"))
    while pairs := [
        (-SCORES[left + right], i) for i, (left, right) in enumerate(pairwise(parts)) if left + right in SCORES
    ]:
        i = min(pairs)[1]
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    spelled = ([part] if part in SCORES else [f"<0x{byte:02X}>" for byte in part.encode()] for part in parts)
    return [TOKENS.index(token) for tokens in spelled for token in tokens]


@given(text=st.one_of(st.text(), st.text("theca sonm", max_size=60)).filter(lambda text: "<tool>" not in text))
def test_neighbours_merge_in_the_order_of_their_scores(sentencepiece, text):
    assert sentencepiece.encode(text, [5]) == by_scores(text)
    assert sentencepiece.encode(text) == by_scores(f" {text}" if text else "")


def test_its_special_tokens_and_its_dialect_are_those_of_the_file(sentencepiece):
    assert sentencepiece.special_ids == {0, 1, 2}
    assert (sentencepiece.eos_id, sentencepiece.end_of_turn_id) == (2, 2)
    assert [sentencepiece.config[role] for role in ("bos_token", "unk_token")] == ["<s>", "<unk>"]
    runs = render(sentencepiece, [{"role": "user", "content": "the cat"}], add_generation_prompt=True)
    assert "".join(sentencepiece.token_text(i) for ids, _ in runs for i in ids) == (
        " <|user|>\nthe cat</s> \n<|assistant|>\n"
    )


def test_words_that_the_makers_added_are_found_whole_and_special_tokens_and_bytes_never(sentencepiece):
    assert TOKENS.index("<tool>") in sentencepiece.encode("the<tool>")
    for text in ("</s>", "<unk>", "<0x41>"):
        assert sentencepiece.decode(sentencepiece.encode(text)) == f" {text}"
        assert not {0, 2, TOKENS.index("<0x41>")} & set(sentencepiece.encode(text))


@pytest.mark.parametrize(
    ("fields", "text"), [({}, " the"), ({"add_space_prefix": True}, " the"), ({"add_space_prefix": False}, "the")]
)
def test_a_blank_is_put_before_a_text_unless_the_file_says_no(fields, text, tmp_path):
    loaded = of_scores(tmp_path / "model.gguf", **fields)
    assert loaded.decode(loaded.encode("the")) == text


def test_what_is_loaded_with_scores_is_saved_as_a_directory_and_is_the_same_there(sentencepiece, tmp_path):
    sentencepiece.save(tmp_path)
    again = Tokenizer.load(tmp_path)
    messages = [{"role": "user", "content": " the é"}, {"role": "assistant", "content": "the mat"}]
    assert again.encode("the cat\n é") == sentencepiece.encode("the cat\n é")
    assert render(again, messages) == render(sentencepiece, messages)


def test_merges_of_a_vocabulary_of_32000_take_less_than_two_seconds():
    rng = np.random.default_rng(0)
    syllables = [a + b for a in "bcdfghklmnprst" for b in "aeiou"]
    words = dict.fromkeys("".join(rng.choice(syllables, rng.integers(1, 6))) for _ in range(60_000))
    tokens = [*SPECIAL, *BYTES, "▁", *"abcdefghijklmnopqrstuvwxyz", *words][:32_000]
    began = time.perf_counter()
    from_scores(tokens, [-float(i) for i in range(len(tokens))], [1] * len(tokens), True)
    assert len(tokens) == 32_000 and time.perf_counter() - began < 2


def test_a_token_that_is_as_long_as_a_book_is_refused(tmp_path):
    """The halves of a token are looked up one after the other, so a damaged file could keep us for hours."""
    long = {"tokens": [*TOKENS[:-1], "a" * 10_000]}
    refusal(lambda: of_scores(tmp_path / "model.gguf", **long), tmp_path / "model.gguf", "more than 512 characters")
