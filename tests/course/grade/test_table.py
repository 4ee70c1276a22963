"""The rows as a file for spreadsheets."""

import csv
import io

import pytest

from minisft.course.grade.table import Row, as_csv, summary


def read(rows):
    return list(csv.DictReader(io.StringIO(as_csv(rows).decode("utf-8-sig"))))


def test_a_row_reads_back_with_right_as_true_false_or_empty():
    rows = [Row("Ann", "01", "log_pr", right, "why", 2, 0.5) for right in (True, False, None)]
    assert [row["right"] for row in read(rows)] == ["true", "false", ""]
    assert read(rows)[0] == {
        "student": "Ann", "notebook": "01", "exercise": "log_pr", "right": "true",
        "mistake": "why", "tries": "2", "seconds": "0.50",
    }  # fmt: skip


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", " =", "'=", "＝"])
def test_no_cell_becomes_a_formula(start):
    row = read([Row(f"{start}1+1", "01", "log_pr", False, f"{start}cmd", None, 0.0)])[0]
    assert row["student"].startswith("'") and row["mistake"].startswith("'")


def test_commas_quotes_and_line_breaks_stay_in_their_cell():
    text = 'a,"b"\nc'
    assert len(read([Row(text, "01", "log_pr", False, text, None, 0.0)])) == 1


def test_a_record_without_tries_leaves_the_cell_empty():
    assert read([Row("Ann", "01", "log_pr", None, "", None, 0.0)])[0]["tries"] == ""


def test_the_summary_counts_an_exercise_and_names_its_commonest_mistake():
    said = ["no shift", "no mask", "no shift"]
    rows = [Row(f"s{i}", "01", "log_pr", False, text, None, 0.0) for i, text in enumerate(said)]
    rows += [Row("s8", "01", "log_pr", True, "", None, 0.0), Row("s9", "01", "log_pr", None, "", None, 0.0)]
    assert summary(rows) == [["01", "log_pr", 1, 3, 1, "no shift"]]
