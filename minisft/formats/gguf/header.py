"""The header of a GGUF file, the format of llama.cpp, walked from front to back.

    "GGUF"  version  counts  {key: value}  {name: shape, type, offset of a tensor}  data

Any length in a damaged file may lie: each is compared with what is left of the file before it is believed.
"""

import os

import numpy as np

from minisft.errors import MinisftError

NUMBERS = dict(enumerate(("u1", "i1", "<u2", "<i2", "<u4", "<i4", "<f4", "?", None, None, "<u8", "<i8", "<f8")))
STRING, ARRAY = 8, 9  # the kinds of values that are no numbers


class Walk:
    """The header of a file, from front to back. Raises MinisftError where it says what cannot be."""

    def __init__(self, file, path):
        self.file, self.path = file, path
        self.position, self.size = 0, os.fstat(file.fileno()).st_size

    def damaged(self, what):
        return MinisftError(
            f"{self.path}: {what} (byte {self.position}); it is cut off, damaged or no GGUF file: copy it again"
        )

    def take(self, count) -> bytes:
        if count > self.size - self.position:
            raise self.damaged(f"{count} bytes should follow, but {self.size - self.position} do")
        self.position += count
        return self.file.read(count)

    def whole(self, size=8) -> int:
        return int.from_bytes(self.take(size), "little")

    def text(self) -> str:
        try:
            return self.take(self.whole()).decode()
        except UnicodeDecodeError:
            raise self.damaged("a text that is not UTF-8") from None

    def name(self) -> str:
        text = self.text()
        if len(text) > 256 or not text.isprintable():
            raise self.damaged("a name that cannot be one")
        return text

    def value(self, kind, count=None):
        """A number, True, False, a text; with a count, a list of texts or an array of numbers."""
        if kind == ARRAY and count is None:
            return self.value(self.whole(4), self.whole())
        if kind == STRING:  # each takes bytes of the file, so a count that lies comes to its end
            return self.text() if count is None else [self.text() for _ in range(count)]
        if not NUMBERS.get(kind):
            raise self.damaged(f"a value of the unknown kind {kind}")
        many = np.frombuffer(
            self.take(np.dtype(NUMBERS[kind]).itemsize * (1 if count is None else count)), NUMBERS[kind]
        )
        return many if count is not None else many[0].item()

    def header(self) -> tuple[dict, dict]:
        """{key: value} and {name: (shape, number of its type, offset)}, of tensors."""
        if self.take(4) != b"GGUF" or self.whole(4) not in (2, 3):
            raise self.damaged("does not begin as a GGUF file of version 2 or 3")
        count, keys = self.whole(), self.whole()
        fields, entries = {}, {}
        for _ in range(keys):
            key = self.name()
            if key in fields:
                raise self.damaged(f"the key {key} once more")
            fields[key] = self.value(self.whole(4))
        for _ in range(count):
            name, dimensions = self.name(), self.whole(4)
            if name in entries or not 1 <= dimensions <= 4:
                raise self.damaged(f"tensor {name} once more, or with {dimensions} dimensions")
            entries[name] = tuple(self.whole() for _ in range(dimensions))[::-1], self.whole(4), self.whole()
        return fields, entries
