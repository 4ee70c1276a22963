"""BPE of SentencePiece's kind, as in Llama 2: what differs from byte-level BPE.

A blank is spelled ▁, a character that is not a token becomes its bytes, such as <0xE2>, and a blank is put before a
text: "Hi" is the one token ▁Hi wherever a word begins. That last step belongs only to the beginning of a text. Where a
text continues another, as y continues x, the same tokenizer is needed without it.
"""

import json
from collections.abc import Collection

from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers

from minisft.formats.tokenizer_json import steps

BLANK = "▁"
BYTES = {f"<0x{byte:02X}>": byte for byte in range(256)}
NORMAL, LONGEST = 1, 512  # in a GGUF file, the kind of tokens that texts are made of, and the most characters of one


def spelled(token: str) -> bytes:
    """The bytes that a token stands for."""
    return bytes([BYTES[token]]) if token in BYTES else token.replace(BLANK, " ").encode()


def unknown_bytes(vocabulary: Collection[str], backend: Backend) -> set[int]:
    """The bytes without a token: none can stand for a character that is not a token itself."""
    fallback = vocabulary if getattr(backend.model, "byte_fallback", False) else ()
    return {byte for token, byte in BYTES.items() if token not in fallback}


def without_blank(backend: Backend) -> Backend:
    """The same tokenizer without the step that puts a blank before a text: a normalizer, or an option of Metaspace."""
    content = json.loads(backend.to_str())
    kept = [step for step in steps(content["normalizer"]) if step["type"] != "Prepend"]
    content["normalizer"] = {"type": "Sequence", "normalizers": kept}
    for step in steps(content["pre_tokenizer"]):
        if step["type"] == "Metaspace":
            step["prepend_scheme"] = "never"
    return Backend.from_str(json.dumps(content))


def from_scores(tokens: list[str], scores: list[float], kinds: list[int], blank_before: bool) -> Backend:
    """A tokenizer without a list of merges: two neighbours merge if together they are a token, the best score first.

    kinds         the kinds of the tokens, as in a GGUF file
    blank_before  whether a blank is put before a text
    """
    if len(scores) != len(tokens) or max(map(len, tokens), default=0) > LONGEST:
        raise ValueError(f"{len(tokens)} tokens, {len(scores)} scores, or a token of more than {LONGEST} characters")
    score = {token: s for token, s, kind in zip(tokens, scores, kinds) if kind == NORMAL}
    halves = ((token[:i], token[i:]) for token in score for i in range(1, len(token)))
    merges = [(left, right) for left, right in halves if left in score and right in score]
    merges.sort(key=lambda pair: score["".join(pair)], reverse=True)
    vocabulary = {token: i for i, token in enumerate(tokens)}
    backend = Backend(models.BPE(vocab=vocabulary, merges=merges, byte_fallback=True, fuse_unk=True))
    blank = [normalizers.Prepend(BLANK)] * blank_before
    backend.normalizer = normalizers.Sequence([*blank, normalizers.Replace(" ", BLANK)])
    parts = [decoders.Replace(BLANK, " "), decoders.ByteFallback(), decoders.Fuse()]
    backend.decoder = decoders.Sequence([*parts, *[decoders.Strip(" ", left=1, right=0)] * blank_before])
    return backend
