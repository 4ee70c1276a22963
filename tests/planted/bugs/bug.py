"""One wrong line."""

from typing import NamedTuple


class Bug(NamedTuple):
    name: str
    what: str
    file: str  # below minisft/
    old: str
    new: str
    known_from: str
    tests: str = ""
