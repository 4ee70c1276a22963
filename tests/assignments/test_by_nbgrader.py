"""The assignments, in the hands of nbgrader itself: made, validated and graded by its own commands.

Needs the extra `nbgrader`. Of each notebook only what the exercises need is kept, so that no model is trained.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from course.solutions import sections

import minisft
from minisft.course import copies
from minisft.course.grade import exercises
from minisft.course.grade.exercises import source

pytest.importorskip("nbgrader")

WINNERS = "from minisft.course.grade.exercises import winners\nmeasured_winners = winners()\n"
WITH_EXERCISES = [notebook for notebook in exercises.notebooks() if exercises.of(notebook)]


def nbgrader(folder, *arguments):
    """Its command, in this folder; whatever it writes."""
    root = str(Path(minisft.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": root, "HOME": str(folder), "JUPYTER_PLATFORM_DIRS": "1"}
    command = [sys.executable, "-m", "nbgrader", *arguments]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    return ended.returncode, ended.stdout + ended.stderr


def short(path):
    """Only the cells with the checks' import, the exercises and what judges them."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    kept = [
        cell
        for cell in notebook["cells"]
        if "nbgrader" in cell["metadata"] or "exercise" in cell["metadata"] or " as check" in source(cell)
    ]
    first = next(i for i, cell in enumerate(kept) if " as check" in source(cell))
    kept[first]["source"] = source(kept[first]) + ("\n" + WINNERS if "conditional" in path.name else "")
    path.write_text(json.dumps(notebook | {"cells": kept}), encoding="utf-8")


def answered(release, notebook, answers):
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


@pytest.fixture(scope="module", autouse=True)
def own_programs():
    """nbgrader starts alembic by its name, and reads its version of the gradebook from it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        yield


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nbgrader")
    for path in copies.write(folder, for_nbgrader=True):
        short(path) if exercises.of(path.stem) else None
    return folder


@pytest.fixture(scope="module", params=WITH_EXERCISES)
def graded(request, course):
    """(notebook, {student: {exercise: points}}, what validating said of each student)."""
    notebook = request.param
    status, said = nbgrader(course, "generate_assignment", notebook, "--create", "--force")
    assert status == 0, said
    release = course / "release" / notebook / f"{notebook}.ipynb"
    several = exercises.of(notebook)
    some = {e.name: sections(notebook)[e.name] for e in several[: (len(several) + 1) // 2]}
    hands = {"solved": sections(notebook), "unsolved": {}, "wrong": wrong(notebook), "half": wrong(notebook) | some}
    validated = {}
    for student, answers in hands.items():
        path = course / "submitted" / student / notebook / f"{notebook}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(answered(release, notebook, answers)), encoding="utf-8")
        if student in ("solved", "unsolved"):
            validated[student] = nbgrader(path.parent, "validate", path.name)[1]
    status, said = nbgrader(course, "autograde", notebook, "--create", "--force")
    assert status == 0, said
    return notebook, {student: points(course, notebook, student) for student in hands}, validated


def points(course, notebook, student):
    """{exercise: points} from nbgrader's own gradebook."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        grades = book.find_submission_notebook(notebook, notebook, student).grades
        return {grade.name.removesuffix("-point"): (grade.score, grade.max_score) for grade in grades}


def test_solved_is_worth_all_points_unsolved_and_wrong_none_and_half_of_it_half(graded):
    notebook, found, _ = graded
    names = [exercise.name for exercise in exercises.of(notebook)]
    right = {"solved": names, "unsolved": [], "wrong": [], "half": names[: (len(names) + 1) // 2]}
    for student, expected in right.items():
        assert found[student] == {name: (float(name in expected), 1.0) for name in names}, student


def test_students_can_validate_their_copy(graded):
    _, _, said = graded
    assert "Success" in said["solved"], said["solved"]
    assert "failed" in said["unsolved"].lower()


def test_the_release_has_stubs_and_no_hidden_tests(graded, course):
    notebook, _, _ = graded
    text = (course / "release" / notebook / f"{notebook}.ipynb").read_text(encoding="utf-8")
    assert "raise NotImplementedError" in text
    assert not any(word in text for word in ("BEGIN SOLUTION", "HIDDEN TESTS", "points.require"))
