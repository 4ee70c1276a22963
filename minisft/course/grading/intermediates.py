"""The values that a student's backward computes on its way, each compared with the derivation by its name.

A name is read without its underscores, so d_n is dn; a value counts as right if it was right once, so a line that goes
on in its place is no mistake. Who gives nothing a name is judged by the result alone.
"""

import sys

import numpy as np

from minisft.course.grading.limits import STUBBORN
from minisft.course.grading.verdict import same

GREEK = {"δ": "delta", "π": "pi", "σ": "s", "sigma": "s", "one_hot": "onehot"}
LARGEST = 1_000_000  # numbers of one value: what is larger is not kept


def intermediate_values(answer, arguments) -> dict[str, list]:
    """{name: [(line, value), …]} of the arrays that the answer has named, each after the line that made or changed it.

    Lines count from that of `def`, which is 1. Empty if it is not a function of Python, or does not return.
    """
    code, now = getattr(answer, "__code__", None), {"line": 0}
    found: dict[str, list] = {}
    given = set(code.co_varnames[: code.co_argcount]) if code else set()
    if STUBBORN:
        return {}

    def entered(frame, event, argument):
        if frame.f_code is not code:
            return None
        now["line"] = frame.f_lineno
        return after

    def after(frame, event, argument):
        """Before the next line, or the return: what the line before has left."""
        if event in ("line", "return"):
            keep(frame.f_locals, now["line"] - code.co_firstlineno + 1)
            now["line"] = frame.f_lineno
        return after

    def keep(names, line):
        for name, value in names.items():
            if name not in given and isinstance(value, (np.ndarray, float)) and np.size(value) <= LARGEST:
                history = found.setdefault(plain(name), [])
                if not history or not np.array_equal(history[-1][1], value, equal_nan=True):
                    history.append((line, np.array(value)))

    before = sys.gettrace()
    try:
        sys.settrace(entered)
        answer(*arguments)
    except BaseException:  # it was run before, and was met with a sentence then
        return {}
    finally:
        sys.settrace(before)
    return found


def plain(name: str) -> str:
    for letter, spelled in GREEK.items():
        name = name.replace(letter, spelled) if len(letter) == 1 else spelled if name == letter else name
    return name.replace("_", "")


def right_at(history, values) -> bool | None:
    """Was it once one of these values? None: it never had their shape, but for axes of length 1, so it is another."""
    pairs = [(np.squeeze(mine), np.squeeze(value)) for _, mine in history for value in values]
    fits = [pair for pair in pairs if pair[0].shape == pair[1].shape]
    return any(same(*pair) for pair in fits) if fits else None


def compared(answer, arguments, right: dict) -> str:
    """A clause about those of its values that the derivation has by name, in its order; "" if there are none.

    right  {name: its value, or a list of values that are all right}
    """
    found, fine = intermediate_values(answer, arguments), []
    for name, value in right.items():
        history = found.get(plain(name), [])
        right_one = right_at(history, value if isinstance(value, list) else [value])
        if right_one:
            fine.append(name)
        elif right_one is False:
            first = f"the first that differs from the derivation is {name}, line {history[0][0]}"
            return f"; of your intermediate values {', '.join([*told(fine), first])}"
    return f"; of your intermediate values {told(fine)[0]}" if fine else ""


def told(names):
    return [f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} right"] if names else []
