"""How exact a numerical derivative is at every step: the experiment of notebook 04, section 2, on SwiGLU's input."""

from typing import NamedTuple

import numpy as np

from minisft import gradcheck
from minisft.layers import swiglu

DIFFERENCES = 10.0 ** np.arange(-1, -14.1, -0.5)  # steps of the central difference
COMPLEX_STEPS = 10.0 ** np.arange(-1, -30.1, -1)
ROUNDING = np.finfo(float).eps  # ρ


class Errors(NamedTuple):
    """All in parts of the size of the gradient, as medians over the cases."""

    differences: np.ndarray  # the error at each of DIFFERENCES
    complex_steps: np.ndarray  # the error at each of COMPLEX_STEPS
    third: float  # |f‴|, along a direction of length 1
    value: float  # |f|

    def best(self):
        """The step at which τ² |f‴| / 6 + ρ |f| / τ is smallest, and that sum there."""
        step = (3 * ROUNDING * self.value / self.third) ** (1 / 3)
        return step, self.curve(step) + self.rounding(step)

    def curve(self, step):
        return step**2 * self.third / 6

    def rounding(self, step):
        return ROUNDING * self.value / step


def errors_by_step(cases):
    """Random cases, each with a random cotangent and a random direction of length 1."""
    trials = zip(*map(trial, range(cases)))
    return Errors(*(np.median(column, axis=0) for column in trials))


def trial(seed):
    """The errors of one case; f‴ is what a complex step is off by that is so large that its square shows."""
    rng = np.random.default_rng(seed)
    p, (x,) = swiglu.example(rng)
    y, cache = swiglu.forward(p, x)
    dy, direction = rng.standard_normal(y.shape), rng.standard_normal(x.shape)
    length, dx, twin = np.linalg.norm(direction), swiglu.backward(p, p.like(), cache, dy), x.astype(complex)

    def f(x):
        return (dy * swiglu.forward(p, x)[0]).sum()

    def by_difference(step):
        return length * gradcheck.slope(lambda: f(x), x, direction / length, step)

    def by_complex_step(step):
        return length * gradcheck.complex_slope(lambda: f(twin), twin, direction / length, step)

    ways = (by_difference, DIFFERENCES), (by_complex_step, COMPLEX_STEPS)
    errors = [[gradcheck.relative(dx, direction, slope(step)) for step in steps] for slope, steps in ways]
    third = 6 * ((dx * direction).sum() - by_complex_step(1e-2)) / 1e-4
    return *errors, abs(third) / np.linalg.norm(dx), abs(f(x)) * length / np.linalg.norm(dx)
