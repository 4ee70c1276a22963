"""What nbgrader calls when it grades: `only_points` before a notebook runs, `require` in each cell worth a point."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

SKIPPED = "skip-execution"  # a cell with this tag does not run


def only_points(notebook: Any, resources: Any) -> tuple[Any, Any]:
    """The first step of `nbgrader autograde`: only the cells worth points will run, so no line of a student.

    What hangs, ends the kernel or trains for a minute then costs neither points nor time. Which cells are worth points
    is what the gradebook says, not the notebook. One that is missing, or is no longer code, is put back at the end; of
    copies the last one counts; what else calls itself a cell of nbgrader's is a cell like any other.
    """
    from nbformat.v4 import new_code_cell

    known, worth = recorded(**resources["nbgrader"])
    seen = set()
    for cell in reversed(notebook.cells):
        cell.metadata["tags"] = [SKIPPED]
        marks = cell.metadata.pop("nbgrader", {})
        name = marks.get("grade_id")
        if name in known and name not in seen and cell.cell_type == known[name].cell_type:
            seen.add(name)
            if name in worth:
                marks, cell.metadata["tags"] = marked(name, worth[name]), []
            if marks.get("schema_version") == 3:
                cell.metadata["nbgrader"] = marks
    for name in worth.keys() - seen:
        cell = new_code_cell(known[name].source, metadata={"nbgrader": marked(name, worth[name])})
        if notebook.nbformat_minor < 5:
            del cell["id"]
        notebook.cells.append(cell)
    return notebook, resources


def recorded(db_url: str, notebook: str, assignment: str, **_: Any) -> tuple[dict[str, Any], dict[str, float]]:
    """nbgrader's own cells of a notebook by name, and what those are worth that are judged by running them."""
    from nbgrader.api import Gradebook

    with Gradebook(db_url) as book:
        record = book.find_notebook(notebook, assignment)
        by_hand = {cell.name for cell in record.solution_cells}
        worth = {cell.name: cell.max_score for cell in record.grade_cells if cell.name not in by_hand}
        return {cell.name: cell for cell in record.source_cells}, worth


def marked(name: str, points: float | None = None) -> dict:
    """What nbgrader wants to know of a cell: one that is worth points, or else one for an answer."""
    kind = {"grade": points is not None, "solution": points is None, "locked": points is not None, "task": False}
    worth = {} if points is None else {"points": points}
    return {"schema_version": 3, "grade_id": name, "cell_type": "code", **kind, **worth}


class NotRight(AssertionError):
    """A point that is not earned. A page of feedback shows its sentence, and none of the lines that led to it."""

    def _render_traceback_(self) -> list[str]:  # asked for by IPython
        return [f"✗ {self}"]


def require(path: str, exercise: str) -> None:
    """Raises NotRight, with what is wrong, if the answer to this exercise in the notebook is not right.

    path: relative to the folder of the notebook, whichever folder a cell has gone to
    """
    notebook = beginning() / path
    row = verdicts(notebook, notebook.stat().st_mtime_ns).get(exercise, {"right": None, "mistake": "it was not judged"})
    if row["right"] is not True:
        raise NotRight(row["mistake"] or "not written yet")


@cache
def verdicts(notebook: Path, saved: int) -> dict[str, dict]:
    """{exercise: its row} of `minisft grade`, for a notebook as it was saved then: one run for all its points."""
    ours = [sys.executable, "-P", "-m", "minisft"]  # -P: never a random.py that was handed in beside the notebook
    ended = subprocess.run([*ours, "grade", str(notebook), "--json"], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise NotRight(ended.stderr.strip().splitlines()[-1] if ended.stderr.strip() else "it was not judged")
    return {row["exercise"]: row for row in json.loads(ended.stdout)["rows"]}


def beginning() -> Path:
    """The folder in which the kernel began, that of the notebook; outside a notebook the present one."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return Path(shell.starting_dir if shell is not None else "")
