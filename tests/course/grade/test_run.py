"""A class, graded: a row for each student and exercise, whatever is handed in."""

import json

import pytest

from course.grade.made_up import CHECK, LOG_PR, RIGHT, WRONG, write
from course.solutions import sections
from minisft.course.grade import exercises, run
from minisft.course.grade.submissions import found
from minisft.course.grading import progress


def graded(top, seed=0):
    done = []
    handed, _ = found([top])
    wanted = run.all_wanted(handed, seed, {})
    rows = run.graded(wanted, lambda place, row: done.append((place, row)))
    assert [row for _, row in sorted(done)] == rows and len(rows) == len(wanted)
    return {(row.student, row.exercise): row for row in rows}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """A class of six in notebook 01."""
    top = tmp_path_factory.mktemp("class")
    write(top / "ann" / f"{LOG_PR}.ipynb", *sections(LOG_PR).values())
    write(top / "ben" / f"{LOG_PR}.ipynb", WRONG, CHECK)
    write(top / "eve" / f"{LOG_PR}.ipynb", "import os\ndef log_pr(l, i, y):\n    os._exit(0)", CHECK)
    write(top / "flo" / "00_start_here.ipynb", "x = 1")
    (top / "gus").mkdir()
    (top / "gus" / f"{LOG_PR}.ipynb").write_bytes(b"\x00 no notebook")
    stub = next(c for c in exercises.installed(LOG_PR) if c["metadata"].get("exercise") == "log_pr")
    write(top / "hal" / f"{LOG_PR}.ipynb", "".join(stub["source"]), CHECK)
    record = {
        progress.MARK: 1,
        LOG_PR: {"tries": {"log_pr": [{"right": False, "answer": "a"}, {"right": False, "answer": "b"}]}},
    }
    (top / "ben" / progress.NAME).write_text(json.dumps(record))
    return graded(top)


def test_every_student_has_a_row_for_every_exercise_of_the_notebooks_handed_in(rows):
    names = [e.name for n in ("00_start_here", LOG_PR) for e in exercises.of(n)]
    assert list(rows) == [(student, name) for student in ("ann", "ben", "eve", "flo", "gus", "hal") for name in names]


def test_right_wrong_and_not_written_are_told_apart(rows):
    assert [rows[student, "log_pr"].right for student in ("ann", "ben", "eve", "hal")] == [True, False, False, None]
    assert rows["ann", "log_pr"].mistake == "" == rows["hal", "log_pr"].mistake
    assert "ended the process" in rows["eve", "log_pr"].mistake
    assert all(rows["ann", name].right for name in ("perplexity", "answers", "draw"))


def test_what_is_missing_or_broken_is_a_row_that_says_so(rows):
    assert rows["flo", "log_pr"].mistake == "not handed in"
    assert "cannot be read" in rows["gus", "log_pr"].mistake and rows["gus", "log_pr"].right is None
    assert "no exact_match" in rows["flo", "exact_match"].mistake


def test_tries_come_from_the_record_beside_the_notebook(rows):
    assert rows["ben", "log_pr"].tries == 2 and rows["ann", "log_pr"].tries is None


def test_seconds_are_those_of_judging(rows):
    assert 0 < rows["ann", "log_pr"].seconds < 60 and rows["flo", "log_pr"].seconds == 0


def test_a_judge_that_is_lost_costs_one_row_and_is_replaced(tmp_path):
    write(tmp_path / "ann" / f"{LOG_PR}.ipynb", RIGHT)
    (handed,), _ = found([tmp_path])
    job = run.Job(str(handed.path), exercises.of(LOG_PR)[0], 0)
    judge = run.Judge()
    try:
        assert judge.judge(job).right
        judge.process.kill()
        judge.process.join()
        assert judge.judge(job).right
        judge.connection.close()
        assert judge.judge(job).right is False
        assert judge.judge(job).right
    finally:
        judge.stop()


def test_a_judge_that_never_answers_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "OVERDUE", 0.0)
    judge = run.Judge()
    write(tmp_path / "ann" / f"{LOG_PR}.ipynb", RIGHT)
    assert (
        "took more than"
        in judge.judge(run.Job(str(tmp_path / "ann" / f"{LOG_PR}.ipynb"), exercises.of(LOG_PR)[0], 0)).mistake
    )
    assert judge.process is None
