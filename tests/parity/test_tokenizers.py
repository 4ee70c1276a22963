"""Tokenizers and dialects of other models compared with transformers: the same ids, files and GGUF headers."""

import json

import gguf
import pytest
from support.conversations import render
from support.small_sentencepiece import BYTES, FORMS, LLAMA3, LLAMA3_CONTROL, SPECIAL, ZEPHYR, backend, learned, save
from tokenizers import AddedToken, Regex, pre_tokenizers
from tokenizers import Tokenizer as Backend
from transformers import AutoTokenizer

from minisft import data
from minisft.formats import resources
from minisft.formats.gguf import read as gguf_files
from minisft.tokenizer import Tokenizer

from .test_files import random_conversations, random_texts


@pytest.fixture(scope="module")
def learned_from():
    """Lines of the shipped text and of code, for a small vocabulary of SentencePiece's kind."""
    texts = [example.completion for example in data.read([resources.path("pretrain.jsonl")])[::10]]
    return {"texts": (*texts, *["    def the(x):   return  x"] * 50), "size": 400}


def different(tokenizer, theirs, count=1000):
    """How many random texts, conversations and questions have other ids."""
    texts = [text for text in random_texts(count, seed=3) if tokenizer.encode(text) != ids_of(theirs, text)]
    talks = [data.Example([], messages, "here") for messages in random_conversations(count // 5)]
    told = [
        talk
        for talk in talks
        if data.encode(talk, tokenizer).ids.tolist() != theirs.apply_chat_template(talk.completion)["input_ids"]
    ]
    asked = [
        talk
        for talk in talks
        if data.question(talk, tokenizer)[0]
        != theirs.apply_chat_template(talk.completion[:-1], add_generation_prompt=True)["input_ids"]
    ]
    return len(texts), len(told), len(asked)


def ids_of(theirs, text):
    return theirs(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize(
    ("form", "settings"),
    [
        *((form, {}) for form in FORMS),
        ("first", {"tokenizer_class": "LlamaTokenizer", "legacy": False}),
        ("always", {"tokenizer_class": "LlamaTokenizer", "legacy": True}),
    ],
)
def test_texts_and_conversations_of_a_tinyllama_have_the_ids_of_transformers(form, settings, learned_from, tmp_path):
    save(tmp_path, backend(form, **learned_from), ZEPHYR, **settings)
    tokenizer, theirs = Tokenizer.load(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    assert type(theirs).__name__ == settings.get("tokenizer_class", "TokenizersBackend")
    assert different(tokenizer, theirs) == (0, 0, 0)


def test_the_class_llama_tokenizer_of_transformers_5_puts_blanks_elsewhere_than_the_file_says(learned_from, tmp_path):
    """It passes over the file's normalizer. Ours follows the file, as the fast tokenizers of transformers 4 did."""
    settings = {"tokenizer_class": "LlamaTokenizer", "legacy": False}
    save(tmp_path, backend("prepend", **learned_from), ZEPHYR, **settings)
    tokenizer, theirs = Tokenizer.load(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    text = theirs.apply_chat_template(messages, tokenize=False)
    file = Backend.from_file(str(tmp_path / "tokenizer.json"))
    ids = [i for run, _ in render(tokenizer, messages) for i in run]
    assert ids == file.encode(text, add_special_tokens=False).ids
    assert ids != ids_of(theirs, text)
    assert tokenizer.encode("Hello") == ids_of(theirs, "Hello")


def test_texts_and_conversations_of_a_llama_3_have_the_ids_of_transformers(tokenizer, tmp_path):
    value = json.loads(tokenizer.source)
    value["added_tokens"] = []
    for old, new in zip(("<|endoftext|>", "<|im_start|>", "<|im_end|>"), LLAMA3_CONTROL):
        value["model"]["vocab"][new] = value["model"]["vocab"].pop(old)
    value["model"]["ignore_merges"] = True
    other = Backend.from_str(json.dumps(value))
    words = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    words += r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    other.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    other.add_special_tokens([AddedToken(token, normalized=False) for token in LLAMA3_CONTROL])
    save(tmp_path, other, LLAMA3, bos_token=LLAMA3_CONTROL[0], eos_token=LLAMA3_CONTROL[-1], unk_token=None)
    assert different(Tokenizer.load(tmp_path), AutoTokenizer.from_pretrained(tmp_path)) == (0, 0, 0)


def test_a_gguf_file_with_scores_has_the_ids_of_transformers(learned_from, tmp_path):
    """Of texts that do not begin with a blank: before one transformers puts no other, llama.cpp and ours do."""
    tokens = [*SPECIAL, *BYTES, *learned(**learned_from)[0]]
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama")
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(i) for i in range(len(tokens))])
    kinds = [2, 3, 3, *[6] * 256, *[1] * (len(tokens) - 259)]
    writer.add_token_types(kinds)
    for name, i in (("unk", 0), ("bos", 1), ("eos", 2)):
        getattr(writer, f"add_{name}_token_id")(i)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with open(tmp_path / "model.gguf", "rb") as file:
        fields, _ = gguf_files.Walk(file, "model.gguf").header()
    tokenizer = gguf_files.read_tokenizer("model.gguf", fields)
    theirs = AutoTokenizer.from_pretrained(tmp_path, gguf_file="model.gguf")
    texts = [text for text in random_texts(3000, seed=4) if not text.startswith(" ")]
    assert len(texts) > 2500
    assert not [text for text in texts if tokenizer.encode(text) != ids_of(theirs, text)]
