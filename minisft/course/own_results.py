"""What one call of a student's function gave, compared with the library's: numbers, kind, and whose memory it is."""

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np

from minisft import data
from minisft.params import Branch

TOLERANCE = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 1e-3}  # above rounding, below any mistake
CANCELLED = 1e3  # how much larger the terms of a sum in attention may be than the sum


def results(found, wanted, g, theirs, before):
    """(name, the student's, the library's, what sets the size) of what is returned and of what was added to g."""
    if isinstance(wanted, data.Batch):
        for name in ("ids", "targets", "weights", "starts"):
            yield name, getattr(found, name), getattr(wanted, name), getattr(wanted, name)
    elif isinstance(wanted, tuple):  # of one head: where the parts of a sum cancel, rounding is that of the parts
        if not isinstance(found, (tuple, list)) or len(found) != len(wanted):
            raise ValueError("three arrays are wanted: dq, dk, dv")
        parts = CANCELLED * np.stack(wanted)
        yield from ((name, np.asarray(a), b, parts) for name, a, b in zip(("dq", "dk", "dv"), found, wanted))
    elif wanted is not None:
        yield "what it returns", np.asarray(found), wanted, wanted
    for (name, mine), (_, right), (_, then) in zip(leaves(g), leaves(theirs), leaves(before)):
        yield f"g.{name}", mine - then, right - then, np.stack((right, then))


def distance(found, wanted, size) -> float:
    """The largest difference, in each row in parts of its largest number: a small row is compared as a large one is.

    But for rounding: no row counts as smaller than what rounding leaves of the largest number of `size`.
    """
    of_rows = np.abs(wanted).max(-1, keepdims=True, initial=0) if np.ndim(wanted) else np.abs(wanted)
    tolerance, largest = TOLERANCE.get(np.asarray(wanted).dtype, 0), np.abs(size).max(initial=0)
    if not tolerance:  # whole numbers
        return float(not np.array_equal(found, wanted))
    rounding = 50 * np.finfo(wanted.dtype).eps / tolerance * largest
    return float((np.abs(found - wanted) / (np.maximum(of_rows, rounding) + (largest == 0))).max(initial=0))


def poorer(found, wanted) -> bool:
    """Is it of a kind of number that holds less than the library's, or another?"""
    return wanted.dtype.kind == "f" and (found.dtype.kind != "f" or found.dtype.itemsize < wanted.dtype.itemsize)


def arrays(value, name="") -> Iterator[tuple[str, np.ndarray]]:
    """The arrays in an argument, each with the name to call it by."""
    if isinstance(value, np.ndarray):
        yield name, value
    elif isinstance(value, tuple):
        for part in value:
            yield from arrays(part, name)
    else:
        yield from ((f"{name}.{key}", array) for key, array in leaves(value))


def leaves(branch, name=""):
    for key, value in vars(branch).items() if isinstance(branch, (Branch, SimpleNamespace)) else ():
        if isinstance(value, np.ndarray):
            yield f"{name}{key}", value
        elif isinstance(value, (Branch, SimpleNamespace)):
            yield from leaves(value, f"{name}{key}.")


def copied(branch):
    """The same tree with arrays of its own; None where there is none."""
    if isinstance(branch, (Branch, SimpleNamespace)):
        return SimpleNamespace(**{key: copied(value) for key, value in vars(branch).items()})
    return branch.copy() if isinstance(branch, np.ndarray) else branch


def restore(g, values):
    for (_, array), (_, value) in zip(leaves(g), leaves(values)):
        array[...] = value
