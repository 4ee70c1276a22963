"""Tokens that were added to a vocabulary: found in a text as a whole, before it is cut into words.

Some of them are special: they begin or end something, and a text that somebody typed never contains one. Each has
flags. With `lstrip` or `rstrip` it takes the white space before or after it along; with `single_word` it is not found
inside a word; with `normalized` it is looked for in the normalised text.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from minisft.errors import MinisftError, quoted

ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
SPACES = re.compile(f"[{SPACE}]*")  # what Unicode calls white space
FLAGS = ("lstrip", "rstrip", "single_word", "normalized")


class Part(NamedTuple):
    """A part of a text: text[begin:end], as text or as the one token that stands for it with the space it takes."""

    begin: int
    end: int
    token: str | None
    at: int  # where the token itself begins


def roles(config: dict[str, Any]) -> dict[str, str]:
    """{"bos_token": "<s>", …}: the tokens that tokenizer_config.json names, as a template may use them."""
    named = {role: config.get(role) for role in ROLES}
    further = config.get("extra_special_tokens")
    named |= further if isinstance(further, dict) else {}
    spelled = {str(role): token.get("content") if isinstance(token, dict) else token for role, token in named.items()}
    return {role: token for role, token in spelled.items() if isinstance(token, str)}


def add(backend: Backend, config: dict[str, Any], path: Any) -> None:
    """Add the tokens, or the flags of tokens, that stand only in tokenizer_config.json (or added_tokens.json).

    Raises MinisftError naming a token that would get another id than the file says.
    """
    known = {token.content: token for token in backend.get_added_tokens_decoder().values()}
    listed = config.get("added_tokens_decoder")
    for i, entry in sorted(listed.items(), key=lambda pair: str(pair[0]).zfill(20)) if isinstance(listed, dict) else ():
        entry = entry if isinstance(entry, dict) else {"content": entry}
        text = entry.get("content")
        if not (isinstance(text, str) and text and str(i).isdecimal()):
            raise MinisftError(
                f"{path}: added_tokens_decoder has {quoted(entry)} as {quoted(i)}; give an id and a content"
            )
        special = bool(entry.get("special", False))
        flags = {name: bool(entry.get(name, name == "normalized" and not special)) for name in FLAGS}
        token = AddedToken(text, special=special, **flags)
        if text not in known or repr(known[text]) != repr(token):
            (backend.add_special_tokens if special else backend.add_tokens)([token])
        if backend.token_to_id(text) != int(i):
            raise MinisftError(
                f"{path}: added_tokens_decoder gives {quoted(text)} the id {i}, but with tokenizer.json it is "
                f"{backend.token_to_id(text)}; use files that belong together"
            )


def make_special(backend: Backend, texts: Collection[str]) -> None:
    """Of the tokens of a vocabulary, make these special; they keep their flags."""
    known = {token.content: token for token in backend.get_added_tokens_decoder().values()}
    for text in texts:
        if not (text in known and known[text].special):
            flags = {name: getattr(known.get(text), name, False) for name in FLAGS}
            backend.add_special_tokens([AddedToken(text, special=True, **flags)])


class SpecialTokens:
    """The special tokens of a vocabulary, and where they stand in a text.

    ids    {text: id}
    plain  whether none of them has a flag
    """

    def __init__(self, backend: Backend) -> None:
        added = backend.get_added_tokens_decoder()
        self.tokens = {token.content: token for token in added.values() if token.special}
        self.ids = {token.content: i for i, token in added.items() if token.special}
        self.plain = not any(t.lstrip or t.rstrip or t.single_word for t in self.tokens.values())
        normal = backend.normalizer
        # One that the normalizer changes is never found where it stands.
        found = [
            t for t, token in self.tokens.items() if not (token.normalized and normal and normal.normalize_str(t) != t)
        ]
        names = "|".join(re.escape(t) for t in sorted(found, key=len, reverse=True)) or "(?!)"
        self.pattern, self.anywhere = re.compile(names), re.compile(f"(?={names})" if found else "(?!)")

    def cut(self, text: str, typed: Collection[int] = (), seams: Collection[int] = ()) -> Iterator[Part]:
        """The parts of a text, in order.

        typed  places where a token begins that somebody typed: it is text
        seams  places that no token lies across, since different people wrote what stands on either side
        """
        begin = at = 0
        while found := self.pattern.search(text, at):
            at, end = found.span()
            token = self.tokens[found[0]]
            joined = seams and any(place in seams for place in range(at + 1, end))
            if at in typed or joined or (token.single_word and inside_word(text, at, end)):
                at += 1
                continue
            first = begin + len(text[begin:at].rstrip(SPACE)) if token.lstrip else at
            if begin < first:
                yield Part(begin, first, None, begin)
            begin = SPACES.match(text, end).end() if token.rstrip else end  # type: ignore[union-attr]
            yield Part(min(first, at), begin, found[0], at)
            at = max(begin, end)
        if begin < len(text):
            yield Part(begin, len(text), None, begin)


def inside_word(text: str, begin: int, end: int) -> bool:
    """Whether a letter or a digit stands right before or after."""
    return bool(re.match(r"\w", text[begin - 1 : begin]) or re.match(r"\w", text[end : end + 1]))
