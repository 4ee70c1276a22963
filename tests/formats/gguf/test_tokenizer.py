"""The tokenizer in a GGUF file has the ids of the one it was made from."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import small_gguf
from support.conversations import render
from support.refusals import refusal
from support.small_gguf import CONFIG, TEXTS, random_theta, tokens_of, write

from minisft import checkpoint
from minisft.tokenizer import Tokenizer

tokenizer, theta, whole = small_gguf.fixtures


@pytest.fixture(scope="module")
def its_tokenizer(whole, tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "model.gguf"
    path.write_bytes(whole)
    return checkpoint.load(path)[2]


@given(text=st.text())
def test_any_text_has_the_ids_it_has_in_the_tokenizer_the_file_was_made_from(its_tokenizer, tokenizer, text):
    assert its_tokenizer.encode(text) == tokenizer.encode(text)


def test_special_tokens_end_of_text_and_system_text_are_those_of_the_file(its_tokenizer):
    assert its_tokenizer.special_ids == {0, 1, 2}
    assert (its_tokenizer.eos_id, its_tokenizer.end_of_turn_id) == (2, 2)
    written = its_tokenizer.chat.write([{"role": "user", "content": "Hi"}])
    assert written.startswith("<|im_start|>system\nYou are a cat<|im_end|>")
    assert its_tokenizer.config["bos_token"] == "<|im_start|>"


def test_digits_stand_alone_for_smollm_and_together_for_gpt_2(tokenizer, tmp_path):
    merged = Tokenizer.train(TEXTS, 300)
    source = json.loads(merged.source)
    vocabulary = source["model"]["vocab"]
    last = max(vocabulary, key=vocabulary.get)
    source["model"]["merges"] = [pair for pair in source["model"]["merges"] if "".join(pair) != last] + [["1", "9"]]
    vocabulary["19"] = vocabulary.pop(last)
    merged.source = json.dumps(source).encode()
    ids = {}
    for cut in ("smollm", "gpt-2"):
        write(tmp_path / "model.gguf", random_theta(CONFIG), CONFIG, merged, fields={"tokenizer.ggml.pre": cut})
        ids[cut] = checkpoint.load(tmp_path / "model.gguf")[2].encode("1984")
    assert (len(ids["smollm"]), len(ids["gpt-2"])) == (4, 3)


@pytest.mark.parametrize(
    ("cut", "pieces"),
    [
        ("gpt-2", ["I", "'", "LL", " pay", " 12345", " \n", "\n", "now", " e", "\u0301"]),
        ("smollm", ["I", "'", "LL", " pay", " ", "1", "2", "3", "4", "5", " \n", "\n", "now", " e", "\u0301"]),
        ("llama-bpe", ["I", "'LL", " pay", " ", "123", "45", " \n\n", "now", " e", "\u0301"]),
        ("qwen2", ["I", "'LL", " pay", " ", "1", "2", "3", "4", "5", " \n\n", "now", " \u00e9"]),
    ],
)
def test_a_text_is_cut_in_the_way_that_the_file_names(cut, pieces, tokenizer, tmp_path):
    write(tmp_path / "model.gguf", random_theta(CONFIG), CONFIG, tokenizer, fields={"tokenizer.ggml.pre": cut})
    backend = checkpoint.load(tmp_path / "model.gguf")[2].backend
    text = "I'LL pay 12345 \n\nnow e\u0301"
    text = backend.normalizer.normalize_str(text) if backend.normalizer else text
    found = backend.pre_tokenizer.pre_tokenize_str(text)
    assert [backend.decoder.decode([piece]) for piece, _ in found] == pieces


def test_a_word_of_the_vocabulary_needs_no_merges_in_llama_bpe(tokenizer, tmp_path):
    tokens = [*tokens_of(tokenizer), "qz"]
    config, ids = replace(CONFIG, vocab_size=len(tokens)), {}
    for cut in ("llama-bpe", "gpt-2"):
        fields = {"tokens": tokens, "token_type": [1] * len(tokens), "pre": cut}
        fields = {f"tokenizer.ggml.{key}": value for key, value in fields.items()}
        write(tmp_path / "model.gguf", random_theta(config), config, tokenizer, fields=fields)
        ids[cut] = checkpoint.load(tmp_path / "model.gguf")[2].encode("qz")
    assert ids["llama-bpe"] == [len(tokens) - 1] and len(ids["gpt-2"]) == 2


def test_words_that_the_makers_added_are_found_whole_and_are_no_special_tokens(theta, tokenizer, tmp_path):
    tokens = tokens_of(tokenizer)
    added = {"tokenizer.ggml.tokens": [*tokens, "<tool>"], "tokenizer.ggml.token_type": [1] * len(tokens) + [4]}
    config = replace(CONFIG, vocab_size=len(tokens) + 1)
    write(tmp_path / "model.gguf", random_theta(config), config, tokenizer, fields=added)
    loaded = checkpoint.load(tmp_path / "model.gguf")[2]
    assert len(tokens) in loaded.encode("the<tool>cat")
    assert len(tokens) not in loaded.special_ids
    assert loaded.decode(loaded.encode("the<tool>cat")) == "the<tool>cat"


def test_special_tokens_are_all_those_that_the_file_calls_so_and_text_cannot_make_them(theta, tokenizer, tmp_path):
    tokens = tokens_of(tokenizer)
    added = {"tokenizer.ggml.tokens": [*tokens, "<tool>"], "tokenizer.ggml.token_type": [1] * len(tokens) + [3]}
    config = replace(CONFIG, vocab_size=len(tokens) + 1)
    write(tmp_path / "model.gguf", random_theta(config), config, tokenizer, fields=added)
    loaded = checkpoint.load(tmp_path / "model.gguf")[2]
    assert len(tokens) in loaded.special_ids
    assert len(tokens) not in loaded.encode("the<tool>cat")
    assert loaded.decode(loaded.encode("the<tool>cat")) == "the<tool>cat"


def test_a_file_with_one_token_twice_is_refused(theta, tokenizer, tmp_path):
    tokens = tokens_of(tokenizer)
    write(tmp_path / "model.gguf", theta, CONFIG, tokenizer, fields={"tokenizer.ggml.tokens": [*tokens[:-1], "a"]})
    refusal(lambda: checkpoint.load(tmp_path / "model.gguf"), "tokens", "do not fit together")


def test_a_file_without_a_template_chats_in_chatml(theta, tokenizer, tmp_path):
    write(tmp_path / "model.gguf", theta, CONFIG, tokenizer, drop=["tokenizer.chat_template"])
    loaded = checkpoint.load(tmp_path / "model.gguf")[2]
    messages = [{"role": "user", "content": "the cat"}]
    assert render(loaded, messages) == render(tokenizer, messages)
