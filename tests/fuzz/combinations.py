"""Tokenizers put together from the parts of the `tokenizers` package: what no model has, but a file may say."""

import json
from functools import cache

from tokenizers.pre_tokenizers import ByteLevel

from minisft.tokenizer import Tokenizer

from . import right

PATTERNS = [
    "a",
    " ",
    "▁",
    "",
    "|",
    r"\s+",
    r"\p{L}+",
    r"\p{N}{1,3}",
    "x*",
    "(?=t)",
    ".",
    r"[^\r\n\p{L}\p{N}]?\p{L}+",
    "é",
    "(",
    "(a+)+$",
]
TEXTS = ["a", "▁", "", " ", "<|im_end|>", "\u0301", "x" * 40, "</s>", "ß", "İ", "é", "|"]
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
MARKUP = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<s>", "</s>", "<unk>"]
ODD = ["the", " the", "a", "▁", "é", "ﬁ", "THE", "|", "<", "at", "Ġthe", "\n", "İ", "user", "system"]


def maybe(rng, *values, chance=0.5):
    return rng.choice(values) if rng.random() < chance else values[0]


def pattern(rng):
    return rng.choice(({"String": rng.choice(TEXTS)}, {"Regex": rng.choice(PATTERNS)}))


def flag(rng):
    return rng.random() < 0.5


def normalizer(rng):
    kind = rng.choice(
        [
            "NFC",
            "NFD",
            "NFKC",
            "NFKD",
            "Lowercase",
            "StripAccents",
            "Nmt",
            "ByteLevel",
            "Strip",
            "Prepend",
            "Replace",
            "Replace",
            "BertNormalizer",
            "Precompiled",
        ]
    )
    options = {
        "Strip": lambda: {"strip_left": flag(rng), "strip_right": flag(rng)},
        "Prepend": lambda: {"prepend": rng.choice(TEXTS)},
        "Replace": lambda: {"pattern": pattern(rng), "content": rng.choice(TEXTS)},
        "BertNormalizer": lambda: {
            "clean_text": flag(rng),
            "handle_chinese_chars": flag(rng),
            "strip_accents": rng.choice((None, True, False)),
            "lowercase": flag(rng),
        },
        "Precompiled": lambda: {
            "precompiled_charsmap": rng.choice(("", "AAAA", "/////w==", "ALQCAACEAAAAAACAAQAAgMz8AgC4BQAA"))
        },
    }
    return {"type": kind} | options.get(kind, dict)()


def pre_tokenizer(rng):
    kind = rng.choice(
        [
            "ByteLevel",
            "ByteLevel",
            "ByteLevel",
            "Metaspace",
            "Metaspace",
            "Whitespace",
            "WhitespaceSplit",
            "BertPreTokenizer",
            "CharDelimiterSplit",
            "Digits",
            "Punctuation",
            "Split",
            "Split",
            "UnicodeScripts",
            "FixedLength",
        ]
    )
    options = {
        "ByteLevel": lambda: {"add_prefix_space": flag(rng), "trim_offsets": flag(rng), "use_regex": flag(rng)},
        "Metaspace": lambda: {
            "replacement": maybe(rng, "▁", "_", "a", chance=0.2),
            "split": flag(rng),
            "prepend_scheme": rng.choice(("always", "first", "never")),
        },
        "CharDelimiterSplit": lambda: {"delimiter": rng.choice(("a", " ", "é", "▁"))},
        "Digits": lambda: {"individual_digits": flag(rng)},
        "Punctuation": lambda: {"behavior": rng.choice(BEHAVIORS)},
        "Split": lambda: {"pattern": pattern(rng), "behavior": rng.choice(BEHAVIORS), "invert": flag(rng)},
        "FixedLength": lambda: {"length": rng.choice((0, 1, 2, 5, 2**40))},
    }
    return {"type": kind} | options.get(kind, dict)()


def decoder(rng):
    kind = rng.choice(
        [
            "ByteLevel",
            "ByteLevel",
            "ByteLevel",
            "Replace",
            "ByteFallback",
            "Fuse",
            "Strip",
            "Metaspace",
            "WordPiece",
            "BPEDecoder",
            "CTC",
        ]
    )
    options = {
        "Replace": lambda: {"pattern": pattern(rng), "content": rng.choice(TEXTS)},
        "Strip": lambda: {
            "content": rng.choice(("a", " ", "▁")),
            "start": rng.choice((0, 1, 2**40)),
            "stop": rng.choice((0, 1)),
        },
        "Metaspace": lambda: {
            "replacement": "▁",
            "prepend_scheme": rng.choice(("always", "first", "never")),
            "split": True,
        },
        "WordPiece": lambda: {"prefix": rng.choice(("##", "")), "cleanup": flag(rng)},
        "BPEDecoder": lambda: {"suffix": rng.choice(("</w>", "", "a"))},
        "CTC": lambda: {"pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": flag(rng)},
    }
    return {"type": kind} | options.get(kind, dict)()


def post_processor(rng, ids):
    token, i = rng.choice(list(ids.items()))
    return rng.choice(
        (
            {"type": "ByteLevel", "add_prefix_space": flag(rng), "trim_offsets": flag(rng), "use_regex": flag(rng)},
            {"type": "BertProcessing", "sep": [token, i], "cls": [token, i]},
            {
                "type": "RobertaProcessing",
                "sep": [token, i],
                "cls": [token, i],
                "trim_offsets": flag(rng),
                "add_prefix_space": flag(rng),
            },
            {
                "type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}],
                "special_tokens": {token: {"id": token, "ids": [i], "tokens": [token]}},
            },
            {"type": "Sequence", "processors": []},
        )
    )


def several(rng, make, name):
    """None, one part, a sequence of some, or a sequence of sequences."""
    count = rng.choice((0, 1, 1, 1, 2, 3))
    parts = [make(rng) for _ in range(count)]
    if count == 0:
        return rng.choice((None, {"type": "Sequence", name: []}))
    nested = {"type": "Sequence", name: parts}
    return (
        parts[0] if count == 1 and flag(rng) else {"type": "Sequence", name: [nested]} if rng.random() < 0.1 else nested
    )


def merges_to(word):
    """(left, right) of merges that make a word of its characters, from the left."""
    return [(word[:i], word[i]) for i in range(1, len(word))]


@cache
def alphabet():
    return tuple(sorted(ByteLevel.alphabet()))


def bpe(rng, special):
    """A model; sometimes its merges spell special tokens, or words that only a normalizer makes."""
    words = rng.sample(
        ["the", "cat", "Ġthe", "▁the", "▁cat", "▁▁", "ĠĠ", "ab", "user", "fi", "ss", *ODD], rng.randrange(6)
    )
    if rng.random() < 0.4:
        words += rng.sample(special, min(len(special), rng.choice((1, 2))))
    letters = set(alphabet()) if rng.random() < 0.7 else set("abcdefghijklmnopqrstuvwxyz <>|_/.▁Ġ0123456789")
    letters |= {"▁"} if flag(rng) else set()
    letters -= set(rng.sample(sorted(letters), rng.choice((0, 0, 0, 1, 5))))
    pairs = [pair for word in dict.fromkeys(words) for pair in merges_to(word) if set(word) <= letters]
    rng.shuffle(pairs)
    tokens = [f"<0x{byte:02X}>" for byte in range(256)] if rng.random() < 0.4 else []
    tokens += [*sorted(letters), *("".join(pair) for pair in pairs)]
    tokens = [*special, *tokens] if flag(rng) else [*tokens, *special]
    ids = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    return ids, {
        "type": "BPE",
        "dropout": maybe(rng, None, 0.0, 0.5, chance=0.03),
        "unk_token": maybe(rng, None, "<unk>", *special, chance=0.4),
        "continuing_subword_prefix": maybe(rng, None, "", "##", chance=0.1),
        "end_of_word_suffix": maybe(rng, None, "", "</w>", chance=0.1),
        "fuse_unk": flag(rng),
        "byte_fallback": flag(rng),
        "ignore_merges": flag(rng),
        "vocab": ids,
        "merges": [list(pair) for pair in dict.fromkeys(pairs)]
        if flag(rng)
        else [" ".join(pair) for pair in dict.fromkeys(pairs)],
    }


def make(rng):
    """(tokenizer.json, eos_token) of a tokenizer that nobody has."""
    special = [*MARKUP, *rng.sample(ODD, rng.choice((0, 0, 0, 1, 2)))]
    ids, model = bpe(rng, special)
    if rng.random() < 0.03:
        model = {"type": rng.choice(("WordLevel", "WordPiece", "Unigram")), "vocab": ids, "unk_token": "<unk>"}
    added = []
    for token in rng.sample(special, rng.randrange(len(special) + 1)) + rng.sample(ODD, rng.choice((0, 0, 1, 2))):
        options = {name: rng.random() < 0.2 for name in ("single_word", "lstrip", "rstrip")}
        at = ids.get(token, len(ids) + len(added))
        added.append(
            {"id": at, "content": token, "normalized": rng.random() < 0.3, "special": token in special} | options
        )
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": sorted(added, key=lambda token: token["id"]),
        "normalizer": several(rng, normalizer, "normalizers"),
        "pre_tokenizer": several(rng, pre_tokenizer, "pretokenizers"),
        "post_processor": maybe(rng, None, post_processor(rng, ids)),
        "decoder": several(rng, decoder, "decoders"),
        "model": model,
    }, rng.choice(special)


def is_lossless(content):
    """Whether a text surely comes back: every byte has a token, and nothing but the spelling of bytes changes it."""
    spelling = {"ByteLevel": False}
    cut, model = content["pre_tokenizer"] or {}, content["model"]
    return (
        not content["normalizer"]
        and cut.get("type") == "ByteLevel"
        and cut["add_prefix_space"] in spelling.values()
        and content["decoder"] == {"type": "ByteLevel"}
        and not content["added_tokens"]
        and model["type"] == "BPE"
        and set(alphabet()) <= set(model["vocab"])
    )


def run(rng, place):
    content, eos = make(rng)
    directory = place / "combination"
    directory.mkdir(exist_ok=True)
    (directory / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    (directory / "tokenizer_config.json").write_text(json.dumps({"eos_token": eos}), encoding="utf-8")
    tokenizer = Tokenizer.load(directory)
    special = list(tokenizer.special_tokens)
    texts = [
        *rng.sample(right.TEXTS, 2),
        *rng.sample(right.WRITTEN, 2),
        rng.choice(special),
        "".join(rng.choices(special, k=3)).upper(),
    ]
    if rng.random() < 0.02:
        texts.append(rng.choice(["the cat ", "a", "<|im_end|> x", "é"]) * 9000)  # in several windows
    kept = right.tokenizer_is_right(tokenizer, texts, lossless=is_lossless(content))
    return "right" if kept else "refused"


def prepare():
    alphabet()
