"""What a class predicted: for each question, who said what, as their record or their notebook has it."""

import ast
import inspect
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from minisft.course.grade import exercises
from minisft.course.grade.cells import calls, source, tree
from minisft.course.grade.submissions import Handed
from minisft.course.grading import progress
from minisft.errors import MinisftError, one_line
from minisft.formats.files import read_json


class Said(NamedTuple):
    student: str
    notebook: str
    question: str
    first: str  # the prediction they made first, before they could know
    right: bool | None  # whether it came true; None where nobody has recorded it


def made(one: Handed, cells: list[Any]) -> list[Said]:
    """All predictions of one notebook. The record beside it goes first: it knows what was said before the cell ran."""
    kept = record(one.path.parent).get(one.notebook, {})
    written = kept.get("predictions", {}) if isinstance(kept, dict) else {}
    found = {}
    for question, entries in written.items() if isinstance(written, dict) else ():
        if isinstance(entries, list) and entries and isinstance(entries[0], dict):
            right = entries[0].get("right")
            said = one_line(str(entries[0].get("said", "")), 80)
            found[str(question)[:80]] = (said, right if isinstance(right, bool) else None)
    for question, said in in_the_cells(one.notebook, cells).items():
        found.setdefault(question, (said, None))
    return [Said(one.student, one.notebook, question, *value) for question, value in found.items()]


def in_the_cells(notebook: str, cells: list[Any]) -> dict[str, str]:
    """{question: prediction}, from what is written: `prediction = "joint"` above `check.question(prediction, …)`."""
    asked, values, found = questions(notebook), {}, {}
    for cell in cells:
        text = source(cell)
        for node in tree(text).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                values[node.targets[0].id] = node.value
        for call in calls(text):
            name = call.func.attr
            given = call.args[0] if call.args else None
            if name in asked and isinstance(given, ast.Name):
                value = values.get(given.id)
                if isinstance(value, ast.Constant) and value.value is not None:
                    found[name] = one_line(repr(value.value), 80)
    return found


def questions(notebook: str) -> set[str]:
    """The checks of predictions that a notebook calls."""
    cells = exercises.installed(notebook)
    exercise = {e.name for e in exercises.of(notebook)}
    return {
        call.func.attr
        for cell in cells
        for call in calls(source(cell))
        if call.func.attr not in exercise and is_quiz(notebook, call.func.attr)
    }


def is_quiz(notebook: str, name: str) -> bool:
    try:
        parameters = inspect.signature(exercises.raw(notebook, name)).parameters
    except (AttributeError, TypeError, ValueError):
        return False
    return next(iter(parameters), "") == "prediction"


def record(folder: Path) -> dict:
    """The progress.json of a student; nothing if it is not there, or is not one."""
    path = folder / progress.NAME
    try:
        found = read_json(path) if path.is_file() and not path.is_symlink() and path.stat().st_size < 5e6 else {}
    except (MinisftError, OSError, RecursionError):
        return {}
    return found if progress.MARK in found else {}


def tries(one: Handed, exercise: str) -> int | None:
    """Different answers that were judged wrong while the student worked; None if there is no record."""
    kept: Any = record(one.path.parent)
    for name, kind in ((one.notebook, dict), ("tries", dict), (exercise, list)):
        kept = kept.get(name) if isinstance(kept, dict) else None
        if not isinstance(kept, kind):
            return None
    entries = [entry for entry in kept if isinstance(entry, dict)]
    return len({str(entry.get("answer")) for entry in entries if entry.get("right") is False})


def tally(said: list[Said]) -> list[list]:
    """[notebook, question, prediction, how many, and how many of them were right], the commonest first."""
    lines = []
    for notebook, question in sorted({(s.notebook, s.question) for s in said}):
        of_it = [s for s in said if (s.notebook, s.question) == (notebook, question)]
        for first, count in Counter(s.first for s in of_it).most_common():
            right = [s.right for s in of_it if s.first == first and s.right is not None]
            lines.append([notebook, question, first, count, "" if not right else "yes" if right[0] else "no"])
    return lines
