"""Judging an answer that is several arrays of different lengths, as `verdict.judge` judges one."""

import numpy as np

from minisft.course.verdict import Stumbled, Verdict, kindly, run, same


@kindly
def compare(answer, right, cases, mistakes, praise, parts, reason=lambda case, part, row: ""):
    """As `judge`, for an answer that is several arrays of different lengths; `parts` are their names."""
    wanted = [right(*case) for case in cases]
    given = [arrays(run(answer, *case), names(parts, want)) for case, want in zip(cases, wanted)]
    wrong = [number for number, want in enumerate(wanted) if not same(given[number], want)]
    if not wrong:
        return Verdict(True, praise)
    empty = not all(np.isfinite(array).all() for result in given for array in result)
    nan = "; and where nothing is trained, 0 / 0 gives NaN" if empty else ""
    finite = [[np.nan_to_num(array) for array in result] for result in given]
    for sentence, mistake in mistakes.items():
        if all(same(mistake(*case), result) for case, result in zip(cases, finite)):
            return Verdict(False, sentence + nan)
    if same(finite, wanted):
        return Verdict(False, "where nothing is trained, 0 / 0 gives NaN: there the weights are 0")
    case, ours, theirs = (several[wrong[0]] for several in (cases, wanted, given))
    return Verdict(False, first_difference(case, ours, theirs, names(parts, ours), reason) + nan)


def names(parts, wanted):
    return parts if isinstance(parts, tuple) else tuple(f"{parts} {number}" for number in range(len(wanted)))


def arrays(result, parts):
    if not isinstance(result, (tuple, list)) or len(result) != len(parts):
        raise Stumbled(False, f"it should return {len(parts)} arrays: {', '.join(parts)}")
    try:
        return [np.asarray(array, dtype=np.float64) for array in result]
    except (TypeError, ValueError):
        raise Stumbled(False, f"each of {', '.join(parts)} should be an array of numbers") from None


def first_difference(case, ours, theirs, parts, reason):
    for part, right, wrong in zip(parts, map(np.asarray, ours), theirs):
        if right.shape != wrong.shape:
            return f"{part}: the shape is {wrong.shape} where {right.shape} is right"
        if not same(right, wrong):
            at = np.unravel_index(int(np.argmax(~(np.abs(right - wrong) <= 1e-9))), right.shape)
            where = ", ".join(map(str, at))
            return f"{part}: entry {where} is {wrong[at]:g} where {right[at]:g} is right{reason(case, part, at[0])}"
    return "the arrays differ"
