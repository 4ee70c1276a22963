"""A long text is encoded window by window: the ids are those of the whole, the memory is that of one window.

A window begins where the one before it was cut, and a cut is a place where the whole text is cut as well:

- Between two words. The words of a window are those of the text, except near its end: where a word ends depends on the
  few characters after it. So a cut lies some `MARGIN` characters before the end of its window. And it never lies behind
  white space, whose words depend on what ends it, however far away, or before a mark that may belong to the character
  before it.
- Within a word that fills its window: a text without blanks, or any text of a tokenizer that does not cut into words.
  BPE splits a word into tokens such that each two neighbours stay two tokens when they are encoded alone, and no other
  split of the word has this property (van Antwerpen and Neubeck, "So many tokens, so little time", 2024). So two
  encoded halves, laid end to end, are the whole if the tokens at the seam are neighbours in one valid split. They are
  if both windows, which overlap there, say the same of the token after the seam.

Where a tokenizer cuts in a way that is not known (`tokenizer_json.is_local`) a text is one window.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from unicodedata import combining

from tokenizers import Encoding
from tokenizers import Tokenizer as Backend

from minisft.errors import MinisftError, quoted
from minisft.formats import tokenizer_json

PIECE = 2**15  # characters of a window
MARGIN = 2**10  # of them at its end, where it is not cut; no token is longer
MOST = 2**22  # characters, as they come out of the steps before BPE, of a window that finds no place to be cut
NEAR = 16  # characters that decide where a word ends
WORD_ENDS = re.compile(r"[^\s](?=[ \n])")


class Window(NamedTuple):
    text: str
    encoding: Encoding
    tokens: int  # so many of its tokens are the whole's; those after them are the next window's


def lengths(content: dict[str, Any], vocabulary: Iterable[str], whole: bool) -> tuple[int, int]:
    """(characters of a window, most characters of one) for the tokenizer of a tokenizer.json; equal if nothing is cut.

    whole  for another reason, nothing may be cut
    """
    before = [step for part in ("normalizer", "pre_tokenizer") for step in tokenizer_json.steps(content.get(part))]
    most = int(MOST / tokenizer_json.growth(before))
    short = not whole and max(map(len, vocabulary), default=0) <= MARGIN and tokenizer_json.is_local(content)
    return min(PIECE, most) if short else most, most


def windows(text: str, first: Backend, others: Backend, size: int, most: int) -> Iterator[Window]:
    """The windows of a text. Raises MinisftError if one would be longer than `most` characters.

    first, others  what encodes the first window, and the others: the same without what is put before a text
    size           characters of a window; `most`: a text must be one window
    """
    backend, begin, end = first, 0, min(size, most)
    encoding = encoded(backend, text[:end])
    while end < len(text):
        window = text[begin:end]
        token, place = seam(encoding, window) if size < most else (0, 0)
        following = encoded(others, text[begin + place : begin + place + size]) if token else None
        if following and following.ids[:1] == encoding.ids[token : token + 1]:
            yield Window(window, encoding, token)
            backend, begin, end, encoding = others, begin + place, begin + place + size, following
            continue
        end = min(begin + 2 * (end - begin), begin + most)
        longer = encoded(backend, text[begin:end])
        if len(window) == most or (begin and longer.ids[:1] != encoding.ids[:1]):  # on that the window before relies
            raise MinisftError(
                f"text: this tokenizer finds no place to cut it in {len(window):,} characters, from "
                f"{quoted(window[:40])} on; break it up"
            )
        encoding = longer
    yield Window(text[begin:], encoding, len(encoding))


def encoded(backend: Backend, text: str) -> Encoding:
    return backend.encode(text, add_special_tokens=False)


def seam(encoding: Encoding, text: str) -> tuple[int, int]:
    """(token, character) with which the next window begins; (0, 0) if there is no such place."""
    for at in range(len(text) - MARGIN, len(text) - MARGIN // 2, NEAR):
        word = encoding.char_to_word(at)
        if word is None:  # a character that the tokenizer drops
            continue
        token, _ = encoding.word_to_tokens(word) or (0, 0)
        _, end = encoding.word_to_chars(word) or (0, 0)
        if token == 0 and end > at + NEAR:  # the word fills the window
            token = encoding.char_to_token(at) or 0
        place, _ = encoding.token_to_chars(token) or (0, 0)
        _, end = (encoding.token_to_chars(token - 1) or (0, 0)) if token else (0, 0)
        if 0 < end <= place and not text[end - 1].isspace() and not combining(text[place]):
            return token, place
    return 0, 0


def paragraphs(text: str) -> Iterator[str]:
    """A text in parts of some `PIECE` characters, cut where a word ends for a tokenizer that cuts as GPT-2 does."""
    begin = 0
    while place := WORD_ENDS.search(text, begin + PIECE):
        yield text[begin : place.end()]
        begin = place.end()
    yield text[begin:]
