"""What can go from one process to another: classes of the library, and stand-ins for what stays where it is."""

import importlib
import re
import sys
from typing import Any

LARGEST = 1 << 25  # bytes of all arrays of a message
LONGEST = 1 << 22  # bytes of its lists, numbers and texts
ENTRIES = 100_000  # of an iterator
DEEPEST = 60  # containers in containers
DTYPE = re.compile(r"[<>|=]?(b1|[iuf][1248]|f16|c(8|16|32)|[US]\d{1,6})")
RECORDS = {"ModelConfig": "config", "TrainConfig": "config", "Sequence": "data", "Batch": "data"}
OBJECTS = {"State": "train", "AdamW": "optim", "SGD": "optim"}  # what a run carries along
NAME = re.compile(r"[A-Za-z]\w{0,60}")


class Broken(Exception):
    """The other side sent what is no message, or nothing any more."""


class Unfit(Exception):
    """A value that cannot be sent, with the reason."""


class Remote:
    """A function, or a thing, of the other side; `vars` of it are what a thing holds."""

    def __init__(self, link: Any, number: int, name: str) -> None:
        self.__dict__["__link"] = (link, number, name)

    def __deepcopy__(self, memo: dict) -> "Remote":
        return self

    def __repr__(self) -> str:
        return f"a {self.__dict__['__link'][2]}"


class RemoteFunction(Remote):
    def __call__(self, *arguments: Any) -> Any:
        link, number, *_ = self.__dict__["__link"]
        return link.call(number, arguments)


def ours(kind: type) -> str:
    """The name of a class of the library that can be sent, or "". What has not been imported is not loaded for this."""
    name = kind.__name__
    module = {**RECORDS, **OBJECTS, "Params": "params"}.get(name)
    return name if module and kind is getattr(sys.modules.get(f"minisft.{module}"), name, None) else ""


def the(name: str, among: dict[str, str] | None = None) -> type:
    """The class of that name, loaded when it is first needed. Raises KeyError if it cannot be sent."""
    return getattr(importlib.import_module(f"minisft.{({'Params': 'params'} if among is None else among)[name]}"), name)


def filled(kind: type, attributes: dict) -> Any:
    """An object of this class with these attributes, without running its __init__."""
    made: Any = object.__new__(kind)
    vars(made).update(attributes)
    return made


def shallow(value: Any) -> list:
    if isinstance(value, list):
        return list(value)
    pairs = value if isinstance(value, dict) else vars(value)
    return [part for pair in pairs.items() for part in pair]
