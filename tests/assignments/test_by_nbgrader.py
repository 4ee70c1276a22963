"""The assignments, in the hands of nbgrader itself: made, validated and graded by its own commands.

Needs the extra `nbgrader`. Whole notebooks are graded. Validating runs all cells, so there only what the exercises need
is kept, and no model is trained.
"""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from course.solutions import sections

from assignments.by_nbgrader import answered, hand_in, nbgrader, points, wrong
from minisft.course import copies
from minisft.course.grade import exercises
from minisft.course.grade.cells import source

pytest.importorskip("nbgrader")

WINNERS = "from minisft.course.grade.exercises import winners\nmeasured_winners = winners()\n"
WITH_EXERCISES = [notebook for notebook in exercises.notebooks() if exercises.of(notebook)]


def short(notebook, name):
    """Only the cells with the checks' import, the exercises and what judges them."""
    kept = [
        cell
        for cell in notebook["cells"]
        if "nbgrader" in cell["metadata"] or "exercise" in cell["metadata"] or " as check" in source(cell)
    ]
    first = next(i for i, cell in enumerate(kept) if " as check" in source(cell))
    kept[first]["source"] = source(kept[first]) + ("\n" + WINNERS if "conditional" in name else "")
    return notebook | {"cells": kept}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nbgrader")
    copies.write(folder, for_nbgrader=True)
    return folder


@pytest.fixture(scope="module", params=WITH_EXERCISES)
def graded(request, course, tmp_path_factory):
    """(notebook, {student: {exercise: points}}, what validating said of each student)."""
    notebook = request.param
    status, said = nbgrader(course, "generate_assignment", notebook, "--create", "--force")
    assert status == 0, said
    release = course / "release" / notebook / f"{notebook}.ipynb"
    several = exercises.of(notebook)
    some = {e.name: sections(notebook)[e.name] for e in several[: (len(several) + 1) // 2]}
    hands = {"solved": sections(notebook), "unsolved": {}, "wrong": wrong(notebook), "half": wrong(notebook) | some}
    own = tmp_path_factory.mktemp("own")
    for student, answers in hands.items():
        written = answered(release, answers)
        hand_in(course, student, notebook, written)
        (own / student).mkdir()
        (own / student / f"{notebook}.ipynb").write_text(json.dumps(short(written, notebook)), encoding="utf-8")
    with ThreadPoolExecutor(2) as pool:
        validating = {
            s: pool.submit(nbgrader, own / s, "validate", f"{notebook}.ipynb") for s in ("solved", "unsolved")
        }
        status, said = nbgrader(course, "autograde", notebook, "--create", "--force")
    assert status == 0, said
    validated = {student: running.result()[1] for student, running in validating.items()}
    return notebook, {student: points(course, notebook, student) for student in hands}, validated


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
