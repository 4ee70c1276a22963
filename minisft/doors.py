"""What is given to the library is looked at here, once, as it comes in: nonsense becomes an error instead of a number.

A check takes microseconds, and no layer repeats it. MinisftError says which argument, what is expected, what was
received, and what to do.
"""

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike

from minisft.config import Numbers
from minisft.errors import MinisftError


def refuse(name: str, expected: str, received: Any, advice: str) -> NoReturn:
    """An array is shown by its dtype and shape, anything else as it prints, up to 80 characters."""
    array = isinstance(received, np.ndarray) and received.ndim
    shown = f"{received.dtype} of shape {received.shape}" if array else " ".join(repr(received).split())[:80]
    raise MinisftError(f"{name}: expected {expected}, received {shown}; {advice}")


def number(name: str, value: Any, allowed: Numbers) -> None:
    plain = value.item() if isinstance(value, (np.generic, np.ndarray)) and value.ndim == 0 else value
    if wrong := allowed.complaint(plain):
        raise MinisftError(f"{name}: {' '.join(repr(plain).split())[:80]} {wrong}")


def one_of(name: str, value: Any, choices: Sequence[str]) -> None:
    if not (isinstance(value, str) and value in choices):
        raise MinisftError(f"{name}: {value!r} is unknown; choose {', '.join(choices[:-1])} or {choices[-1]}")


def some(name: str, given: Any) -> None:
    """A list of at least one thing: not the thing itself (a named tuple), nor a generator, used up by reading."""
    if not isinstance(given, (list, tuple)) or hasattr(given, "_fields") or not given:
        refuse(name, "a list of at least one", given, "put what you have into a list")


def indices(name: str, given: ArrayLike, size: int, advice: str = "give ids of this model's vocabulary") -> None:
    """Whole numbers (n,) from 0 to size − 1; NumPy would count negative ones from the end."""
    array = np.asarray(given)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        refuse(name, "whole numbers in one dimension", array, advice)
    if array.size and not (array.min() >= 0 and array.max() < size):
        wrong = array[(array < 0) | (array >= size)][0]
        refuse(name, f"whole numbers from 0 to {size - 1}", int(wrong), advice)


def increasing(name: str, given: ArrayLike, advice: str) -> None:
    array = np.asarray(given)
    if (array[1:] <= array[:-1]).any():
        refuse(name, "increasing numbers, each larger than the one before", array.tolist(), advice)


def starts(given: np.ndarray, size: int) -> None:
    """Where the sequences of a batch of that many rows begin, and where the last one ends: 0, …, size."""
    advice = "sequence s is rows starts[s]:starts[s + 1], so give 0, the end of each sequence, and nothing else"
    indices("starts", given, size + 1, advice)
    if not len(given) or given[0] != 0 or given[-1] != size:
        refuse("starts", f"numbers from 0 to {size}, the number of rows, both included", given.tolist(), advice)
    increasing("starts", given, advice)


def one_per_row(logits: np.ndarray, targets: ArrayLike, weights: ArrayLike) -> None:
    """Logits (M, V), and for each row a target (M,) from 0 to V − 1 and a weight (M,): nothing is broadcast."""
    if logits.ndim != 2:
        refuse("logits", "the shape (M, V), a row for each predicted token", logits, "flatten all other axes into M")
    M, V = logits.shape
    for name, given in (("targets", targets), ("weights", weights)):
        if np.shape(given) != (M,):
            refuse(
                name, f"the shape ({M},), one for each row of logits", np.asarray(given), "pick the same rows of all"
            )
    indices("targets", targets, V)


def same_shapes(name: str, given: Any, shapes: dict) -> None:
    """Parameters with exactly the tensors that `shapes` lists."""
    received = getattr(given, "shapes", None)
    if received is None:
        refuse(name, "parameters (Params)", given, "make them with checkpoint.load, model.init or Params")
    if received != shapes:
        tensor = min(dict(received.items() ^ shapes.items()))
        expected, found = (of.get(tensor, "no such tensor") for of in (shapes, received))
        raise MinisftError(
            f"{name}: the shape of {tensor}: expected {expected}, received {found}; use what belongs to one model"
        )


def real(name: str, given: Any) -> None:
    if given.flat.dtype.kind != "f":
        refuse(name, "real numbers", given.flat, "convert it with astype; complex parameters are for gradcheck only")
