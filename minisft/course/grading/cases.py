"""The case on which an answer was last judged wrong, to play with: `check.case()`."""

from copy import deepcopy
from typing import Any, NamedTuple

from minisft.errors import MinisftError


class Failing(NamedTuple):
    """`answer(*arguments)` gave `got`, or raised it; `expected` is None where a property was tried, not one value."""

    arguments: tuple
    expected: Any
    got: Any


LATEST: dict[str, Failing] = {}  # under "tried" the last call of an answer, under "wrong" the last that was judged so


def case() -> Failing:
    """The case that the last check found wrong, in copies. Raises MinisftError if none has yet."""
    if "wrong" not in LATEST:
        raise MinisftError("check.case(): no answer has been judged wrong yet; run a check first")
    return copied(LATEST["wrong"])


def tried(arguments, got) -> None:
    LATEST["tried"] = Failing(tuple(arguments), None, got)


def expected(arguments, value, got) -> None:
    """This case is the wrong one, and this value was wanted."""
    LATEST["tried"] = Failing(tuple(arguments), value, got)


def was_wrong() -> None:
    if "tried" in LATEST:
        LATEST["wrong"] = copied(LATEST["tried"])


def copied(value):
    try:
        return deepcopy(value)
    except Exception:  # a generator, a lock, a module: what cannot be copied is handed out itself
        return value
