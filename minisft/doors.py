"""What is given to the library is looked at here, once, as it comes in: nonsense becomes an error instead of a number.

MinisftError says which argument, what is expected, what was received, and what to do. A check takes microseconds.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike

from minisft.config import Numbers
from minisft.errors import MinisftError, quoted

TOKENS = "use ids of the vocabulary"


def refuse(name: str, expected: str, received: Any, advice: str) -> NoReturn:
    """Raises MinisftError, which shows an array by dtype and shape, and anything else by up to 80 characters."""
    array = isinstance(received, np.ndarray) and received.ndim
    shown = f"{received.dtype} of shape {received.shape}" if array else " ".join(repr(received).split())[:80]
    raise MinisftError(f"{name}: expected {expected}, received {shown}; {advice}")


def number(name: str, value: Any, allowed: Numbers) -> None:
    """Refuse what is not one of the allowed numbers."""
    plain = value.item() if isinstance(value, (np.generic, np.ndarray)) and value.ndim == 0 else value
    if wrong := allowed.complaint(plain).rstrip():
        raise MinisftError(f"{name}: {' '.join(repr(plain).split())[:80]} {wrong}")


def of_kind(name: str, value: Any, kind: type | tuple[type, ...], what: str) -> None:
    """A value of one of these classes; `what` says in words how to get one."""
    if not isinstance(value, kind):
        refuse(name, what, value, "look at the order of the arguments")


def one_of(name: str, value: Any, choices: Sequence[str]) -> None:
    """Refuse what is not one of these names."""
    if not (isinstance(value, str) and value in choices):
        raise MinisftError(f"{name}: {quoted(value)} is unknown; choose {', '.join(choices[:-1])} or {choices[-1]}")


def some(name: str, given: Any) -> None:
    """At least one thing, in a list: not the thing itself (a named tuple), nor a generator, used up by reading."""
    if not hasattr(given, "__len__") or hasattr(given, "_fields") or not len(given):
        refuse(name, "a list of at least one", given, "put what there is into a list, and check that there is any")


def indices(name: str, given: Any, size: float = np.inf, advice: str = TOKENS, increasing: bool = False) -> None:
    """Whole numbers (n,) from 0 to size − 1, since NumPy counts negative ones from the end; in order, if increasing."""
    unmasked(name, given)
    array = np.asarray(given)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        refuse(name, "whole numbers in one dimension", array, advice)
    if array.size and not (array.min() >= 0 and array.max() < size):
        refuse(name, f"numbers from 0 to {size - 1}", int(array[(array < 0) | (array >= size)][0]), advice)
    if increasing and (array[1:] <= array[:-1]).any():
        refuse(name, "numbers that increase", array.tolist(), advice)


def unmasked(name: str, given: Any) -> None:
    """Refuse an array with a mask."""
    if isinstance(given, np.ma.MaskedArray):
        refuse(name, "an array without a mask, which would be lost", given, "give what is left of it, or .data")


def starts(given: np.ndarray, size: int) -> None:
    """Where the sequences of a batch of that many rows begin, and where the last one ends: (S + 1,), 0, …, size."""
    advice = "sequence s is rows starts[s]:starts[s + 1], so begin with 0 and end with the number of rows"
    indices("starts", given, size + 1, advice, increasing=True)
    if not len(given) or given[0] != 0 or given[-1] != size:
        refuse("starts", f"numbers from 0 to {size}, both included", list(map(int, given)), advice)


def one_per_row(logits: np.ndarray, targets: ArrayLike, weights: ArrayLike) -> None:
    """Logits (M, V), and for each row a target (M,) from 0 to V − 1 and a weight (M,): nothing is broadcast."""
    if not isinstance(logits, np.ndarray) or logits.dtype.kind not in "fc" or logits.ndim != 2:
        refuse(
            "logits", "an array of real numbers of the shape (M, V)", logits, "give one row for each predicted token"
        )
    M, V = logits.shape
    for name, given in (("targets", targets), ("weights", weights)):
        if np.shape(given) != (M,):
            refuse(name, f"the shape ({M},)", np.asarray(given), "give one for each row of logits")
    indices("targets", targets, V)
    if not (isinstance(weights, np.ndarray) and weights.dtype.kind in "fiub" and np.isfinite(weights).all()):
        refuse("weights", "an array of finite numbers", weights, "give those of data.collate or data.weights")


def parameters(name: str, given: Any, shapes: Mapping, kinds: str = "f") -> None:
    """Refuse all but the tensors of `shapes`, of real numbers; kinds "fc": or complex ones, for gradcheck.

    Where an adapter moves, they may be its own, or those of the model that it is for.
    """
    found = getattr(getattr(given, "base", given), "shapes", {})
    if shapes not in (found, getattr(given, "shapes", {})):
        tensor = min(dict(found.items() ^ shapes.items()))
        one, other = (of.get(tensor, "no such tensor") for of in (shapes, found))
        raise MinisftError(
            f"{name}: the shape of {tensor}: expected {one}, received {other}; use what belongs together"
        )
    if given.flat.dtype.kind not in kinds:
        refuse(name, "real numbers", given.flat, "convert it with astype")
