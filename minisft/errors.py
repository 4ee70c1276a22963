"""The one family of errors a user can meet, and how a message shows what somebody else wrote: seen, never obeyed."""

import json
from unicodedata import category

BREAKS = "\n\t"  # the control characters that stay in a text of several lines


class MinisftError(Exception):
    """A mistake in what was given: a file, a line of data, a tensor, a flag. The command line prints it and exits 2.

    It says in one line what is wrong, where, and what to do.
    """

    def __str__(self) -> str:
        return one_line(super().__str__(), 4000)  # room for the longest path


def visible(text: str, keep: str = "") -> str:
    """Text that cannot act: all but visible characters and blanks is spelled out as in Python, ESC as \\x1b.

    That is the control characters, those that turn the direction of a line or have no width, and halves of characters
    (lone surrogates). A line break is ↵.

    keep  those that stay: `BREAKS` where a text has several lines
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep or category(c) == "Zs" else spelled(c) for c in text)


def spelled(character: str) -> str:
    """How a character that cannot be shown is written."""
    return "↵" if character == "\n" else repr(character)[1:-1]


def one_line(text: object, limit: int = 80) -> str:
    """Somebody else's words in a message: one line, made visible, of at most `limit` characters."""
    line = visible(" ".join(str(text).splitlines())[: limit + 1])
    return line if len(line) <= limit else line[: limit - 1] + "…"


def quoted(value: object) -> str:
    """A value out of a file in a message: as JSON, in one line of at most 80 characters."""
    try:
        return one_line(json.dumps(value, ensure_ascii=False, default=repr))
    except (TypeError, ValueError, RecursionError):  # keys that are not JSON; a value inside itself; nested too deeply
        return f"a {type(value).__name__}"
