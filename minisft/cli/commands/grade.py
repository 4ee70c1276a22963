"""Judge the notebooks that students handed in: a row for each student and exercise.

PATH is a folder with a folder for each student, or with files named by student; it may also be one notebook. An answer
is taken out of its notebook with what it needs, and runs in a process of its own, with bounded time and memory. What a
notebook has done to its kernel or to its checks has no effect. After Ctrl-C the file of --csv has the rows judged until
then.

examples:
  minisft grade submitted --csv grades.csv
  minisft grade submitted --predictions
"""

import csv
import io
from argparse import ArgumentParser, Namespace
from pathlib import Path

import numpy as np

from minisft.cli import flags
from minisft.cli.console import Bar, print_json, print_table, say
from minisft.config import whole
from minisft.course.grade import notebook_file, predictions, submissions, table
from minisft.course.grade import run as grading
from minisft.errors import MinisftError, quoted
from minisft.formats.apart import require_apart
from minisft.formats.files import read_text, write_atomically
from minisft.runs.loop import ctrl_c_waits


def add_flags(parser: ArgumentParser) -> None:
    parser.add_argument("paths", type=flags.path, nargs="+", metavar="PATH", help="submissions: folders or notebooks")
    flags.option(parser, "--csv", "write the rows to this file", flags.path, metavar="FILE")
    flags.option(parser, "--exercise", "judge this one only", flags.text, metavar="NAME")
    flags.switch(parser, "--predictions", "count what the class predicted instead; nothing is run")
    noted = "who was given which variant: a .csv with the columns student and variant (default: what a notebook says)"
    flags.option(parser, "--variants", noted, flags.path, metavar="FILE")
    flags.option(parser, "--seed", "seed of the random cases (default: a fresh one, which is told)", whole(0))
    flags.as_json(parser)


def run(arguments: Namespace) -> None:
    handed, lines = submissions.found([Path(path) for path in arguments.paths])
    for line in lines:
        say(line)
    target = Path(arguments.csv) if arguments.csv else None
    if target is not None:
        require_table(target, handed)
    if arguments.predictions:
        tallied(arguments, handed, target)
        return
    given = variants(Path(arguments.variants)) if arguments.variants else None
    numbers, others = grading.variants_of(handed, given)
    for line in others:
        say(line)
    seed = int(np.random.default_rng().integers(2**31)) if arguments.seed is None else arguments.seed
    wanted, judged = grading.all_wanted(handed, seed, numbers), {}
    if arguments.exercise:
        wanted = [one for one in wanted if one.exercise.name == arguments.exercise]
        if not wanted:
            raise MinisftError(
                f"--exercise: no notebook here has {quoted(arguments.exercise)}; the table names them all"
            )
    try:
        with Bar("answers judged", len(wanted)) as bar:

            def done(place: int, row: table.Row) -> None:
                judged[place] = row
                bar.show(len(judged))

            rows = grading.graded(wanted, done)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(interrupted(target, judged, len(wanted))) from None
    if target is not None:
        write_atomically(target, table.as_csv(rows))
    if arguments.json:
        print_json({"seed": seed, "rows": [row._asdict() for row in rows], "lines": lines + others})
        return
    students = len({row.student for row in rows})
    columns = ["notebook", "exercise", "right", "wrong", "not written", "the commonest mistake"]
    print_table(f"{students} students, seed {seed}", columns, table.summary(rows))


def interrupted(target: Path | None, judged: dict[int, table.Row], count: int) -> str:
    """Write the rows that there are after Ctrl-C, and say how many of how many."""
    if target is None or not judged:
        return f"{len(judged)} of {count} answers were judged, and nothing is written"
    with ctrl_c_waits():
        write_atomically(target, table.as_csv(judged[place] for place in sorted(judged)))
    return f"{len(judged)} of {count} answers were judged, and are in {target}"


def require_table(target: Path, handed: list[submissions.Handed]) -> None:
    """Refuse a file that is none of ours, or one of those handed in, before anything is judged."""
    if target.is_dir():
        raise MinisftError(f"--csv: {target} is a directory; name a file")
    require_apart(target, [one.path for one in handed], "--csv")
    if target.exists() and target.suffix != ".csv":
        raise MinisftError(f"--csv: {target} exists and is not a .csv; name another file")
    if not target.absolute().parent.is_dir():
        raise MinisftError(f"--csv: {target.parent} is not there; make it first")


def variants(path: Path) -> dict[str, int]:
    """{student: number} of a table. Raises MinisftError for another one."""
    found = {}
    rows = csv.DictReader(io.StringIO(read_text(path).removeprefix("\ufeff"), newline=""))
    for number, row in enumerate(rows, 2):
        student, variant = row.get("student"), (row.get("variant") or "").strip()
        if not student or not variant.isdecimal() or int(variant) >= 2**31:
            raise MinisftError(f"{path}:{number}: a row has a student and a variant, a whole number; write both")
        found[student] = int(variant)
    if not found:
        raise MinisftError(f"{path}: has no rows; write the columns student and variant, and a row for each student")
    return found


def tallied(arguments: Namespace, handed: list[submissions.Handed], target: Path | None) -> None:
    said = []
    for one in handed:
        try:
            said += predictions.made(one, notebook_file.cells_of(str(one.path)))
        except MinisftError as error:
            say(f"{one.path}: {error}")
    counted = predictions.tally(said)
    if target is not None:
        write_atomically(target, table.tally_as_csv(counted))
    if arguments.json:
        print_json({"predictions": [one._asdict() for one in said]})
        return
    print_table(f"{len({one.student for one in said})} students", list(table.TALLY), counted)
