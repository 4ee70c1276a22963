"""`minisft course DIR`: the students' copy has the stubs, no outputs and no solutions, and no answer is ever lost."""

import json

import pytest
from support.commandline import assert_refused, contents, minisft

from minisft.course import copies
from minisft.formats import resources

STUB = {
    "cell_type": "code",
    "id": "stub",
    "metadata": {"exercise": "shift"},
    "source": "def shift(ids):\n    raise NotImplementedError",
    "execution_count": 3,
    "outputs": [{"output_type": "stream", "name": "stdout", "text": "seen"}],
}
TEXT = {"cell_type": "markdown", "id": "text", "metadata": {}, "source": "# 01 θ̂ and θ̃"}
NOTEBOOK = {"cells": [TEXT, STUB], "metadata": {"kernelspec": {"name": "python3"}}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of two notebooks, with solutions and a page for teachers beside them."""
    folder = tmp_path / "installed"
    (folder / "solutions").mkdir(parents=True)
    for name in ("00_start.ipynb", "01_shift.ipynb", "README.md", "solutions/01_shift.py"):
        (folder / name).write_text(json.dumps(NOTEBOOK, ensure_ascii=False), encoding="utf-8")
    monkeypatch.setattr(resources, "notebooks", lambda: folder)
    return folder


@pytest.fixture
def written(course, tmp_path, capsys):
    """The folder that the command has written."""
    assert minisft("course", tmp_path / "mine") == 0
    return tmp_path / "mine"


def test_the_notebooks_are_copied_and_neither_solutions_nor_the_page_for_teachers(written):
    assert [path.name for path in sorted(written.rglob("*"))] == ["00_start.ipynb", "01_shift.ipynb"]


def test_a_copy_has_the_texts_and_the_stubs_as_they_are(written):
    text, stub = json.loads((written / "01_shift.ipynb").read_text(encoding="utf-8"))["cells"]
    assert text == TEXT and (stub["source"], stub["metadata"]) == (STUB["source"], STUB["metadata"])


def test_a_copy_has_no_outputs(written):
    _, stub = json.loads((written / "01_shift.ipynb").read_text(encoding="utf-8"))["cells"]
    assert stub["outputs"] == [] and stub["execution_count"] is None


def test_what_surrounds_the_cells_stays(written):
    copy = json.loads((written / "00_start.ipynb").read_text(encoding="utf-8"))
    assert copy | {"cells": 0} == NOTEBOOK | {"cells": 0}


def test_the_course_itself_stays_as_it_was(course, tmp_path):
    before = contents(course)
    copies.write(tmp_path / "mine")
    assert contents(course) == before


def test_it_prints_a_line_for_each_notebook(course, tmp_path, capsys):
    assert minisft("course", tmp_path / "mine") == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "mine" / f"{n}.ipynb") for n in ("00_start", "01_shift")]


def test_with_json_it_names_them_in_one_object(course, tmp_path, json_of):
    paths = [str(tmp_path / "a" / "b" / f"{name}.ipynb") for name in ("00_start", "01_shift")]
    assert json_of("course", tmp_path / "a" / "b") == {"notebooks": paths}


def test_a_folder_with_other_files_in_it_is_welcome_and_they_stay(course, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert minisft("course", tmp_path / "mine") == 0
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine" and len(list((tmp_path / "mine").iterdir())) == 3


def test_answers_are_never_overwritten_unasked_and_nothing_is_written_beside_them(course, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "01_shift.ipynb").write_text("my answer")
    before = contents(tmp_path)
    assert_refused(capsys, ["course", tmp_path / "mine"], "DIR", "01_shift.ipynb", "answers", "--overwrite")
    assert contents(tmp_path) == before


def test_with_overwrite_they_are(written, capsys):
    (written / "01_shift.ipynb").write_text("my answer")
    assert minisft("course", written, "--overwrite") == 0
    assert json.loads((written / "01_shift.ipynb").read_text(encoding="utf-8"))["cells"][0] == TEXT


def test_a_folder_that_cannot_be_made_is_named(course, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert_refused(capsys, ["course", tmp_path / "file"], "DIR", str(tmp_path / "file"))
    assert_refused(capsys, ["course", tmp_path / "file" / "mine"], "DIR", str(tmp_path / "file" / "mine"))
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_notebook_that_cannot_be_written_is_named(course, tmp_path, capsys):
    (tmp_path / "mine" / "00_start.ipynb").mkdir(parents=True)
    (tmp_path / "mine" / "00_start.ipynb" / "more").touch()
    assert_refused(capsys, ["course", tmp_path / "mine", "--overwrite"], str(tmp_path / "mine" / "00_start.ipynb"))


def test_a_damaged_notebook_is_named(course, tmp_path, capsys):
    (course / "01_shift.ipynb").write_text('{"cells": [')
    assert_refused(capsys, ["course", tmp_path / "mine"], "01_shift.ipynb", "not valid JSON")


def test_an_installation_without_notebooks_is_told_what_to_do(course, tmp_path, capsys):
    for path in course.glob("*.ipynb"):
        path.unlink()
    assert_refused(capsys, ["course", tmp_path / "mine"], "no notebooks", "install minisft again")
    assert not (tmp_path / "mine").exists()


def test_the_folder_must_be_given(capsys):
    assert_refused(capsys, "course", "DIR")
