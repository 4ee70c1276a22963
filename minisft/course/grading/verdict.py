"""What a check returns, a Verdict, and how it runs an answer.

An answer that is not written yet, raises, never ends, returns nothing or changes its arguments is met with a sentence,
never with a traceback: a check runs it with `run`, and stands under `kindly`. A quiz compares a prediction with what
was measured.
"""

import functools
import time
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import is_dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np

from minisft.course.grading.cases import tried
from minisft.course.grading.excerpts import described, own_lines, with_arguments
from minisft.course.grading.limits import ALLOWANCE, SECONDS, Overtime, within
from minisft.data import Batch
from minisft.errors import BREAKS, one_line, visible
from minisft.formats.markup import escaped
from minisft.params import Params

SIGNS = {True: "✓", False: "✗", None: "◌"}
HAPPENED = "What happened:"
MUTABLE = (np.ndarray, Params, Batch, list, dict, tuple, set)  # arguments that an answer might change
ENDLESS = 1_000_000  # entries of an iterator


class Verdict(NamedTuple):
    """right: True, False, or None as long as there is nothing to judge; text: the sentence that says why."""

    right: bool | None
    text: str

    def __repr__(self):
        return f"{SIGNS[self.right]} {visible(self.text, BREAKS)}"

    def _repr_html_(self):
        """What happened stays folded until there is a prediction, or the reader opens it. None: it is shown as text."""
        asked, found, happened = repr(self).partition(HAPPENED)
        if self.right is not None or not found:
            return None
        return f"{escaped(asked)}<details><summary>{HAPPENED}</summary>{escaped(happened)}</details>"


class Stumbled(Exception):
    """An answer that could not be judged; `args` are those of its Verdict."""


def kindly(check):
    """A check whose answers may stumble: then that is its verdict. What cannot even be compared is met likewise."""

    @functools.wraps(check)
    def kind(*arguments, **options):
        try:
            return check(*arguments, **options)
        except Stumbled as stumbled:
            return Verdict(*stumbled.args)
        except (Exception, SystemExit) as error:
            return Verdict(False, f"what it returns cannot be judged, {type(error).__name__}: {one_line(error)}")

    return kind


ANSWERING: ContextVar[bool] = ContextVar("an answer is running", default=False)


def no_answer(tool):
    """A function that a notebook uses and an exercise asks for: an answer that calls it is told so."""

    @functools.wraps(tool)
    def used(*arguments):
        if ANSWERING.get():
            raise Stumbled(False, f"check.{tool.__name__} is the check's own: write yours")
        return tool(*arguments)

    return used


def run(answer, *arguments):
    """answer(*arguments), on copies. Raises Stumbled: not written, raises, takes too long, returns nothing, changes an
    argument. An iterator that it returns is made a list.
    """
    if not callable(answer):
        raise Stumbled(False, f"an answer is a function; this is {described(answer)}")
    given = [deepcopy(argument) if isinstance(argument, MUTABLE) else argument for argument in arguments]
    answering = ANSWERING.set(True)
    left, began = ALLOWANCE.get([SECONDS]), time.process_time()

    def written_out():
        result = answer(*given)
        return list(islice(result, ENDLESS)) if isinstance(result, Iterator) else result

    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = within(left[0], written_out)
    except Stumbled:
        raise
    except NotImplementedError:
        raise Stumbled(None, "not written yet: replace the line `raise NotImplementedError`") from None
    except Overtime:
        tried(arguments, None)
        text = f"it was stopped after {SECONDS:.0f} s of processor time: does a loop never end?"
        raise Stumbled(False, text + with_arguments(answer, arguments)) from None
    except BaseException as error:
        tried(arguments, error)
        text = f"it stops with {type(error).__name__}: {one_line(error, 300)}{own_lines(error)}"
        raise Stumbled(False, text + with_arguments(answer, arguments)) from None
    finally:
        ANSWERING.reset(answering)
    left[0] -= time.process_time() - began
    tried(arguments, result)
    if result is ...:
        raise Stumbled(None, "not written yet: replace the `...`")
    if result is None:
        raise Stumbled(False, "it returns nothing: is a `return` missing?")
    for number, (before, after) in enumerate(zip(arguments, given), 1):
        if isinstance(before, MUTABLE) and not same(before, after, 0):
            raise Stumbled(False, f"it changes its argument number {number}: work on a copy, others still need it")
    return result


def numbers(value):
    """An array of float64. Raises ValueError for a text, which NumPy would read as a number, and for what is none."""
    if np.asarray(value).dtype.kind in "US":
        raise ValueError("a text is not a number")
    return np.asarray(value, dtype=np.float64)


def same(a, b, rtol=1e-9):
    """Equal in structure and shape, and in numbers up to rtol of the largest one. NaN equals nothing."""
    if a is None or b is None:  # as a number it would be NaN
        return a is b
    if isinstance(a, Params) or isinstance(b, Params):
        return isinstance(a, Params) and isinstance(b, Params) and same(a.named, b.named, rtol)
    if is_dataclass(a) and not isinstance(a, type):
        return type(a) is type(b) and same(vars(a), vars(b), rtol)
    if isinstance(a, dict) or isinstance(b, dict):
        return (
            isinstance(a, dict)
            and isinstance(b, dict)
            and a.keys() == b.keys()
            and all(same(a[key], b[key], rtol) for key in a)
        )
    if isinstance(a, (tuple, list)) or isinstance(b, (tuple, list)):
        if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
            try:
                return same(np.asarray(a), np.asarray(b), rtol)
            except ValueError:  # a list of rows of different lengths
                return False
        both = isinstance(a, (tuple, list)) and isinstance(b, (tuple, list))
        return both and len(a) == len(b) and all(same(x, y, rtol) for x, y in zip(a, b))
    try:
        x, y = numbers(a), numbers(b)
    except (TypeError, ValueError):
        return a is b or np.array_equal(a, b)
    if x.shape != y.shape:
        return False
    size = max(np.abs(x).max(initial=0), np.abs(y).max(initial=0))
    return bool(np.all(np.abs(x - y) <= rtol * size)) if np.isfinite(size) else bool(np.all(x == y))


def settle(prediction, options, outcome, happened):
    """A quiz: the prediction of the reader, one of `options`, compared with what the experiment has just shown.

    outcome   the option that came out, found by measuring
    happened  what was measured, and why, in a sentence or two
    """
    if prediction is None:
        return Verdict(None, f"no prediction yet: set it to one of {options}, then run the cell. {HAPPENED} {happened}")
    if not isinstance(prediction, (str, int, float)) or prediction not in options:
        return Verdict(None, f"{described(prediction)} is none of {options}")
    said = "as you said" if prediction == outcome else f"you said {prediction!r}, it is {outcome!r}"
    return Verdict(prediction == outcome, f"{said}. {happened}")
