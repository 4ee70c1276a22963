"""nbgrader's own commands, on a folder that `minisft course --nbgrader` has written, and what they gave."""

import json
import os
import subprocess
import sys
from pathlib import Path

import minisft
from minisft.course.grade import exercises

ROOT = str(Path(minisft.__file__).parents[1])


def nbgrader(folder, *arguments):
    """(status, whatever it writes) of its command, in this folder."""
    return command(folder, "nbgrader", *arguments)


def command(folder, module, *arguments):
    own = {"PYTHONPATH": ROOT, "HOME": str(folder), "JUPYTER_PLATFORM_DIRS": "1"}
    line = [sys.executable, "-m", module, *arguments]
    ended = subprocess.run(line, cwd=folder, env=os.environ | own, capture_output=True, text=True, timeout=600)
    return ended.returncode, ended.stdout + ended.stderr


def answered(release, answers):
    """The released notebook with the cells of these answers replaced."""
    written = json.loads(release.read_text(encoding="utf-8"))
    for cell in written["cells"]:
        name = cell["metadata"].get("exercise")
        if name in answers:
            cell["source"] = answers[name]
    return written


def wrong(notebook):
    """Functions of the right names that give nothing of use."""
    return {e.name: "\n\n".join(f"def {name}(*a):\n    return 7" for name in e.answers) for e in exercises.of(notebook)}


def hand_in(course, student, notebook, written):
    path = course / "submitted" / student / notebook / f"{notebook}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(written if isinstance(written, str) else json.dumps(written), encoding="utf-8")
    return path


def points(course, notebook, student):
    """{exercise: points} from nbgrader's own gradebook."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        grades = book.find_submission_notebook(notebook, notebook, student).grades
        return {grade.name.removesuffix("-point"): (grade.score, grade.max_score) for grade in grades}


def judged(course):
    """{student: {exercise: right}} by `minisft grade` on the same folder."""
    status, said = command(course, "minisft", "grade", "submitted", "--json")
    assert status == 0, said
    found: dict = {}
    (answer,) = [line for line in said.splitlines() if line.startswith("{")]
    for row in json.loads(answer)["rows"]:
        found.setdefault(row["student"], {})[row["exercise"]] = row["right"]
    return found
