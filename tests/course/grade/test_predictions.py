"""What a class predicted, from records and from notebooks."""

import json

import pytest

from course.grade.made_up import LOG_PR, cells
from minisft.course.grade import exercises, predictions
from minisft.course.grade.submissions import Handed
from minisft.course.grading import progress


def handed(folder, notebook=LOG_PR):
    return Handed("ann", notebook, folder / f"{notebook}.ipynb")


def record(folder, entries, question="underflow"):
    written = {progress.MARK: 1, LOG_PR: {"predictions": {question: entries}}}
    (folder / progress.NAME).write_text(json.dumps(written))


def test_the_first_prediction_counts_and_whether_it_came_true(tmp_path):
    record(tmp_path, [{"said": "17", "right": False}, {"said": "3", "right": True}])
    (said,) = predictions.made(handed(tmp_path), [])
    assert (said.question, said.first, said.right) == ("underflow", "17", False)


def test_without_a_record_the_notebook_says_what_was_predicted(tmp_path):
    written = cells(
        "prediction = 'a few'", "check.hardest(prediction, 1, 2)", "prediction = None", "check.reach(prediction, 1)"
    )
    (said,) = predictions.made(handed(tmp_path), written)
    assert (said.question, said.first, said.right) == ("hardest", "'a few'", None)


def test_a_prediction_counts_beside_what_python_warns_about(tmp_path):
    """LaTeX in a string that is not raw. In these tests a warning is an error."""
    written = cells('prediction = "a few"; label = "\\lambda"\ncheck.hardest(prediction, 1, 2)')
    (said,) = predictions.made(handed(tmp_path), written)
    assert said.first == "'a few'"


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"minisft progress": 1}', '{"minisft progress": 1, "01_log_probability": 3}']
)
def test_a_record_that_is_none_is_no_record(tmp_path, content):
    (tmp_path / progress.NAME).write_text(content)
    assert predictions.made(handed(tmp_path), []) == [] and predictions.tries(handed(tmp_path), "log_pr") is None


@pytest.mark.parametrize("entries", [[], 3, [3], [{}], {"a": 1}, [{"said": ["x"] * 1000, "right": "yes"}]])
def test_entries_that_are_none_end_nothing(tmp_path, entries):
    record(tmp_path, entries)
    assert all(said.right is None for said in predictions.made(handed(tmp_path), []))


def test_every_notebook_with_predictions_is_known_to_have_them():
    asked = {notebook: predictions.questions(notebook) for notebook in exercises.notebooks()}
    assert {"hardest", "reach", "underflow"} <= asked[LOG_PR] and sum(map(len, asked.values())) > 20
    assert not any(e.name in asked[n] for n in asked for e in exercises.of(n))


def test_a_tally_has_the_commonest_prediction_first():
    said = [predictions.Said(f"s{i}", "01", "reach", first, True) for i, first in enumerate("aba")]
    assert predictions.tally(said) == [["01", "reach", "a", 2, "yes"], ["01", "reach", "b", 1, "yes"]]
