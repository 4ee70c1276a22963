"""An answer compared with the right function on fresh random cases; if it is wrong, with a catalogue of mistakes.

`judge` serves wherever the right answer is a function of one result, `compare` where it returns several arrays of
different lengths. Where the mathematics can decide (a gradient check, an identity, an enumeration), a check is written
out, on `run` and under `kindly`.
"""

from copy import deepcopy

import numpy as np

from minisft.course.grading.arrays import arrays
from minisft.course.grading.cases import expected
from minisft.course.grading.excerpts import described
from minisft.course.grading.verdict import Stumbled, Verdict, kindly, numbers, run, same


@kindly
def judge(answer, solution, cases, mistakes, praise, rtol=1e-9):
    """Compare an answer with the right function on the same cases; if it is wrong, say how.

    cases     a list of tuples of arguments
    mistakes  {what is wrong, as a sentence: a function that does it}; the first that agrees in all cases is named
    praise    what a right answer has shown
    """
    ours = [solution(*deepcopy(case)) for case in cases]
    theirs = each(answer, cases)
    wrong = [number for number in range(len(cases)) if not same(theirs[number], ours[number], rtol)]
    if not wrong:
        return Verdict(True, praise)
    expected(cases[wrong[0]], ours[wrong[0]], theirs[wrong[0]])
    for sentence, mistake in mistakes.items():
        if all(same(mistake(*deepcopy(case)), result, rtol) for case, result in zip(cases, theirs)):
            return Verdict(False, sentence)
    if rounded := imprecise(theirs, ours):
        return Verdict(False, rounded)
    return Verdict(False, difference(theirs[wrong[0]], ours[wrong[0]], cases[wrong[0]]))


def each(answer, cases):
    """What the answer gives in each case. Raises Stumbled if what it gave once is changed by a later call."""
    results = [run(answer, *case) for case in cases[:1]]
    kept = deepcopy(results)
    for case in cases[1:]:
        results.append(run(answer, *case))
        kept.append(deepcopy(results[-1]))
    if not all(map(unchanged, results, kept)):
        raise Stumbled(
            False, "what it returned for one case is changed by its next call: return something new each time"
        )
    return kept


def unchanged(now, then):
    return same(now, then, 0) or not same(then, then, 0)  # NaN, and things without an equality, equal nothing


def imprecise(theirs, ours):
    """The sentence for a result that is right, but only to the digits of float32 or less; "" if it is not."""
    try:
        if not same(theirs, ours, 2e-5) or all(map(whole, leaves(theirs))):
            return ""
        if all(map(of_float32, leaves(theirs))):
            return "the numbers are right, but they are float32, with seven digits: compute in float64"
        return "right to a few digits only: is a float32 or a numerical derivative in the way?"
    except (TypeError, ValueError):  # texts, or things without numbers
        return ""


def leaves(results):
    if isinstance(results, dict):
        results = list(results.values())
    if isinstance(results, (tuple, list)):
        return [leaf for result in results for leaf in leaves(result)]
    return [np.asarray(results)]


def whole(numbers):
    return numbers.dtype.kind in "biu" or np.array_equal(np.rint(numbers), numbers)


def of_float32(numbers):
    return np.array_equal(numbers.astype(np.float32), numbers)


def difference(theirs, ours, case):
    """One sentence about a mistake that no catalogue has."""
    on = f"on {', '.join(map(described, case))}"
    try:
        theirs, ours = numbers(theirs), numbers(ours)
    except (TypeError, ValueError):  # texts, or rows of different lengths
        return f"{on}: {described(theirs)} where {described(ours)} is right"
    if theirs.shape != ours.shape:
        return f"{on}: the shape is {theirs.shape} where {ours.shape} is right"
    off = np.abs(theirs - ours)
    if not off.ndim:
        return f"{on}: {float(theirs):.6g} where {float(ours):.6g} is right"
    place = np.unravel_index(int(np.nan_to_num(off, nan=np.inf).argmax()), off.shape)
    return f"{on}: entry {tuple(map(int, place))} is {theirs[place]:.6g} where {ours[place]:.6g} is right"


@kindly
def compare(answer, right, cases, mistakes, praise, parts, reason=lambda case, part, row: ""):
    """As `judge`, for an answer that is several arrays of different lengths; `parts` are their names."""
    wanted = [right(*case) for case in cases]
    results = each(answer, cases)
    given = [arrays(result, names(parts, want)) for result, want in zip(results, wanted)]
    wrong = [number for number, want in enumerate(wanted) if not same(given[number], want)]
    if not wrong:
        return Verdict(True, praise)
    expected(cases[wrong[0]], wanted[wrong[0]], results[wrong[0]])
    empty = not all(np.isfinite(array).all() for result in given for array in result)
    nan = "; and where nothing is trained, 0 / 0 gives NaN" if empty else ""
    finite = [[np.nan_to_num(array) for array in result] for result in given]
    for sentence, mistake in mistakes.items():
        if all(same(mistake(*case), result) for case, result in zip(cases, finite)):
            return Verdict(False, sentence + nan)
    if same(finite, wanted):
        return Verdict(False, "where nothing is trained, 0 / 0 gives NaN: there the weights are 0")
    if rounded := imprecise(results, wanted):
        return Verdict(False, rounded)
    case, ours, theirs = (several[wrong[0]] for several in (cases, wanted, given))
    return Verdict(False, first_difference(case, ours, theirs, names(parts, ours), reason) + nan)


def names(parts, wanted):
    return parts if isinstance(parts, tuple) else tuple(f"{parts} {number}" for number in range(len(wanted)))


def first_difference(case, ours, theirs, parts, reason):
    for part, right, wrong in zip(parts, map(np.asarray, ours), theirs):
        if right.shape != wrong.shape:
            return f"{part}: the shape is {wrong.shape} where {right.shape} is right"
        if not same(right, wrong):
            at = np.unravel_index(int(np.argmax(~(np.abs(right - wrong) <= 1e-9))), right.shape)
            where = ", ".join(map(str, at))
            return f"{part}: entry {where} is {wrong[at]:g} where {right[at]:g} is right{reason(case, part, at[0])}"
    return "the arrays differ"
