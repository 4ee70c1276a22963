"""The doctor in the table of checks: blind to a wrong line of code, and not to the same fault in the data."""

import json

import pytest

from minisft.formats import resources
from minisft.lab import doctor
from minisft.lab.doctor.checks import CHECKS
from minisft.lab.mistakes import MISTAKES

TRAIN, TEST = (resources.path(f"atlas_{part}.jsonl") for part in ("train", "test"))
MODEL = resources.path("atlas")


def named(rows, **more):
    """The checks that find something in the training rows."""
    return {finding["check"] for finding in doctor.examine(MODEL, [str(rows)], [str(TEST)], **more)["findings"]}


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_the_doctor_sees_no_code_so_it_says_nothing_while_a_switch_is_on(mistake):
    with mistake.on():
        assert named(TRAIN) == set()


def test_every_mistake_that_a_check_of_the_doctor_names_is_one_of_the_lab():
    assert {check.mistake for check in CHECKS if check.mistake} <= {mistake.name for mistake in MISTAKES}


def found_for(mistake):
    return {check.name for check in CHECKS if check.mistake == mistake}


def test_rows_of_the_test_in_the_training_file_are_found(tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("\n".join(lines(TRAIN) + lines(TEST)[:4]), encoding="utf-8")
    assert named(rows) & found_for("test-rows-in-training")


def test_an_end_token_that_is_spelled_in_the_answers_is_found(tmp_path):
    rows = [json.loads(line) for line in lines(TRAIN)]
    for row in rows:
        row["messages"][-1]["content"] += "<|im_end|>"
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert named(path) & found_for("end-token-as-text")


def test_rows_that_the_window_cuts_are_found():
    assert named(TRAIN, max_length=42) & found_for("end-token-cut-off")
