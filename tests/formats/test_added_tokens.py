"""Tokens that begin and end texts, tokens that were added, and their flags: read as transformers reads them."""

import json

import pytest
from support import small_tokenizer
from support.refusals import refusal
from support.small_tokenizer import edit
from tokenizers import Tokenizer as Backend
from tokenizers import processors

from minisft import data
from minisft.tokenizer import Tokenizer

tokenizer, directory = small_tokenizer.fixtures


def begun(directory, template):
    backend = Backend.from_file(str(directory / "tokenizer.json"))
    backend.post_processor = processors.TemplateProcessing(
        template, special_tokens=[("<|im_start|>", 1), ("<|endoftext|>", 0)]
    )
    backend.save(str(directory / "tokenizer.json"))
    return Tokenizer.load(directory)


@pytest.mark.parametrize("template", ["<|im_start|> $A", "<|im_start|> $A <|endoftext|>"])
def test_plain_text_begins_with_the_token_that_the_tokenizer_begins_every_text_with_and_it_is_x(directory, template):
    loaded = begun(directory, template)
    sequence = data.encode(data.example({"text": "the cat"}, "here"), loaded)
    assert sequence.ids.tolist() == [1, *loaded.encode("the cat"), 0]
    assert not sequence.is_y[0] and sequence.is_y[1:].all()
    pair = data.encode(data.example({"prompt": "the", "completion": " cat"}, "here"), loaded)
    assert pair.ids.tolist() == [1, *loaded.encode("the"), *loaded.encode(" cat"), 0]
    assert pair.is_y.tolist() == [False, False, *[True] * (len(pair.ids) - 2)]
    assert data.question(data.example({"prompt": "the", "completion": ""}, "here"), loaded)[0] == [
        1,
        *loaded.encode("the"),
    ]


def test_a_tokenizer_that_begins_no_text_has_no_prefix_and_a_template_writes_its_own(tokenizer, directory):
    assert tokenizer.prefix == []
    loaded, messages = begun(directory, "<|im_start|> $A"), [{"role": "user", "content": "the"}]
    assert loaded.prompt(messages) == tokenizer.prompt(messages)


# Added tokens


def test_tokens_that_stand_only_in_tokenizer_config_are_read(directory):
    added = {
        "287": {"content": "<think>", "special": False, "normalized": False},
        "288": {"content": "</s>", "special": True},
    }
    edit(directory / "tokenizer_config.json", lambda value: value.update(added_tokens_decoder=added))
    loaded = Tokenizer.load(directory)
    assert loaded.encode("<think>the") == [287, *loaded.encode("the")]
    assert loaded.special_tokens["</s>"] == 288 and 288 not in loaded.encode("</s>")
    assert loaded.vocab_size == 289


def test_so_are_those_of_added_tokens_json(directory):
    (directory / "added_tokens.json").write_text(json.dumps({"<think>": 287}))
    assert Tokenizer.load(directory).encode("<think>") == [287]


@pytest.mark.parametrize(
    ("i", "entry"), [("7", {"content": "<new>"}), ("x", {"content": "<new>"}), ("287", {}), ("287", 5)]
)
def test_a_token_that_would_get_another_id_or_has_none_is_refused(directory, i, entry):
    edit(directory / "tokenizer_config.json", lambda value: value.update(added_tokens_decoder={i: entry}))
    refusal(lambda: Tokenizer.load(directory), directory / "tokenizer.json", "added_tokens_decoder")


@pytest.mark.parametrize("kind", ["WordLevel", "WordPiece", "Unigram"])
def test_a_tokenizer_that_is_not_bpe_is_refused_by_name(directory, kind):
    edit(directory / "tokenizer.json", lambda value: value["model"].update(type=kind))
    refusal(lambda: Tokenizer.load(directory), directory / "tokenizer.json", kind)


@pytest.mark.parametrize("cut", [None, {"type": "Whitespace"}, {"type": "BertPreTokenizer"}])
def test_a_bpe_that_is_neither_byte_level_nor_sentencepieces_is_refused_by_its_pre_tokenizer(directory, cut):
    edit(directory / "tokenizer.json", lambda value: value.update(pre_tokenizer=cut))
    refusal(lambda: Tokenizer.load(directory), directory / "tokenizer.json", cut["type"] if cut else "none")


def test_dropout_is_refused_by_name(directory):
    edit(directory / "tokenizer.json", lambda value: value["model"].update(dropout=0.1))
    refusal(lambda: Tokenizer.load(directory), directory / "tokenizer.json", "dropout")


@pytest.mark.parametrize("role", ["bos_token", "pad_token", "eos_token"])
def test_no_plain_character_becomes_a_special_token_whatever_the_vocabulary_calls_one(directory, role):
    edit(directory / "tokenizer_config.json", lambda value: value.update({role: "?"}))
    loaded = Tokenizer.load(directory)
    assert loaded.encode("the cat")
    refusal(lambda: loaded.encode("the cat?"), "special token")
    refusal(lambda: loaded.prompt([{"role": "user", "content": "the cat?"}]), "special token")


# End tokens


@pytest.mark.parametrize(("listed", "stops"), [([5, 0], [2, 0, 5]), (7, [2, 0, 7]), (None, [2, 0])])
def test_the_end_tokens_of_generation_config_stop_an_answer_and_are_kept(directory, listed, stops):
    (directory / "generation_config.json").write_text(json.dumps({"eos_token_id": listed}))
    assert Tokenizer.load(directory).stop_ids == stops


@pytest.mark.parametrize("listed", ["</s>", [-1], [1.5], True, [[1]]])
def test_end_tokens_that_are_no_ids_are_refused(directory, listed):
    (directory / "generation_config.json").write_text(json.dumps({"eos_token_id": listed}))
    refusal(lambda: Tokenizer.load(directory), directory / "generation_config.json", "eos_token_id")
