"""A cell of a notebook as Python: without what only a notebook understands, and the calls of checks in it."""

import ast
import re
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

LONG = 20_000  # characters of a cell; students share all shorter ones but their own, so those are remembered
OF_THE_CELL = ("%%time", "%%cap", "%%prun")  # %%time, %%timeit, %%capture: what is below is Python
TIMED = re.compile(r"(\s*)%time\s+(\S.*)")
ASSIGNED = re.compile(r"(\s*)([\w., ]+=)\s*[%!].*")
FOR_A_NOTEBOOK = re.compile(r"(\s*)([%!?].*|.*\?\s*)")


def remembered(function: Callable) -> Callable:
    """Of a short text the result is kept: most cells are the same in all notebooks of a class."""
    kept = lru_cache(1000)(function)
    return lambda text, *more: (kept if len(text) < LONG else function)(text, *more)


def source(cell: Any) -> str:
    """The text of a cell of code as Python, "" of any other."""
    if not isinstance(cell, dict) or cell.get("cell_type") != "code":
        return ""
    text = cell.get("source", cell.get("input", ""))  # the second in notebooks of format 3
    text = "".join(part for part in text if isinstance(part, str)) if isinstance(text, list) else text
    return python(text.replace("\r\n", "\n")) if isinstance(text, str) else ""


@remembered
def python(text: str) -> str:
    """A line that only a notebook understands is where Python stops: it is replaced, and all others stay."""
    if text.lstrip().startswith("%%"):
        first, _, rest = text.lstrip().partition("\n")
        if not first.startswith(OF_THE_CELL):
            return ""
        text = f"# {first}\n{rest}"
    lines = text.split("\n")
    for _ in range(100):
        at = (stopped(text) or 0) - 1
        if not 0 <= at < len(lines) or (line := without(lines[at])) == lines[at]:
            break
        lines[at] = line
        text = "\n".join(lines)
    return text


def without(line: str) -> str:
    """`%time x = f()` is `x = f()`; `files = !ls` is `files = None`; `%matplotlib inline`, `!pip`, `f?` do nothing."""
    if timed := TIMED.fullmatch(line):
        return timed[1] + timed[2]
    if assigned := ASSIGNED.fullmatch(line):
        return f"{assigned[1]}{assigned[2]} None"
    other = FOR_A_NOTEBOOK.fullmatch(line)
    return f"{other[1]}pass" if other else line


def stopped(text: str) -> int | None:
    """The number of the line at which Python stops reading, None if it does not."""
    try:
        parsed(text)
    except SyntaxError as error:
        return error.lineno
    except (ValueError, RecursionError, MemoryError):
        pass
    return None


def parsed(text: str) -> ast.Module:
    """Raises as ast.parse does, and does not warn: "\\lambda" in a student's text is no news to a teacher."""
    with warnings.catch_warnings(action="ignore"):
        return ast.parse(text)


def tree(text: str) -> ast.Module:
    """Some code, read; that of an empty cell if it cannot be."""
    try:
        return parsed(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


@remembered
def calls(code: str, names: frozenset[str] = frozenset({"check"})) -> tuple[ast.Call, ...]:
    """All calls `check.something(…)` in some code, in the order of ast.walk."""
    found = (
        node for node in ast.walk(tree(code)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    )
    return tuple(call for call in found if isinstance(call.func.value, ast.Name) and call.func.value.id in names)  # type: ignore[attr-defined]


def arguments(call: ast.Call) -> tuple[str, ...]:
    return tuple(ast.unparse(argument) for argument in call.args)
