"""The assignments of nbgrader, as files: what nbgrader itself makes of them is tested in tests/assignments."""

import pytest

from course.grade.made_up import LOG_PR, RIGHT, WRONG, write
from minisft.cli.main import main
from minisft.course import copies, nbgrader
from minisft.course.grade import exercises, points
from minisft.course.grade.exercises import source
from minisft.formats import resources
from minisft.formats.files import read_json

SOME = [notebook for notebook in exercises.notebooks() if exercises.of(notebook)]


def made(name):
    return nbgrader.assignment(copies.without_outputs(read_json(resources.notebooks() / f"{name}.ipynb")), name)


@pytest.mark.parametrize("name", SOME)
def test_every_exercise_is_a_solution_and_a_point_behind_its_check(name):
    cells = made(name)["cells"]
    places = {
        cell["metadata"]["nbgrader"]["grade_id"]: i for i, cell in enumerate(cells) if "nbgrader" in cell["metadata"]
    }
    for exercise in exercises.of(name):
        answer, point = places[exercise.name], places[f"{exercise.name}-point"]
        assert answer < point and f"check.{exercise.name}(" in source(cells[point - 1])
        marks = cells[point]["metadata"]["nbgrader"]
        assert marks["grade"] and marks["locked"] and not marks["solution"] and marks["points"] == 1
        assert cells[answer]["metadata"]["nbgrader"]["solution"] and "raise NotImplementedError" in source(
            cells[answer]
        )
    assert len(places) == 2 * len(exercises.of(name))


@pytest.mark.parametrize("name", SOME)
def test_every_stub_is_inside_the_marks_of_a_solution(name):
    for cell in made(name)["cells"]:
        if "exercise" in cell["metadata"]:
            text = source(cell)
            assert text.count(nbgrader.BEGIN) == text.count(nbgrader.END) == text.count("raise NotImplementedError") > 0


def test_a_point_is_given_for_a_right_answer_only(tmp_path):
    path = write(tmp_path / f"{LOG_PR}.ipynb", RIGHT)
    points.require(str(path), "log_pr")
    for wrong, words in (
        (WRONG, "is right"),
        ("x = 1", "no log_pr"),
        ("def log_pr(l, i, y):\n    raise NotImplementedError", "not written"),
    ):
        write(path, wrong)
        with pytest.raises(AssertionError, match=words):
            points.require(str(path), "log_pr")
    with pytest.raises(AssertionError, match="--exercise"):
        points.require(str(path), "poem")


def test_the_command_writes_an_assignment_for_each_notebook_and_a_configuration(tmp_path, capsys):
    main(["course", str(tmp_path / "nb"), "--nbgrader"])
    assert (tmp_path / "nb" / "nbgrader_config.py").is_file()
    assert sorted(p.stem for p in (tmp_path / "nb" / "source").glob("*/*.ipynb")) == list(exercises.notebooks())
    with pytest.raises(SystemExit):
        main(["course", str(tmp_path / "nb"), "--nbgrader"])
