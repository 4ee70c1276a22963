"""The values that an answer computed on its way, by name: which is the first that differs from the derivation?"""

import sys

import numpy as np

from minisft.course.grading.limits import STUBBORN
from minisft.course.grading.verdict import same


def intermediate_values(answer, arguments) -> dict:
    """The local names of the answer when it returns; none if it is not a function of Python or does not return."""
    code, found = getattr(answer, "__code__", None), {}

    if STUBBORN:
        return {}

    def entered(frame, event, argument):
        return left if frame.f_code is code else None

    def left(frame, event, argument):
        if event == "return":
            found.update(frame.f_locals)
        return left

    before = sys.gettrace()
    try:
        sys.settrace(entered)
        answer(*arguments)
    except BaseException:  # it was run before, and was met with a sentence then
        return {}
    finally:
        sys.settrace(before)
    return found


def compared(answer, arguments, right: dict) -> str:
    """A clause about the values whose names the derivation has, in its order; "" if there are none."""
    values = intermediate_values(answer, arguments)
    known = [name for name in right if isinstance(values.get(name), np.ndarray)]
    wrong = [name for name in known if not same(values[name], right[name])]
    if not known:
        return ""
    fine = known[: known.index(wrong[0])] if wrong else known
    told = f"{', '.join(fine)} {'is' if len(fine) == 1 else 'are'} right" if fine else ""
    first = f"the first that is not: {wrong[0]}" if wrong and fine else f"{wrong[0]} is not right" if wrong else ""
    return "; of your intermediate values " + ", ".join(filter(None, (told, first)))
