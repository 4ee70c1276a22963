"""A long text is encoded in windows: the ids of the whole, the memory of one window, and no more than a limit needs."""

import json
from itertools import pairwise

import numpy as np
import pytest
from support.refusals import refusal
from support.small_sentencepiece import backend as sentencepiece_of
from tokenizers import AddedToken, Regex, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend

from minisft.formats import tokenizer_json, windows
from minisft.formats.gguf.read import WORDS
from minisft.formats.sentencepiece import without_blank
from minisft.tokenizer import Tokenizer

PARTS = [
    "a",
    "b",
    "ab",
    "the",
    " the",
    "1",
    "12",
    "0",
    " ",
    "\n",
    "\r\n",
    "\t",
    " \n",
    "\n ",
    "!",
    "'",
    "'s",
    "...",
    "_",
]
PARTS += [
    "é",
    "e\u0301",
    "\u0301",
    "q\u0323\u0301",
    "中",
    "文，",
    "\u1100\u1161\u11a8",
    "🙂",
    "½",
    "ﬁ",
    "\u00a0",
    "\x1c",
    "İ",
]


def random_text(rng, length):
    """Words, numbers, white space, marks that Unicode composes; now and then a run far longer than a window."""
    parts = []
    while sum(map(len, parts)) < length:
        some = rng.choice(PARTS, rng.choice([1, 1, 3]))
        parts.append("".join(rng.choice(some, rng.choice([1, 1, 1, 5, 50, 900], p=[0.3, 0.2, 0.2, 0.2, 0.08, 0.02]))))
    return "".join(parts)[:length]


def byte_level(*splits, normalizer=None, **options):
    result = Backend(models.BPE(**options))
    last = splits[-1] if isinstance(splits[-1], pre_tokenizers.ByteLevel) else BYTES
    result.pre_tokenizer = pre_tokenizers.Sequence([*splits, *([] if last in splits else [last])])
    if normalizer:
        result.normalizer = normalizer
    return trained(result)


def trained(backend, **options):
    """Merges of such texts, so that they reach wherever they may: over digits, marks, runs of blanks and newlines."""
    rng = np.random.default_rng(0)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=800, show_progress=False, initial_alphabet=alphabet, max_token_length=20, **options
    )
    backend.train_from_iterator([random_text(rng, 300) for _ in range(200)], trainer)
    return backend


def of_scores(**steps):
    """SentencePiece's kind, without the step that puts a blank before a text."""
    result = Backend(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    result.normalizer = normalizers.Replace(" ", "▁")
    special = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    content = json.loads(trained(result, special_tokens=special, limit_alphabet=300).to_str())
    content["added_tokens"] = content["added_tokens"][:1]
    return Backend.from_str(json.dumps(content | steps))


def pattern(regex):
    return pre_tokenizers.Split(Regex(regex), "isolated")


GPT_2, BYTES = (pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex) for regex in (True, False))
PREPEND = [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]
METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}
KINDS = {
    "ours": lambda: byte_level(pre_tokenizers.Digits(individual_digits=True), GPT_2),
    "GPT-2": lambda: byte_level(GPT_2),
    "Llama 3": lambda: byte_level(pattern(WORDS % "{1,3}"), ignore_merges=True),
    "Qwen2": lambda: byte_level(pattern(WORDS % ""), normalizer=normalizers.NFC()),
    "NFKD, lower case": lambda: byte_level(
        pre_tokenizers.WhitespaceSplit(),
        normalizer=normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]),
    ),
    "no words": lambda: byte_level(BYTES),
    "Llama 2": lambda: of_scores(normalizer={"type": "Sequence", "normalizers": PREPEND}),
    "Metaspace": lambda: of_scores(normalizer=None, pre_tokenizer=METASPACE),
}


@pytest.fixture
def short(monkeypatch):
    """Windows of 200 characters, so that texts of a test have many."""
    monkeypatch.setattr(windows, "PIECE", 200)
    monkeypatch.setattr(windows, "MARGIN", 50)


def in_windows(text, backend, inside=None):
    content, vocabulary = json.loads(backend.to_str()), backend.get_vocab()
    assert tokenizer_json.is_local(content) and max(map(len, vocabulary)) < windows.MARGIN
    return list(windows.windows(text, backend, inside or backend, *windows.lengths(content, vocabulary, False)))


def ids_of(found):
    return [i for window in found for i in window.encoding.ids[: window.tokens]]


@pytest.mark.parametrize("kind", KINDS)
def test_the_ids_of_a_text_in_windows_are_those_of_the_whole(kind, short):
    rng, backend, count = np.random.default_rng(1), KINDS[kind](), 0
    inside = without_blank(backend) if kind in ("Llama 2", "Metaspace") else backend
    for _ in range(60):
        text = random_text(rng, 3000)
        found = in_windows(text, backend, inside)
        assert ids_of(found) == backend.encode(text, add_special_tokens=False).ids
        count += len(found)
    assert count > 60 * 3000 / 200 / 2  # else windows are whole texts


def chain(merges, more=(), **options):
    """BPE of characters with these merges, the first one first."""
    tokens = sorted({*"".join(left + right for left, right in merges), *more})
    tokens += [left + right for left, right in merges]
    return Backend(models.BPE({token: i for i, token in enumerate(tokens)}, merges, **options))


def test_a_window_begins_where_a_word_does_so_a_number_is_cut_in_threes_from_its_beginning(short):
    """In threes 12 is a token only where both digits are in the same three."""
    backend = chain([("1", "2")], "34")
    backend.pre_tokenizer = pattern(r"\p{N}{1,3}")
    for text in ("1234" * 300, "a" + "1234" * 300):
        assert ids_of(in_windows(text, backend)) == backend.encode(text).ids


def test_a_seam_on_which_two_windows_do_not_agree_is_not_used(short):
    """Here the last pair merges first, so how a text begins depends on how many characters it has."""
    letters = [chr(0x4E00 + i) for i in range(301)]
    backend = chain(list(pairwise(letters))[::-1])
    for text in ("".join(letters), "".join(letters[1:]), "".join(letters[100:]) * 2):
        assert ids_of(in_windows(text, backend)) == backend.encode(text).ids
    refusal(lambda: in_windows("".join(letters) * 3, backend), "no place to cut")  # where it would have to go back


def test_a_seam_never_divides_a_character_whose_bytes_are_tokens(short):
    """中 is E4 B8 AD; here AD E4, the end of one and the beginning of the next, is one token."""
    spelled = backend_of_bytes()
    e4, _, ad = (word for word in spelled.pre_tokenizer.pre_tokenize_str("中")[0][0])
    backend = backend_of_bytes([(ad, e4)])
    assert len(backend.encode("中" * 10).ids) == 21
    assert ids_of(in_windows("中" * 1000, backend)) == backend.encode("中" * 1000).ids


def backend_of_bytes(merges=()):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *(left + right for left, right in merges)]
    backend = Backend(models.BPE({token: i for i, token in enumerate(tokens)}, list(merges)))
    backend.pre_tokenizer = BYTES
    return backend


def test_the_end_of_a_long_word_is_not_taken_for_the_beginning_of_another(short):
    """!!!'llama is the words !!!' and llama, but 'llama is 'll and ama."""
    backend = chain([("l", "l"), ("a", "m"), ("am", "a"), ("ll", "ama")], "!'")
    backend.pre_tokenizer = pattern(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
    for marks in range(140, 160):
        text = "!" * marks + "'" + "llama" * 100
        assert ids_of(in_windows(text, backend)) == backend.encode(text).ids


def test_a_mark_that_composes_with_a_character_before_it_stays_with_it(short):
    """NFC makes é and the stroke of e, stroke, acute: two words, the second of which must not begin a window."""
    backend = KINDS["Qwen2"]()
    for unit in ("e\u0335\u0301", "xe\u0335\u0301\u0335", "\u1100\u1161\u11a8!", "\u09c7\u09be!"):
        assert ids_of(in_windows(unit * 500, backend)) == backend.encode(unit * 500).ids


def test_a_mark_does_not_begin_a_window_even_where_its_bytes_are_tokens(short):
    backend = backend_of_bytes()
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.Sequence([pattern(WORDS % ""), BYTES])
    for before in ("", "x", "xx"):
        text = before + "e\u0335\u0301" * 400
        assert ids_of(in_windows(text, backend)) == backend.encode(text).ids


def test_a_character_that_becomes_several_words_is_in_one_window(short):
    """NFKC makes 1⁄103 of ⅒3: the words 1, ⁄ and 103, the last of which begins within ⅒."""
    backend = backend_of_bytes()
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(), BYTES])
    for before in ("", "x", "xx"):
        text = before + "⅒3x" * 400
        assert ids_of(in_windows(text, backend)) == backend.encode(text).ids


@pytest.mark.parametrize("space", [" ", "\n", ""])
def test_a_word_that_was_added_is_never_cut_and_takes_its_white_space_with_it(space, short):
    backend = byte_level(pre_tokenizers.Split(" ", "isolated"), GPT_2)
    backend.add_tokens(
        [AddedToken("<tool>"), AddedToken("[A]", lstrip=True, rstrip=True), AddedToken("é", normalized=True)]
    )
    for word in ("<tool>", "[A]", "é", "<to", "[A"):
        for length in range(1, 12):
            text = ("x" * length + space * 3 + word) * 200
            assert ids_of(in_windows(text, backend)) == backend.encode(text).ids
    text = ("the" + space * 180 + "[A]") * 20
    assert ids_of(in_windows(text, backend)) == backend.encode(text).ids


def test_one_word_of_any_length_is_encoded_in_windows(short):
    backend = KINDS["ours"]()
    for unit in ("a", "ab", "é", "中", "!", "abab" + "the"):
        found = in_windows(unit * 3000, backend)
        assert len(found) > 10 and max(len(window.text) for window in found) <= 400
        assert ids_of(found) == backend.encode(unit * 3000).ids


def test_white_space_is_never_cut_so_a_newline_far_behind_it_still_belongs_to_it(short):
    backend = KINDS["Llama 3"]()  # there \s*[\r\n]+ is one word
    for text in ("\n" + " " * 1000 + "\n" * 3 + "the", "the" + "\n" * 700 + " the", "a" + " " * 5000 + "b"):
        assert ids_of(in_windows(text, backend)) == backend.encode(text).ids


def test_a_token_longer_than_a_windows_margin_gets_the_text_whole():
    backend = Backend(models.BPE({"a": 0}, []))
    content = json.loads(backend.to_str())
    for longest, whole in ((windows.MARGIN, False), (windows.MARGIN + 1, True)):
        size, most = windows.lengths(content, ["a" * longest], False)
        assert (size == most) == whole


def test_a_blank_that_a_file_puts_before_a_text_is_put_before_the_first_window_only(short):
    backend = sentencepiece_of("first")
    inside = without_blank(backend)
    text = "the cat sat on the mat " * 100
    assert ids_of(in_windows(text, backend, inside)) == backend.encode(text, add_special_tokens=False).ids


def test_where_a_blank_follows_every_word_that_was_added_a_text_is_one_window(short, tmp_path):
    from support.small_sentencepiece import save

    backend = sentencepiece_of("prepend")
    assert Tokenizer.load(save(tmp_path / "without", backend)).size == windows.PIECE
    backend.add_tokens([AddedToken("<tool>", normalized=False)])
    tokenizer, text = Tokenizer.load(save(tmp_path / "with", backend)), "the cat<tool>sat " * 100
    assert tokenizer.encode(text) == backend.encode(text, add_special_tokens=False).ids
