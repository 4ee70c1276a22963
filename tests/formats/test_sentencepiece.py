"""A tokenizer of SentencePiece's kind puts a blank before a text that begins, and none where a text goes on."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.conversations import render
from support.refusals import refusal
from support.small_sentencepiece import BYTES, FORMS, TEXTS, ZEPHYR, backend, save
from tokenizers import AddedToken, Regex, normalizers
from tokenizers import Tokenizer as Backend

from minisft import data
from minisft.cli.commands.chat import whole
from minisft.formats.sentencepiece import from_scores, without_blank
from minisft.tokenizer import Tokenizer

USER, ASSISTANT, SYSTEM = ({"role": role, "content": f"the {role}"} for role in ("user", "assistant", "system"))
GOES_ON = [5]  # the ids of something before: no special token
each_form = pytest.mark.parametrize("form", FORMS)


@pytest.fixture(scope="module")
def directories(tmp_path_factory):
    return {form: save(tmp_path_factory.mktemp(form) / "model", backend(form)) for form in FORMS}


@pytest.fixture(scope="module")
def tokenizers(directories):
    return {form: Tokenizer.load(directory) for form, directory in directories.items()}


@pytest.fixture(scope="module")
def tokenizer(tokenizers):
    return tokenizers["prepend"]


def tokens(tokenizer, ids):
    return [tokenizer.backend.id_to_token(i) for i in ids]


# Where a text begins and where it goes on


@each_form
def test_a_text_that_begins_has_the_ids_of_the_file_and_no_begin_token(tokenizers, directories, form):
    theirs = Backend.from_file(str(directories[form] / "tokenizer.json"))
    for text in (*TEXTS[:2], "the", " the", "  the", "", " ", "\n", "a\n\n b", "é東京😀"):
        assert tokenizers[form].encode(text) == theirs.encode(text, add_special_tokens=False).ids
    assert tokenizers[form].decode(tokenizers[form].encode("the")) == ("the" if form == "never" else " the")


@pytest.mark.parametrize(
    "form, after_control",
    [("prepend", " the"), ("always", " the"), ("first", "the"), ("never", "the")],
)
def test_whether_a_blank_is_put_after_a_special_token_too_is_the_files_choice(tokenizers, form, after_control):
    tokenizer = tokenizers[form]
    assert tokenizer.decode(tokenizer.encode("the", [tokenizer.eos_id])) == after_control
    theirs = Backend.from_str(tokenizer.source.decode()).encode("a</s>the", add_special_tokens=False).ids
    begun = tokenizer.encode("a")
    assert theirs == [*begun, 2, *tokenizer.encode("the", [*begun, 2])]


@each_form
def test_a_text_that_goes_on_has_no_blank_put_before_it(tokenizers, form):
    assert tokenizers[form].decode(tokenizers[form].encode("the", GOES_ON)) == "the"
    assert tokens(tokenizers[form], tokenizers[form].encode(" the", GOES_ON)) == ["▁the"]


@each_form
@given(text=st.text().filter(lambda text: "▁" not in text))
def test_any_text_that_goes_on_comes_back_from_its_ids(tokenizers, form, text):
    ids = tokenizers[form].encode(text, GOES_ON)
    assert tokenizers[form].decode(ids) == text
    assert not {0, 1, 2} & set(ids)


@given(text=st.text(min_size=1).filter(lambda text: "▁" not in text))
def test_any_text_that_begins_comes_back_after_the_blank_put_before_it(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text)) == " " + text


@pytest.mark.parametrize(("x", "y"), [("the cat", " sat"), ("the c", "at"), ("the cat ", "sat"), ("", "the cat")])
def test_prompt_and_completion_are_one_text_with_no_blank_between_them(tokenizer, x, y):
    ids, mask, *_ = data.encode(data.Example(x, y, "here"), tokenizer)
    assert tokenizer.decode(ids) == f" {x}{y}"
    assert tokenizer.decode(ids[mask]) == (y if x else f" {y}")
    assert ids[-1] == 2 and mask[-1]


def test_the_older_spelling_of_metaspace_is_read(tokenizers, directories, tmp_path):
    value = json.loads((directories["always"] / "tokenizer.json").read_text())
    value["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}
    save(tmp_path, backend("always"))
    (tmp_path / "tokenizer.json").write_text(json.dumps(value))
    older = Tokenizer.load(tmp_path)
    for text in ("the cat", " the", "a\nb"):
        assert older.decode(older.encode(text)) == tokenizers["always"].decode(tokenizers["always"].encode(text))
        assert older.decode(older.encode(text, GOES_ON)) == text


# Characters, bytes, special tokens


def test_a_character_that_is_no_token_is_its_bytes(tokenizer):
    ids = tokenizer.encode("é\n", GOES_ON)
    assert tokens(tokenizer, ids) == ["<0xC3>", "<0xA9>", "<0x0A>"]
    assert [tokenizer.token_text(i) for i in ids] == ["\\xc3", "\\xa9", "\n"]


def test_a_token_is_displayed_with_its_blank(tokenizer):
    assert "".join(tokenizer.token_text(i) for i in tokenizer.encode("the cat")) == " the cat"
    assert (tokenizer.token_text(2), tokenizer.token_text(9999)) == ("</s>", "<9999>")


def test_what_looks_like_a_byte_in_a_text_is_text(tokenizer):
    ids = tokenizer.encode("<0x0A>", GOES_ON)
    assert tokenizer.decode(ids) == "<0x0A>" and len(ids) > 1


def test_decoding_leaves_out_special_tokens_and_unused_ids(tokenizer):
    assert tokenizer.decode([1, *tokenizer.encode("the cat"), 2, 9999]) == " the cat"


def test_what_was_said_is_never_taken_back_while_an_answer_grows(tokenizer):
    """Bytes of several characters in a row: each is there as soon as its last byte is."""
    ids, said = tokenizer.encode("a😀😀é", GOES_ON), ""
    for n in range(len(ids) + 1):
        text = whole(tokenizer.decode(ids[:n]))
        assert text.startswith(said)
        said = text
    assert said == "a😀😀é"
    assert whole(tokenizer.decode(ids[:6])) == "a😀" != tokenizer.decode(ids[:6])  # the second one is cut off


@pytest.mark.parametrize("token", ["</s>", "<s>", "<unk>"])
def test_a_special_token_in_a_text_is_encoded_as_text(tokenizer, token):
    for before in ((), GOES_ON):
        ids = tokenizer.encode(f"a{token}b", before)
        assert not {0, 1, 2} & set(ids)
        assert tokenizer.decode(ids).lstrip() == f"a{token}b"


@pytest.mark.parametrize("before", [[], GOES_ON])
def test_a_special_token_in_a_text_is_text_even_where_merges_make_it(tmp_path, before):
    save(tmp_path, backend())
    value = json.loads((tmp_path / "tokenizer.json").read_text())
    vocabulary, merges = value["model"]["vocab"], value["model"]["merges"]
    vocabulary |= {"</": len(vocabulary), "</s": len(vocabulary) + 1}
    merges[:0] = [["<", "/"], ["</", "s"], ["</s", ">"]]
    (tmp_path / "tokenizer.json").write_text(json.dumps(value))
    loaded = Tokenizer.load(tmp_path)
    assert 2 in loaded.backend.encode("</s>").ids  # else nothing is tested
    ids = loaded.encode("a</s>", before)
    assert 2 not in ids
    assert loaded.decode(ids) == (" " if not before else "") + "a</s>"


def test_words_that_the_makers_added_are_found_whole(tmp_path):
    other = backend()
    other.add_tokens([AddedToken("<tool>", normalized=False)])
    loaded = Tokenizer.load(save(tmp_path, other))
    assert loaded.decode(loaded.encode("the<tool>", GOES_ON)) == "the<tool>"
    assert other.token_to_id("<tool>") in loaded.encode("the<tool>", GOES_ON)


def test_without_bytes_to_fall_back_on_a_character_that_is_no_token_is_refused(tmp_path):
    loaded = Tokenizer.load(save(tmp_path, backend(byte_fallback=False)))
    assert loaded.decode(loaded.encode("the cat")) == " the cat"
    refusal(lambda: loaded.encode("the é"), "0xa9", "no token")


def test_a_byte_that_is_no_token_is_refused_and_a_character_that_is_one_needs_no_bytes(tmp_path):
    save(tmp_path, backend())
    value = json.loads((tmp_path / "tokenizer.json").read_text())
    for byte in (0xA9, ord("a")):
        value["model"]["vocab"].pop(BYTES[byte])
    (tmp_path / "tokenizer.json").write_text(json.dumps(value))
    loaded = Tokenizer.load(tmp_path)
    assert loaded.decode(loaded.encode("a cat", GOES_ON)) == "a cat"
    assert loaded.decode(loaded.encode("ö", GOES_ON)) == "ö"
    refusal(lambda: loaded.encode("é"), "0xa9", "no token")


# Conversations, in the dialect of TinyLlama


@each_form
def test_a_conversation_has_the_ids_of_its_text_encoded_in_one_piece(tokenizers, form):
    """Its text is cut at </s>, and by us behind a header; there a newline keeps the sides apart."""
    tokenizer = tokenizers[form]
    theirs = Backend.from_str(tokenizer.source.decode())
    for answer in ("the mat", "", " the", "  the", "\n the", "é"):
        runs = render(tokenizer, [SYSTEM, USER, {"role": "assistant", "content": answer}, USER], True)
        text = f"<|system|>\nthe system</s>\n<|user|>\nthe user</s>\n<|assistant|>\n{answer}</s>\n"
        text += "<|user|>\nthe user</s>\n<|assistant|>\n"
        assert [i for ids, _ in runs for i in ids] == theirs.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("content", ["the mat", " the mat", ""])
def test_an_answer_and_its_end_token_are_the_target_with_no_blank_that_nobody_wrote(tokenizer, content):
    runs = render(tokenizer, [USER, {"role": "assistant", "content": content}])
    shown = [("".join(map(tokenizer.token_text, ids)), is_answer) for ids, is_answer in runs]
    assert shown == [
        (" <|user|>\nthe user</s> \n<|assistant|>\n", False),
        (f"{content}</s>", True),
        (" \n", False),
    ]
    assert [tokenizer.decode(ids) for ids, is_answer in runs if is_answer] == [content]


def test_the_model_meets_an_answer_in_training_as_it_meets_it_when_it_answers(tokenizer):
    asked = [i for ids, _ in render(tokenizer, [USER], add_generation_prompt=True) for i in ids]
    trained = [i for ids, _ in render(tokenizer, [USER, ASSISTANT]) for i in ids]
    assert trained[: len(asked)] == asked


def test_a_saved_tokenizer_is_the_file_that_was_loaded(directories, tokenizer, tmp_path):
    tokenizer.save(tmp_path / "again", model_max_length=64)
    source = (directories["prepend"] / "tokenizer.json").read_bytes()
    assert (tmp_path / "again" / "tokenizer.json").read_bytes() == source
    assert (tmp_path / "again" / "chat_template.jinja").read_bytes() == ZEPHYR.encode()
    assert render(Tokenizer.load(tmp_path / "again"), [USER, ASSISTANT]) == render(tokenizer, [USER, ASSISTANT])


def test_a_base_model_without_a_template_takes_plain_text_and_says_why_it_cannot_chat(tmp_path):
    save(tmp_path, backend(), template=None)
    loaded = Tokenizer.load(tmp_path)
    assert loaded.decode(loaded.encode("the cat")) == " the cat"
    refusal(lambda: render(loaded, [USER]), "tokenizer.json", "<|im_start|>", "ChatML", "plain text")


def test_something_else_before_every_text_is_refused(tmp_path):
    other = backend()
    other.normalizer = normalizers.Sequence([normalizers.Replace(Regex("^"), "x"), *[other.normalizer]])
    save(tmp_path, other)
    refusal(lambda: Tokenizer.load(tmp_path), tmp_path / "tokenizer.json", "before every text")


def test_the_blank_is_found_in_a_sequence_within_a_sequence():
    value = json.loads(backend().to_str())
    value["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "NFC"}, value["normalizer"]]}
    nested = Backend.from_str(json.dumps(value))
    assert nested.encode("the", add_special_tokens=False).tokens == ["▁the"]
    assert "▁" not in "".join(without_blank(nested).encode("the", add_special_tokens=False).tokens)


# Merges from scores


def test_merges_are_made_of_normal_tokens_only_so_no_text_becomes_a_byte_or_a_special_token():
    tokens = ["</s>", "<0x41>", "</s", ">", "<0x41", "<", "/", "s", "</", "0x41", "0", "x", "4", "1", "x4", "0x4", "▁"]
    made = from_scores(tokens, [0.0] * len(tokens), [3, 6, *[1] * (len(tokens) - 2)], False)
    assert made.encode("</s><0x41>").tokens == ["</s", ">", "<0x41", ">"]
