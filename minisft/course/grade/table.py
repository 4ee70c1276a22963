"""A row for each student and exercise."""

import csv
import io
from collections.abc import Iterable
from typing import NamedTuple

from minisft.errors import visible

SIGNS = {True: "true", False: "false", None: ""}


class Row(NamedTuple):
    """tries: different wrong answers that the student's own record has, None without a record; seconds: to judge it."""

    student: str
    notebook: str
    exercise: str
    right: bool | None
    mistake: str
    tries: int | None
    seconds: float


TALLY = ("notebook", "question", "prediction", "how many", "came true")


def as_csv(rows: Iterable[Row]) -> bytes:
    """Comma, quoted where needed, UTF-8 with the mark by which Excel knows it."""
    shown = (
        [*row[:3], SIGNS[row.right], row.mistake, "" if row.tries is None else row.tries, f"{row.seconds:.2f}"]
        for row in rows
    )
    return written(Row._fields, shown)


def tally_as_csv(lines: Iterable[list]) -> bytes:
    return written(TALLY, lines)


def written(columns: Iterable[str], rows: Iterable[list]) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(value) if isinstance(value, str) else value for value in row])
    return b"\xef\xbb\xbf" + stream.getvalue().encode("utf-8", "replace")


def cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula: the apostrophe in front says so to all of them."""
    shown = visible(text)
    return f"'{shown}" if text.lstrip(" \t\r\n'\"").startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠")) else shown


def summary(rows: list[Row]) -> list[list]:
    """[notebook, exercise, right, wrong, not written, the commonest mistake], an exercise a line."""
    lines = []
    for notebook, exercise in dict.fromkeys((row.notebook, row.exercise) for row in rows):
        of_it = [row for row in rows if (row.notebook, row.exercise) == (notebook, exercise)]
        counts = [sum(row.right is right for row in of_it) for right in (True, False, None)]
        said = [kind(row.mistake) for row in of_it if row.right is False]
        lines.append([notebook, exercise, *counts, max(said, key=said.count) if said else ""])
    return lines


def kind(mistake: str) -> str:
    """A mistake without the numbers of its case."""
    return mistake.split(" (seed ")[0][:120]
