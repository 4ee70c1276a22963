"""What may stand in a tokenizer.json: BPE, and the steps around it.

    text → normalizer → pre_tokenizer → words → BPE → ids → decoder → text

The package `tokenizers` does whatever such a file says. What would fill the memory, or give other ids each time, is
refused here, by name, before the package sees it.
"""

import json
import math
import re
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend

from minisft.errors import MinisftError, one_line, quoted

NOT_READ = "is not a file of the tokenizers package", "it is cut off, damaged or of another kind: copy it again"
STEPS = 64  # of one part, at most; the longest that models have is 6
GROWTH = 1000  # characters that the steps of a part may make of one, at most

# Steps after which a word depends on nothing but the characters next to it: see windows.py.
NORMALIZERS = {"NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Prepend"}
SPLITS = {"Digits", "Punctuation", "Whitespace", "WhitespaceSplit", "BertPreTokenizer", "CharDelimiterSplit"}
SPLITS |= {"Metaspace"}
# All steps that are run. The package reads a step of another type as one that has the same fields.
DECODERS = {"ByteLevel", "Replace", "ByteFallback", "Fuse", "Strip", "Metaspace", "WordPiece", "BPEDecoder", "CTC"}
PARTS = {
    "normalizer": NORMALIZERS | {"Nmt", "ByteLevel", "Strip", "Replace", "BertNormalizer"},
    "pre_tokenizer": SPLITS | {"ByteLevel", "Split", "UnicodeScripts", "FixedLength"},
    "decoder": DECODERS,
}
# So do patterns made of these: a word is a run of letters, of digits, of other characters or of white space.
ALTERNATIVES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
    r"'(?i:[sdmt]|ll|ve|re)",
    r"'s|'t|'re|'ve|'m|'ll|'d",
    r"[^\r\n\p{L}\p{N}]?\p{L}+",
    r"[^\r\n\p{L}\p{N}]?+\p{L}+",
    r" ?\p{L}+",
    r"\p{N}{1,3}",
    r" ?\p{N}+",
    r"\p{N}+",
    r"\p{N}",
    r" ?[^\s\p{L}\p{N}]+[\r\n]*",
    r" ?[^\s\p{L}\p{N}]++[\r\n]*",
    r" ?[^\s\p{L}\p{N}]+",
    r"\s*[\r\n]+",
    r"\s*[\r\n]",
    r"\s+(?!\S)",
    r"\s+",
)
ONE = "|".join(map(re.escape, ALTERNATIVES))
KNOWN = re.compile(rf"(?:{ONE})(?:\|(?:{ONE}))*")


def read(source: bytes, path: str | Path) -> dict[str, Any]:
    """The content of a tokenizer.json. Raises MinisftError naming `path` and what is not implemented or not bounded."""
    try:
        content = json.loads(source, object_pairs_hook=once)
        lists = {part: steps(content.get(part)) for part in PARTS}
        model = content["model"]
        kind = model.get("type", "BPE" if "merges" in model else None)
    except (ValueError, RecursionError, LookupError, AttributeError, TypeError) as error:
        raise MinisftError(f"{path}: {NOT_READ[0]} ({one_line(error, 200)}); {NOT_READ[1]}") from error
    if kind != "BPE":
        raise MinisftError(f"{path}: the model {quoted(kind)} is not implemented, only BPE is; use another model")
    for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(name):
            raise MinisftError(f"{path}: {name} {quoted(model[name])} of BPE is not implemented; use another model")
    for part, listed in lists.items():
        for kind in [step.get("type") for step in listed]:
            if not isinstance(kind, str) or kind not in PARTS[part]:
                raise MinisftError(f"{path}: the {part} {quoted(kind)} is not implemented; use another model")
        if len(listed) > STEPS:
            raise MinisftError(
                f"{path}: its {part} has {len(listed)} steps, at most {STEPS} are run; use another model"
            )
        if growth(listed) > GROWTH:
            raise MinisftError(
                f"{path}: its {part} may make more than {GROWTH} characters of one, and so fill the memory; use "
                "another model"
            )
    kinds = {step.get("type") for step in lists["pre_tokenizer"]} | {
        "Metaspace" for step in lists["normalizer"] if step.get("type") == "Replace" and step.get("content") == "▁"
    }
    if not kinds & {"ByteLevel", "Metaspace"}:
        cut = one_line(", ".join(map(str, kinds))) or "none"
        raise MinisftError(
            f"{path}: a BPE with the pre_tokenizer {cut} is not implemented, only a byte-level one (ByteLevel) or one "
            "of SentencePiece's kind (Metaspace) is; use another model"
        )
    return content


def require_tokens(backend: Backend, path: str | Path) -> None:
    """Refuse a token of which the normalizer leaves nothing: the package would find it everywhere, without an end."""
    for token in backend.get_added_tokens_decoder().values():
        if token.normalized and backend.normalizer and not backend.normalizer.normalize_str(token.content):
            raise MinisftError(
                f"{path}: its normalizer leaves nothing of the added token {quoted(token.content)}; use another model"
            )


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Raises ValueError for a key that comes twice, of which the package may take the other one."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object has a key twice")
    return value


def steps(part: Any) -> list[dict[str, Any]]:
    """The steps of a normalizer, pre_tokenizer or decoder, which is None, one step, or a sequence of others."""
    if not isinstance(part, dict):
        return []
    if part.get("type") != "Sequence":
        return [part]
    inner = [value for name in ("normalizers", "pretokenizers", "decoders") for value in part.get(name) or ()]
    return [step for one in inner for step in steps(one)]


def growth(listed: list[dict[str, Any]]) -> float:
    """How many characters steps may make of one. What Unicode's own forms make, at most 18, is left out."""
    return math.prod(map(factor, listed))


def factor(step: dict[str, Any]) -> float:
    kind = step.get("type")
    if kind == "Replace":
        pattern = step.get("pattern")
        text = pattern.get("String") if isinstance(pattern, dict) else None
        put = len(str(step.get("content")))
        return max(1.0, put / len(text)) if text and isinstance(text, str) else 1.0 + put  # else it may match nothing
    if kind == "Prepend":
        return 1.0 + len(str(step.get("prepend")))
    return 2.0 if kind in ("ByteLevel", "Metaspace", "BertNormalizer") else 1.0


def is_local(content: dict[str, Any]) -> bool:
    """Whether a word depends on nothing but the characters next to it, so that a text can be encoded in windows.

    The last step that cuts may do so by a known pattern, those before it by kinds of characters.
    """
    splits = steps(content.get("pre_tokenizer"))
    if splits and splits[-1].get("type") == "ByteLevel" and splits[-1].get("use_regex") is False:
        splits = splits[:-1]  # spells the bytes, and cuts nothing
    if splits and (splits[-1].get("type") == "ByteLevel" or known(splits[-1])):
        splits = splits[:-1]
    return all(
        step.get("type") in kinds or one_character(step)
        for kinds, listed in ((NORMALIZERS, steps(content.get("normalizer"))), (SPLITS, splits))
        for step in listed
    )


def one_character(step: dict[str, Any]) -> bool:
    """Whether a step replaces one character, or cuts at it."""
    return step.get("type") in ("Replace", "Split") and len(str(step["pattern"].get("String", ""))) == 1


def known(step: dict[str, Any]) -> bool:
    """Whether a step cuts a text into the matches of a pattern whose alternatives are all known."""
    if (step.get("type"), step.get("behavior"), step.get("invert")) != ("Split", "Isolated", False):
        return False
    return KNOWN.fullmatch(str(step["pattern"].get("Regex", ""))) is not None
