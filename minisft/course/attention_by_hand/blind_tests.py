"""Tests of gradients that see nothing: inputs at which a wrong gradient passes."""

import numpy as np

from minisft import gradcheck
from minisft.course.attention_by_hand.head import softmax
from minisft.course.grading.arrays import array, several
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Stumbled, Verdict, run
from minisft.layers import rmsnorm

BLIND = 1e-8  # a gap that passes for rounding


def gap(forward, x, dx, dy, rng):
    """|⟨dx, ẋ⟩ − slope of ⟨dy, forward(x)⟩ along ẋ| / ‖dy‖, for one random direction ẋ, by the complex step."""
    direction, twin = rng.standard_normal(x.shape), x.astype(complex)
    slope = gradcheck.complex_slope(lambda: (dy * forward(twin)).sum(), twin, direction)
    return float(abs((dx * direction).sum() - slope) / np.linalg.norm(dy))


def zeros_gap(dP, rng):
    """Of a softmax whose backward returns zeros."""
    S = rng.standard_normal(dP.shape)
    return gap(softmax, S, np.zeros_like(S), dP, rng)


def mean_gap(S, rng):
    """Of a softmax whose backward subtracts the mean of dP, not δ."""
    dP = rng.standard_normal(S.shape)
    return gap(softmax, S, softmax(S) * (dP - dP.mean(-1, keepdims=True)), dP, rng)


def gain_gap(w, rng):
    """Of RMSNorm with its gain pulled out of the sum over channels."""
    p, (_, eps) = rmsnorm.example(rng)
    twin, (x, dy) = p.astype(complex), rng.standard_normal((2, 5, 6))
    p.weight[...] = twin.weight[...] = w
    r, n = rmsnorm.forward(p, x, eps)[1]
    dx = r * w * (dy - n * np.vecdot(dy, n, keepdims=True) / 6)
    return gap(lambda x: rmsnorm.forward(twin, x, eps)[0], x, dx, dy, rng)


TESTS = (  # name, shape, its gap, what makes it blind
    ("dP", (4, 6), zeros_gap, "a constant in every row: Σ P = 1 does not move"),
    ("S", (4, 6), mean_gap, "equal logits in every row: P is uniform, and the mean of dP is δ"),
    ("w", (6,), gain_gap, "equal gains: then they can be pulled out of the sum"),
)


def blind_spot(name, value, shape) -> str | None:
    """Why these inputs are none that were asked for, or None."""
    if np.shape(value) != shape:
        return f"{name} has the shape {np.shape(value)}; asked for is {shape}"
    if not np.all(np.isfinite(value)):
        return f"{name} has entries that are not finite: then the slope is none, and nothing has been tested"
    if not np.any(value):
        return f"{name} is zero everywhere: that is too blind; give numbers"
    if np.abs(value).max() < 0.1:
        return f"{name} is so small that rounding hides the mistake, not the mathematics: make it of order 1"
    if name == "w":
        return "a gain of 1 was shown above: find another blind point" if np.any(np.isclose(value, 1)) else None
    return f"{name} is the same number everywhere: give rows of different numbers" if np.ptp(value) < 1e-3 else None


@exercise
def blind(answer, seed=None):
    """The inputs dP, S, w of three tests, each of which then passes on a wrong gradient; all else is random."""
    rng = np.random.default_rng(seed)
    result = several(run(answer), len(TESTS), "it does not return three arrays: dP, S, w")
    measured = []
    for (name, shape, test, why), value in zip(TESTS, result):
        value = array(value, f"{name} is not an array of numbers")
        if objection := blind_spot(name, value, shape):
            raise Stumbled(False, objection)
        off, honest = test(value, rng), max(test(rng.standard_normal(shape), rng) for _ in range(5))
        if off > BLIND:
            raise Stumbled(
                False, f"with your {name} the wrong gradient is found: the gap is {off:.1e}; {hint(name, value)}"
            )
        measured.append(f"{name} ({why}): gap {off:.0e}, in five honest tests up to {honest:.1g}")
    return Verdict(True, "three wrong gradients pass. " + "; ".join(measured))


def hint(name, value):
    if name == "w":
        return "the gain may leave the sum only if it does not vary inside it"
    if np.allclose(value, value[:1]):
        return f"the columns of your {name} are constant; the softmax runs along the rows"
    return {
        "dP": "for which dP is ⟨dP, P⟩ constant, whatever P is?",
        "S": "for which P is δ = Σ P ⊙ dP the mean of dP?",
    }[name]
