"""The course as assignments of nbgrader: `minisft course DIR --nbgrader`.

    DIR/nbgrader_config.py                            the name of the course, and time for its longest cells
    DIR/source/<notebook>/<notebook>.ipynb            an assignment for each notebook that has exercises

In an assignment the cell of an answer is a solution of nbgrader's, the cell that checks it stays as it is, and a cell
after that is worth a point. What students see of it asks the check once more. In its hidden test somebody else is asked
instead: the answer is judged as `minisft grade` does it, in a process of its own, so whatever else went wrong in the
notebook costs no point. nbgrader runs that test in the kernel of the student, who could therefore make it pass;
`minisft grade` on the same folder of submissions cannot be fooled in that way, and shows who tried.

In a variant the answers that are values are worth a point, too, as `minisft grade` judges them there.
"""

import ast
import re
from pathlib import Path

from minisft.course.grade import exercises
from minisft.course.grade.cells import arguments, source
from minisft.course.grade.exercises import Exercise
from minisft.course.grade.points import marked
from minisft.course.variants import variant_in

STUB = re.compile(r"^( *)raise NotImplementedError.*$", re.MULTILINE)
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
POINT = """\
# 1 point. nbgrader has the answer above judged once more, in a process of its own.
def earned():
    return {call}.right

### BEGIN HIDDEN TESTS
def earned():
    from minisft.course.grade import points

    points.require("{notebook}.ipynb", "{name}")
    return True

### END HIDDEN TESTS
assert earned(), "not right yet: the cell above says why"
"""
CONFIG = """\
import os

c = get_config()
c.CourseDirectory.course_id = "minisft"
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
c.Execute.timeout = 600  # seconds a cell
c.Execute.iopub_timeout = 60  # seconds until what a cell shows has arrived: a film is large

# Of a notebook that is graded only the cells worth points run, and no file handed in beside it is imported.
c.Autograde.sanitize_preprocessors.prepend(["minisft.course.grade.points.only_points"])
c.Execute.extra_arguments = ["--InteractiveShellApp.ignore_cwd=True"]
os.environ["PYTHONSAFEPATH"] = "1"
"""


def place(directory: Path, notebook: str) -> Path:
    return directory / "source" / notebook / f"{notebook}.ipynb"


def assignment(notebook: dict, name: str) -> dict:
    """The notebook, or a variant of it, with what nbgrader needs to know of its cells."""
    waiting = {exercise.name: exercise for exercise in exercises.of(name)}
    answers = set(waiting)
    if variant_in(notebook["metadata"]) is not None:
        waiting |= {exercise.name: exercise for exercise in exercises.by_hand(name)}
    cells = []
    for cell in notebook["cells"]:
        exercise = cell["metadata"].get("exercise")
        cells.append(solution(cell, exercise) if exercise in answers else cell)
        for asked, call in judging(cell, list(waiting.values())).items():
            cells.append(point(waiting.pop(asked.name), call))
    return notebook | {"cells": cells}


def judging(cell: dict, of: list[Exercise]) -> dict[Exercise, ast.Call]:
    """The calls in a cell that hand over the answers of these exercises."""
    calls = [node for node in ast.walk(ast.parse(source(cell))) if isinstance(node, ast.Call)]
    return {
        exercise: call
        for exercise in of
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and (call.func.attr, *arguments(call)[: len(exercise.answers)]) == (exercise.name, *exercise.answers)
    }


def solution(cell: dict, name: str) -> dict:
    """The cell of an answer; what it raises is what nbgrader takes for the solution, and puts back."""
    text = STUB.sub(rf"\1{BEGIN}\n\1raise NotImplementedError\n\1{END}", "".join(cell["source"]))
    return cell | {"source": text, "metadata": cell["metadata"] | {"nbgrader": marked(name)}}


def point(exercise: Exercise, call: ast.Call) -> dict:
    """The cell that is worth a point."""
    text = POINT.format(call=ast.unparse(call), notebook=exercise.notebook, name=exercise.name)
    cell: dict = {"cell_type": "code", "id": f"{exercise.name}-point"[:64], "execution_count": None, "outputs": []}
    return cell | {"source": text, "metadata": {"nbgrader": marked(f"{exercise.name}-point", points=1)}}
