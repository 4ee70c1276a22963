"""The header of a GGUF file, the format of llama.cpp, walked from front to back.

    "GGUF"  version  counts  {key: value}  {name: shape, type, offset of a tensor}  data

Any length in a damaged file may lie, so each is compared with what is left of the file before it is believed.
"""

import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from minisft.errors import MinisftError, one_line

NUMBERS = dict(enumerate(("u1", "i1", "<u2", "<i2", "<u4", "<i4", "<f4", "?", None, None, "<u8", "<i8", "<f8")))
STRING, ARRAY = 8, 9  # the kinds of values that are not numbers

Entry = tuple[tuple[int, ...], int, int]  # of a tensor: its shape, the number of its type, its offset


class Walk:
    """The header of a file, from front to back. Raises MinisftError where it says something impossible."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file, self.path = file, path
        self.position, self.size = 0, os.fstat(file.fileno()).st_size

    def damaged(self, what: str) -> MinisftError:
        return MinisftError(
            f"{self.path}: {what} (byte {self.position}); it is cut off, damaged or not a GGUF file: copy it again"
        )

    def take(self, count: int) -> bytes:
        if count > self.size - self.position:
            raise self.damaged(f"{count} bytes should follow, but {self.size - self.position} do")
        self.position += count
        return self.file.read(count)

    def whole(self, size: int = 8) -> int:
        return int.from_bytes(self.take(size), "little")

    def text(self) -> str:
        try:
            return self.take(self.whole()).decode()
        except UnicodeDecodeError:
            raise self.damaged("contains a text that is not UTF-8") from None

    def name(self) -> str:
        text = self.text()
        if len(text) > 256 or not text.isprintable():
            raise self.damaged("contains a name that is too long or not printable")
        return text

    def value(self, kind: int, count: int | None = None) -> Any:
        """A number, True, False or a text; with a count, a list of texts or an array of numbers."""
        if kind == ARRAY and count is None:
            return self.value(self.whole(4), self.whole())
        if kind == STRING:  # each takes bytes of the file, so a count that lies soon meets its end
            return self.text() if count is None else [self.text() for _ in range(count)]
        code = NUMBERS.get(kind)
        if not code:
            raise self.damaged(f"contains a value of the unknown kind {kind}")
        many = np.frombuffer(self.take(np.dtype(code).itemsize * (1 if count is None else count)), code)
        return many if count is not None else many[0].item()

    def header(self) -> tuple[dict[str, Any], dict[str, Entry]]:
        """{key: value}, and of the tensors {name: (shape, number of the type, offset)}."""
        if self.take(4) != b"GGUF" or self.whole(4) not in (2, 3):
            raise self.damaged("does not begin as a GGUF file of version 2 or 3")
        count, keys = self.whole(), self.whole()
        fields: dict[str, Any] = {}
        entries: dict[str, Entry] = {}
        for _ in range(keys):
            key = self.name()
            if key in fields:
                raise self.damaged(f"contains the key {one_line(key)} twice")
            fields[key] = self.value(self.whole(4))
        for _ in range(count):
            name, dimensions = self.name(), self.whole(4)
            if name in entries or not 1 <= dimensions <= 4:
                raise self.damaged(f"contains tensor {one_line(name)} twice, or with {dimensions} dimensions")
            entries[name] = tuple(self.whole() for _ in range(dimensions))[::-1], self.whole(4), self.whole()
        return fields, entries
