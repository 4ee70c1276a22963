"""Is backward the derivative of forward? Used by the tests, by the command line, and by students on their own layers.

For a function f, a point θ and a random direction θ̇ (theta dot), calculus says

    ⟨∇f(θ), θ̇⟩ = lim_{τ → 0} (f(θ + τθ̇) − f(θ − τθ̇)) / 2τ

Backward gives the left side, two forwards give the right side. A layer returns an array y, not a number: a random
cotangent dy makes a number of it, f = ⟨dy, y⟩. Never use ones: the rows of a softmax sum to 1, so ones would make f
constant, and a backward that returns zeros would pass.

The error of the difference is τ²f‴/6 from the curve plus ρ|f|/τ from rounding, ρ = 2.2e-16; in float64 both are far
below 1e-6 for a step of length 1e-5, if the numbers involved are of order 1. A step into the complex plane has neither:

    ⟨∇f(θ), θ̇⟩ = Im f(θ + iτθ̇) / τ + O(τ²)

Nothing is subtracted, so τ may be 1e-30 and the slope is exact up to rounding. It needs a forward made only of analytic
functions: without abs, and without comparing complex numbers (Squire and Trapp, SIAM Review, 1998).
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

STEP = 1e-5  # length of the step, over all entries of the tensor together


def slope(f: Callable[[], float], value: np.ndarray, direction: np.ndarray, step: float = STEP) -> float:
    """Numerical derivative of f() at `value`, which f reads, along a direction of the shape of it; it is put back."""
    kept = value.copy()
    value[...] = kept + step * direction
    above = f()
    value[...] = kept - step * direction
    below = f()
    value[...] = kept
    return (above - below) / (2 * step)


def complex_slope(f: Callable[[], complex], value: np.ndarray, direction: np.ndarray, step: float = 1e-30) -> float:
    """Derivative of f() at `value`, complex with imaginary part 0, along a direction of the shape of it."""
    value.imag = step * direction
    slope = f().imag / step
    value.imag = 0
    return slope


def relative(gradient: np.ndarray, direction: np.ndarray, numeric: float) -> float:
    """How far ⟨gradient, direction⟩, two arrays of the shape of θ, is from the slope; 0: perfect, 1: unrelated.

    Along a standard normal direction the slope is typically as large as the gradient's norm: this is the measure.
    """
    exact = (gradient * direction).sum()
    if not (np.isfinite(numeric) and np.isfinite(exact)):
        return np.inf  # NaN is not larger than any tolerance, so it would pass
    size = max(float(np.linalg.norm(gradient)), abs(numeric))
    return float(abs(exact - numeric) / size) if size > 0 else 0.0


def error(f: Callable[[], float], value: np.ndarray, gradient: np.ndarray, rng: np.random.Generator) -> float:
    """Relative error of `gradient` (the shape of `value`) along one random direction."""
    direction = rng.standard_normal(value.shape)
    length = float(np.linalg.norm(direction))
    return relative(gradient, direction, slope(f, value, direction / length) * length)


def errors(
    f: Callable[[], float], pairs: Iterable[tuple[str, np.ndarray, np.ndarray]], rng: np.random.Generator
) -> dict[str, float]:
    """{name: relative error} for all (name, value, gradient of the shape of value); f() is what all values lead to."""
    return {name: error(f, value, gradient, rng) for name, value, gradient in pairs}


def complex_errors(
    f: Callable[[], complex], pairs: Iterable[tuple[str, np.ndarray, np.ndarray]], rng: np.random.Generator
) -> dict[str, float]:
    """The same by the complex step: values are complex, with imaginary part 0, and gradients of the shape of them."""
    result = {}
    for name, value, gradient in pairs:
        direction = rng.standard_normal(value.shape)
        result[name] = relative(gradient, direction, complex_slope(f, value, direction))
    return result


def layer_errors(layer: Any, rng: np.random.Generator, exact: bool = False) -> dict[str, float]:
    """{name: relative error} of one layer (a module with forward, backward, example): each parameter and the input.

    exact  False: by the central difference; True: by the complex step
    """
    p, (x, *rest) = layer.example(rng)
    y, cache = layer.forward(*([] if p is None else [p]), x, *rest)
    dy = rng.standard_normal(np.shape(y))
    g = p and p.like()
    dx = layer.backward(cache, dy) if p is None else layer.backward(p, g, cache, dy)
    if exact:
        p, x = p and p.astype(np.complex128), x if dx is None else x.astype(np.complex128)
    pairs = [(name, p.named[name], g.named[name]) for name in p.named] if p else []
    if dx is not None:  # None: the input is token ids, which have no derivative
        pairs.append(("input", x, dx))

    def f() -> Any:  # a float, or a complex number
        return (dy * layer.forward(*([] if p is None else [p]), x, *rest)[0]).sum()

    return (complex_errors if exact else errors)(f, pairs, rng)


def check(layer: Any, rng: np.random.Generator, rtol: float = 1e-6) -> None:
    """Raises AssertionError naming the tensor if a derivative of the layer is off by more than rtol."""
    for name, off in layer_errors(layer, rng).items():
        assert off <= rtol, f"{layer.__name__}: the derivative with respect to {name} is off by {off:.1e} of its size"
