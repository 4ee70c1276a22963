"""What is judged: the exercises and the predictions of the installed notebooks, in their order."""

import ast
import importlib
import inspect
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from minisft.course.grading.verdict import Verdict
from minisft.course.variants import BY_HAND
from minisft.formats import resources
from minisft.formats.files import read_json


class Exercise(NamedTuple):
    """answers: the names of the functions that its check is given, as the notebook has them."""

    notebook: str  # 01_log_probability
    name: str  # of its check: log_pr
    answers: tuple[str, ...]


@cache
def notebooks() -> tuple[str, ...]:
    """The names of the notebooks of the course."""
    return tuple(path.stem for path in sorted(resources.notebooks().glob("[0-9][0-9]_*.ipynb")))


@cache
def package(notebook: str) -> str:
    """The package that judges a notebook: 01_log_probability -> log_probability, 11_a_real_model -> real_model."""
    folder = Path(__file__).parents[1]
    return next(p.parent.name for p in folder.glob("*/__init__.py") if notebook.endswith(f"_{p.parent.name}"))


@cache
def installed(notebook: str) -> list[dict]:
    """The cells of a notebook of the course."""
    return read_json(resources.notebooks() / f"{notebook}.ipynb")["cells"]


@cache
def of(notebook: str) -> tuple[Exercise, ...]:
    """The exercises of one notebook: its cells name them in their metadata, and check them by that name."""
    cells = installed(notebook)
    names = [cell["metadata"]["exercise"] for cell in cells if "exercise" in cell["metadata"]]
    found = {call.func.attr: call for cell in cells for call in calls(source(cell))}  # type: ignore[attr-defined]
    return tuple(Exercise(notebook, name, arguments(found[name])[: asked(notebook, name)]) for name in names)


def by_hand(notebook: str) -> tuple[Exercise, ...]:
    """What is answered by hand in a notebook: it can be judged if the variant of the notebook is known."""
    if notebook not in BY_HAND:
        return ()
    name, answer, *_ = BY_HAND[notebook]
    return (Exercise(notebook, name, (answer,)),)


def asked(notebook: str, name: str) -> int:
    """How many answers a check is given; what else it takes, the seed for example, has a place of its own."""
    return len(inspect.signature(raw(notebook, name)).parameters) - (2 if name in MEASURED else 1)


def arguments(call: ast.Call) -> tuple[str, ...]:
    return tuple(ast.unparse(argument) for argument in call.args)


def tree(code: str) -> ast.Module:
    """Some code, read; that of an empty cell if it cannot be."""
    try:
        with warnings.catch_warnings(action="ignore"):  # "\lambda" in a student's text is no news to a teacher
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def calls(code: str) -> Iterator[ast.Call]:
    """All calls `check.something(…)` in some code."""
    for node in ast.walk(tree(code)):
        function = node.func if isinstance(node, ast.Call) else None
        owner = function.value if isinstance(function, ast.Attribute) else None
        if isinstance(node, ast.Call) and isinstance(owner, ast.Name) and owner.id == "check":
            yield node


def source(cell: Any) -> str:
    """The text of a cell of code, "" of any other; what only a notebook understands (%, !, ?) is made a comment."""
    if not isinstance(cell, dict) or cell.get("cell_type") != "code":
        return ""
    text = cell.get("source", cell.get("input", ""))  # the second in notebooks of format 3
    text = "".join(part for part in text if isinstance(part, str)) if isinstance(text, list) else text
    if not isinstance(text, str) or (
        text.lstrip().startswith("%%") and not text.lstrip().startswith(("%%time", "%%cap"))
    ):
        return ""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(f"# {line}" if line.lstrip().startswith(("%", "!", "?")) else line for line in lines)


def raw(notebook: str, name: str) -> Callable[..., Verdict]:
    """The check without what it does for a student: fresh seeds, hints, a record of tries."""
    module = importlib.import_module(f"minisft.course.{package(notebook)}")
    check = getattr(module, name)
    return getattr(check, "__wrapped__", check)


def winners() -> list:
    """What `predict_winner` is held against: the runs whose results are shipped, as notebook 08 hands them over."""
    from minisft.course.conditional_versus_joint import worlds
    from minisft.course.conditional_versus_joint.long_table import measured
    from minisft.course.conditional_versus_joint.outcomes import at_the_end

    results = []
    for what in ("held out, exact", "closed book, exact"):
        for form in ("polite y", "paragraphs", "wordy x"):
            ends = at_the_end(measured("main" if form == "paragraphs" else form), what)
            two = {"conditional": ends["λ = 0"], "joint": ends["λ = 1"]}
            results.append((f"{form}, {what.split(',')[0]}", worlds.length_ratio(form), what.startswith("closed"), two))
    return results


MEASURED = {"predict_winner": winners}  # checks that are given measurements besides an answer
