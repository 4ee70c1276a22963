"""The values that a student's backward computes on its way, each compared with the derivation by its name.

A name is read without its underscores, so d_n is dn; a value counts as right if it was right once, so a line that goes
on in its place is no mistake. Who gives nothing a name is judged by the result alone.
"""

import ast
import inspect
import textwrap
import warnings
from collections.abc import Callable
from types import FunctionType

import numpy as np

from minisft.course.grading.verdict import same

GREEK = {"δ": "delta", "π": "pi", "σ": "s", "sigma": "s", "one_hot": "onehot"}
LARGEST = 1_000_000  # numbers of one value: what is larger is not kept


def intermediate_values(answer, arguments) -> dict[str, list]:
    """{name: [(line, value), …]} of the arrays that the answer has named, each after the line that made or changed it.

    Lines count from that of `def`, which is 1. Empty if its source is not at hand, or if it does not return.
    """
    found: dict[str, list] = {}
    given = set(inspect.getargs(answer.__code__).args) if isinstance(answer, FunctionType) else set()

    def see(names, line):
        for name, value in names.items():
            if name not in given and isinstance(value, (np.ndarray, float)) and np.size(value) <= LARGEST:
                history = found.setdefault(plain(name), [])
                if not history or not np.array_equal(history[-1][1], value, equal_nan=True):
                    history.append((line, np.array(value)))

    try:
        with warnings.catch_warnings(action="ignore"):  # what its text deserves was said when its cell ran
            made = watched(answer, see)
        made(*arguments)
    except BaseException:  # it was run before, and was met with a sentence then
        return {}
    return found


def watched(answer: FunctionType, see: Callable) -> Callable:
    """The answer, read from its source, with see(names, line) after every statement.

    The interpreter's own trace would do, but in Python 3.11 it can hang for good after other interruptions.
    """
    [function] = ast.parse(textwrap.dedent(inspect.getsource(answer.__code__))).body
    assert isinstance(function, ast.FunctionDef)
    function.body, function.decorator_list = looked_at(function.body), []
    arguments = function.args
    arguments.defaults, arguments.kw_defaults = [], [None for _ in arguments.kw_defaults]
    module = ast.parse(f"def factory({', '.join(answer.__code__.co_freevars)}): return {function.name}")
    module.body[0].body.insert(0, function)  # type: ignore[attr-defined]
    names = answer.__globals__ | {"_see": see, "_names": locals}
    exec(compile(ast.fix_missing_locations(module), "<watched>", "exec"), names)
    made = names["factory"](*(cell.cell_contents for cell in answer.__closure__ or ()))
    made.__defaults__, made.__kwdefaults__ = answer.__defaults__, answer.__kwdefaults__
    return made


def looked_at(statements: list[ast.stmt]) -> list[ast.stmt]:
    """The statements, with a look at all names after each; those of functions within stay as they are."""
    found: list[ast.stmt] = []
    for statement in statements:
        if not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            for block in ("body", "orelse", "finalbody"):
                if inner := getattr(statement, block, None):
                    setattr(statement, block, looked_at(inner))
        [look] = ast.parse(f"_see(_names(), {statement.lineno})").body
        found += [statement, look]
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
