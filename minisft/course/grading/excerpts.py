"""What a sentence quotes of an answer that stopped: its own lines, and the arguments it was given."""

import inspect
import sysconfig
import traceback
from pathlib import Path

import numpy as np

import minisft
from minisft.errors import one_line

PLACES = sysconfig.get_paths()
LIBRARIES = (str(Path(minisft.__file__).parent), PLACES["stdlib"], PLACES["purelib"], PLACES["platlib"], "<frozen")


def own_lines(error) -> str:
    """The lines of the answer that led to an error, the last three, each with its number; not those of libraries."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(LIBRARIES)]
    lines = dict.fromkeys(f"\n    line {frame.lineno}: {frame.line or ''}".rstrip() for frame in frames)
    return "".join(list(lines)[-3:])


def with_arguments(answer, arguments) -> str:
    try:
        names = [f"{name} = " for name in inspect.signature(answer).parameters]
    except Exception:  # there is none; or, from Python 3.14 on, what it notes of a type is the name of nothing
        names = []
    names += [""] * len(arguments)
    shown = ", ".join(f"{name}{described(argument)}{values(argument)}" for name, argument in zip(names, arguments))
    return f"\n    arguments: {shown}" if shown else ""


def values(argument) -> str:
    """The numbers of a small array."""
    small = isinstance(argument, np.ndarray) and argument.size <= 8
    return f" {np.array2string(argument, precision=4, separator=', ')}".replace("\n", "") if small else ""


def described(value):
    try:
        return f"array {value.shape}" if isinstance(value, np.ndarray) else one_line(repr(value), 40)
    except Exception:  # a __repr__ of the answer's own
        return f"a {type(value).__name__}"
