"""Text for pre-training: the rows of a file that has rows; any other file is plain text.

Plain text is one document, or several with a line <|endoftext|> between them, as TinyStories has it.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from minisft.errors import MinisftError
from minisft.formats.rows import Example, Rows, example, gather
from minisft.formats.tables import PARQUET, ROWS, content, delimiter_of, is_array, parse, rows_in
from minisft.formats.tokenizer_files import END_OF_TEXT


class Documents(NamedTuple):
    """What was found in one file, and whether that is plain text and not rows."""

    found: Rows
    plain: bool


def read_documents(path: str | Path) -> list[Example]:
    """The documents of a file. Raises MinisftError as `rows.read`, or if there is no text."""
    found = documents(path).found
    found.require_good()
    return found.examples


def documents(path: str | Path) -> Documents:
    """The same with all that was found. Raises MinisftError if the file cannot be read or has no text."""
    raw = content(path)
    if has_rows(raw, path):
        return Documents(gather(rows_in(raw, path), True, str(path)), False)
    return Documents(Rows(list(texts(raw, path)), [], 0, Counter()), True)


def has_rows(raw: bytes, path: str | Path) -> bool:
    """Whether a file holds rows: its first one can be used, or its name says that it has some."""
    if raw.startswith(PARQUET) or delimiter_of(raw) or Path(str(path).lower().removesuffix(".gz")).suffix in ROWS:
        return True
    first = parse(raw if is_array(raw) else raw.lstrip().split(b"\n", 1)[0], path)
    try:
        return bool(example(first[0] if is_array(raw) else first, ""))
    except (MinisftError, LookupError, TypeError):
        return False


def texts(raw: bytes, path: str | Path) -> Iterator[Example]:
    """The documents of plain text; blank ones are left out."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise MinisftError(f"{path}:{line}: is not UTF-8; save the file as UTF-8") from None
    if not text.replace(END_OF_TEXT, "").strip():
        raise MinisftError(f"{path}: contains no text")
    begin, lines = 0, text.split("\n")
    ends = [number for number, line in enumerate(lines) if line.strip() == END_OF_TEXT]
    if not ends:
        yield Example("", text, str(path))
        return
    for end in [*ends, len(lines)]:
        document = "\n".join(lines[begin:end]).strip("\r\n")
        if document.strip():
            yield Example("", document, f"{path}:{begin + 1}")
        begin = end + 1
