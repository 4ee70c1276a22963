"""Judging a backward that a student wrote: the complex step decides, and a catalogue of mistakes says what is wrong.

A mistake is a function of a Case that returns {tensor: the gradient it makes}, for the tensors that it spoils.
"""

from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np

from minisft import gradcheck
from minisft.course.grading.arrays import cotangent
from minisft.course.grading.cases import LATEST, expected
from minisft.course.grading.comparison import difference
from minisft.course.grading.intermediates import compared
from minisft.course.grading.verdict import Stumbled, Verdict, kindly, run, same

TOLERANCE = 1e-9  # of the complex step: far above rounding, far below any mistake


class Case(NamedTuple):
    """A layer, its arguments, what its forward left in the cache, and a random cotangent dy of its output."""

    layer: Any
    p: Any
    x: np.ndarray
    rest: tuple
    cache: Any
    dy: Any


def case(layer, rng, p, x, *rest) -> Case:
    y, cache = layer.forward(*given(p), x, *rest)
    return Case(layer, p, x, rest, cache, rng.standard_normal(np.shape(y)))


def given(*params):
    """The parameters among the arguments of a layer: none, if it has none."""
    return [p for p in params if p is not None]


@kindly
@np.errstate(all="ignore")
def judge_backward(answer, cases, mistakes, praise, rng, steps) -> Verdict:
    """Is `answer` the backward of the layer of these cases? If not, which mistakes are its gradients?

    mistakes  {what is wrong, as a sentence: a function of a Case, see above}; the first that agrees is named
    praise    what a right answer has shown
    steps     a function of a Case: {name: value} of the intermediate values, in the order of the derivation
    """
    largest = 0.0
    for c in cases:
        before = None if c.p is None else filled(c.p, rng)
        found = attempt(answer, c, before)
        errors = complex_errors(c, found, rng)
        wrong = [name for name, off in errors.items() if not off <= TOLERANCE]
        way = compared(answer, deepcopy((*given(c.p, before), c.cache, c.dy)), steps(c))
        if wrong:
            return Verdict(False, explained(c, {name: found[name] for name in wrong}, before, mistakes, errors) + way)
        largest = max([largest, *errors.values()])
    agree = "" if "differs" in way else way  # the result is right: a name that differs means something else
    return Verdict(True, f"{praise}; the largest error by the complex step is {largest:.0e}{agree}")


def filled(p, rng):
    """A gradient that is not zero: others have added to it already."""
    g = p.like()
    g.flat[:] = rng.standard_normal(g.flat.size)
    return g


def attempt(answer, c: Case, before) -> dict:
    """{tensor: the gradient that the answer found}; that of a parameter is what it added to g. "input" is dx."""
    p, cache, dy = deepcopy((c.p, c.cache, c.dy))
    g = before and before.copy()
    shapes = [f"{name} {np.shape(value)}" for name, value in (("x", c.x), ("dy", c.dy))]
    try:
        dx = run(lambda *_: (answer(*given(p, g), cache, dy),), *shapes)[0]
    except Stumbled as stumbled:
        if stumbled.args[0] is False:
            expected((*given(c.p, before), c.cache, c.dy), None, LATEST["tried"].got)
        if "is a view of θ" in stumbled.args[1]:
            text = "`g.weight = …` would replace the array of the gradient: add to it, `g.weight += …`"
            raise Stumbled(False, text) from None
        raise
    for name, now, then in (("p", p, c.p), ("the cache", cache, c.cache), ("dy", dy, c.dy)):
        if not (now is then or same(now, then, 0)):
            raise Stumbled(False, f"it changes {name}: work on a copy, others still need it")
    found = {name: g.named[name] - before.named[name] for name in g.named} if g else {}
    return found if has_no_derivative(c.x) else found | {"input": cotangent(dx, c.x)}


def has_no_derivative(x):
    return np.issubdtype(x.dtype, np.integer)


def complex_errors(c: Case, found: dict, rng) -> dict:
    """{tensor: relative error of the gradient found}, by the complex step: the largest along three random directions.

    One direction alone is nearly orthogonal to a small error once in some hundred cases, and would pass it.
    """
    p = c.p and c.p.astype(np.complex128)
    x = c.x.astype(np.complex128) if "input" in found else c.x
    pairs = [(name, x if name == "input" else p.named[name], gradient) for name, gradient in found.items()]

    def f():
        return np.sum(c.dy * c.layer.forward(*given(p), x, *c.rest)[0])

    along = [gradcheck.complex_errors(f, pairs, rng) for _ in range(3)]
    return {name: max(errors[name] for errors in along) for name in found}


def explained(c: Case, wrong: dict, before, mistakes, errors) -> str:
    """What is wrong: the sentences of the catalogue that agree, or else a description of the first wrong tensor."""
    right_g = c.p and c.p.like()
    right = {"input": c.layer.backward(*given(c.p, right_g), c.cache, c.dy)} | (right_g.named if right_g else {})
    expected((*given(c.p, before), c.cache, c.dy), right, wrong)
    named = dict.fromkeys(
        sentence
        for name, gradient in wrong.items()
        if (sentence := recognised(c, name, gradient, right[name], before, mistakes))
    )
    if named:
        return "; ".join(named)
    name = next(iter(wrong))
    return (
        f"{label(name)} is off by {errors[name]:.1e} of its size, by the complex step; "
        f"{difference(wrong[name], right[name], (c.x,))}"
    )


def label(name):
    return {"input": "dx", "q": "dq", "k": "dk", "v": "dv"}.get(name, f"g.{name}")


def recognised(c, name, found, right, before, mistakes):
    """The sentence for one wrong gradient, or None."""
    made = {sentence: spoiled(mistake, c).get(name) for sentence, mistake in mistakes.items()}
    for sentence, gradient in made.items():
        if gradient is not None and same(found, gradient):
            return sentence
    if not np.all(np.isfinite(found)):
        return f"{label(name)} has entries that are not finite"
    if name != "input":
        if not found.any():
            return f"nothing is added to g.{name}"
        held, overwritten = (
            found + before.named[name],
            f"g.{name} is overwritten: add with `+=`, others added to it before",
        )
        if same(held, right):
            return overwritten
        for sentence, gradient in made.items():
            if gradient is not None and same(held, gradient):
                return f"{sentence}; besides, {overwritten}"
    return multiple(name, found, right)


def spoiled(mistake, c):
    try:
        return mistake(c)
    except ValueError:  # sizes that do not fit here: then it cannot be what was done
        return {}


def multiple(name, found, right):
    """Is the gradient a multiple of the right one?"""
    if same(found, right, 1e-4):
        return f"{label(name)} is right to a few digits only: is a float32 or a numerical derivative in the way?"
    ratio = (found * right).sum() / (right * right).sum()
    if not found.any():
        return f"{label(name)} is zero everywhere"
    if same(found, -right):
        return f"the sign of {label(name)} is turned"
    return f"{label(name)} is {ratio:.4g} times the derivative" if same(found, ratio * right) else None
