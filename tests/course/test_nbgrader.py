"""The assignments of nbgrader, as files: what nbgrader itself makes of them is tested in tests/assignments."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from course.grade.made_up import LOG_PR, RIGHT, WRONG, write
from minisft.cli.main import main
from minisft.course import copies, nbgrader, variants
from minisft.course.grade import exercises, points
from minisft.course.grade.cells import source
from minisft.formats import resources
from minisft.formats.files import read_json

SOME = [notebook for notebook in exercises.notebooks() if exercises.of(notebook)]


def made(name, variant=None):
    notebook = copies.without_outputs(read_json(resources.notebooks() / f"{name}.ipynb"))
    return nbgrader.assignment(
        notebook if variant is None else variants.notebook_of_variant(notebook, name, variant), name
    )


def worth_points(notebook):
    cells = [cell for cell in notebook["cells"] if "points" in cell["metadata"].get("nbgrader", {})]
    return {cell["metadata"]["nbgrader"]["grade_id"]: source(cell) for cell in cells}


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


@pytest.mark.parametrize("name", SOME)
def test_in_a_variant_whatever_grade_judges_is_worth_a_point(name):
    judged = [e.name for e in exercises.of(name) + exercises.by_hand(name)]
    assert sorted(worth_points(made(name, variant=17))) == sorted(f"{one}-point" for one in judged)
    assert len(worth_points(made(name))) == len(exercises.of(name))


def test_a_value_is_worth_a_point_behind_the_cell_that_asks_for_it():
    cells = made("10_bug_lab", variant=17)["cells"]
    place = next(i for i, cell in enumerate(cells) if "accuse-point" in str(cell["metadata"]))
    assert "mine.accuse(accused)" in source(cells[place - 1]) and "mine.accuse(accused).right" in source(cells[place])


def test_the_hidden_test_does_without_what_a_cell_may_have_broken():
    """The kernel has no `check` and no answer: only what was saved is judged."""
    (text,) = [text for name, text in worth_points(made(LOG_PR)).items() if name == "log_pr-point"]
    asked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(points, "require", lambda *what: asked.append(what))
        exec(text, {})
    assert asked == [(f"{LOG_PR}.ipynb", "log_pr")]


def test_a_point_is_given_for_a_right_answer_only(tmp_path):
    path = write(tmp_path / f"{LOG_PR}.ipynb", RIGHT)
    points.require(str(path), "log_pr")
    for wrong, words in (
        (WRONG, "is right"),
        ("x = 1", "no log_pr"),
        ("def log_pr(l, i, y):\n    raise NotImplementedError", "not written"),
    ):
        write(path, wrong)
        with pytest.raises(AssertionError, match=words) as raised:
            points.require(str(path), "log_pr")
        (shown,) = raised.value._render_traceback_()
        assert shown == f"✗ {raised.value}"
    with pytest.raises(AssertionError, match="not judged"):
        points.require(str(path), "poem")


def test_one_run_of_grade_judges_all_points_of_a_notebook(tmp_path, monkeypatch):
    path, started = write(tmp_path / f"{LOG_PR}.ipynb", RIGHT), []
    run = subprocess.run
    monkeypatch.setattr(points.subprocess, "run", lambda *line, **more: started.append(line) or run(*line, **more))
    points.require(str(path), "log_pr")
    with pytest.raises(AssertionError, match="no draw"):
        points.require(str(path), "draw")
    assert len(started) == 1


def test_a_module_handed_in_beside_the_notebook_costs_no_point(tmp_path, monkeypatch):
    write(tmp_path / f"{LOG_PR}.ipynb", RIGHT)
    (tmp_path / "random.py").write_text("raise RuntimeError")
    monkeypatch.chdir(tmp_path)
    points.require(f"{LOG_PR}.ipynb", "log_pr")


def test_the_notebook_is_found_after_a_cell_has_gone_to_another_folder(tmp_path, monkeypatch):
    write(tmp_path / f"{LOG_PR}.ipynb", RIGHT)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    kernel = SimpleNamespace(get_ipython=lambda: SimpleNamespace(starting_dir=str(tmp_path)))
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    points.require(f"{LOG_PR}.ipynb", "log_pr")


def test_the_command_writes_an_assignment_for_each_notebook_and_a_configuration(tmp_path, capsys):
    main(["course", str(tmp_path / "nb"), "--nbgrader"])
    assert (tmp_path / "nb" / "nbgrader_config.py").is_file()
    assert sorted(p.stem for p in (tmp_path / "nb" / "source").glob("*/*.ipynb")) == list(exercises.notebooks())
    with pytest.raises(SystemExit):
        main(["course", str(tmp_path / "nb"), "--nbgrader"])
