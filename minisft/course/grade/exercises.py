"""What is judged: the exercises and the predictions of the installed notebooks, in their order."""

import importlib
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from minisft.course.grade.cells import arguments, calls, source
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
    found = {call.func.attr: call for cell in cells for call in calls(source(cell))}
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
