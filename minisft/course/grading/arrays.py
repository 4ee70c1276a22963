"""An answer as arrays of numbers, or a sentence that says what is wanted instead."""

import functools

import numpy as np

from minisft.course.grading.verdict import Stumbled, numbers
from minisft.params import Params


def numeric(answer):
    """The answer, its result made an array of numbers; where that is impossible, the error says so."""

    @functools.wraps(answer)
    def converted(*arguments):
        result = answer(*arguments)
        if result is None or result is ...:
            return result
        try:
            return numbers(result)
        except (TypeError, ValueError) as error:
            raise TypeError(f"it gives a {type(result).__name__}, where numbers are wanted: {error}") from None

    return converted


def array(value, otherwise: str) -> np.ndarray:
    """The value as an array of float64. Raises Stumbled with the sentence `otherwise` if it is not made of numbers."""
    try:
        return numbers(value)
    except (TypeError, ValueError):
        raise Stumbled(False, otherwise) from None


def several(result, count: int, otherwise: str):
    """The result, if it is a tuple or list of so many. Raises Stumbled with the sentence `otherwise` if it is not."""
    if not isinstance(result, (tuple, list)) or len(result) != count:
        raise Stumbled(False, otherwise)
    return result


def arrays(result, names) -> list[np.ndarray]:
    """An array of float64 for each name. Raises Stumbled if the result is anything else."""
    several(result, len(names), f"it should return {len(names)} arrays: {', '.join(names)}")
    return [array(value, f"each of {', '.join(names)} should be an array of numbers") for value in result]


def cotangent(dx, x) -> np.ndarray:
    """What a backward returns, as an array of the shape of x. Raises Stumbled if it is not one."""
    if dx is ...:
        raise Stumbled(None, "not written yet: replace the `...`")
    if dx is None:
        raise Stumbled(False, "it returns nothing: dx, the cotangent of the layer below, is missing")
    dx = array(dx, f"it returns a {type(dx).__name__} where dx, an array like x, is wanted")
    if dx.shape != x.shape:
        raise Stumbled(False, f"dx has the shape {dx.shape}; as the derivative by x it has that of x, {x.shape}")
    return dx


def three_cotangents(result, shape) -> dict[str, np.ndarray]:
    """{"q": dq, "k": dk, "v": dv}. Raises Stumbled if they are not three arrays of this shape."""
    try:
        found = dict(zip("qkv", (np.asarray(value, dtype=float) for value in result), strict=True))
    except (TypeError, ValueError):
        raise Stumbled(False, "it does not return three arrays: dq, dk, dv") from None
    for name, value in found.items():
        if value.shape != shape:
            raise Stumbled(False, f"d{name} has the shape {value.shape}; that of {name} is {shape}")
    return found


def two_vectors(result, size: int) -> np.ndarray:
    """The first two of the three things returned, vectors of this size, as an array (2, size)."""
    several(result, 3, "three things are asked for: return gradient_x, gradient_y, angle")
    flat = [np.asarray(g.flat if isinstance(g, Params) else g) for g in result[:2]]
    if any(g.shape != (size,) for g in flat):
        shapes = " and ".join(str(g.shape) for g in flat)
        raise Stumbled(False, f"the shapes are {shapes}; a gradient is one vector, grad.flat, {(size,)}")
    return np.stack(flat)
