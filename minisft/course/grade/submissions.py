"""Which notebooks there are, whose they are, and which of the course each one is.

PATH/Ann Lee/07_three_states.ipynb                            a folder a student, at any depth (nbgrader's submitted/)
PATH/Ann Lee_1234_assignsubmission_file_/07_three_states.ipynb     Moodle's folders, and its files without folders
PATH/ann_07_three_states.ipynb                                files named by student; Canvas: leeann_123_456_07_…
PATH/07_three_states.ipynb                                    one student, called as the folder is
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from minisft.course.grade import exercises
from minisft.errors import MinisftError

MOODLE = re.compile(r"_(\d+)_assignsubmission_(file|onlinetext)_?.*$")
CANVAS = re.compile(r"(_LATE)?_\d{3,}_\d{3,}$")
AGAIN = r"(?:[ _-]?\(?(?:copy)?[ _-]?(\d{0,3})\)?)?"  # 07_three_states-1, 07_three_states (2), 07_three_states-Copy1


class Handed(NamedTuple):
    """One notebook of one student."""

    student: str
    notebook: str
    path: Path


def found(paths: list[Path]) -> tuple[list[Handed], list[str]]:
    """The notebooks below these paths, in order, and a line for each file that cannot be one of them.

    Raises MinisftError if there is none.
    """
    handed: dict[tuple[str, str], Handed] = {}
    lines = []
    for top in paths:
        if not (top.is_dir() or top.is_file()):
            raise MinisftError(f"{top}: is neither a folder nor a file; name a folder of submissions, or a notebook")
        for file in files(top):
            if file.is_symlink():
                lines.append(f"{file}: is a link to another file, and is not followed")
            elif file.suffix == ".zip":
                lines.append(f"{file}: is packed; unpack it first")
            elif one := whose(file, top):
                key = one.student, one.notebook
                if key in handed:
                    kept, other = sorted((handed[key], one), key=newest)[::-1]
                    lines.append(f"{other.path}: another one of {one.student}, {kept.path.name}, is judged instead")
                    one = kept
                handed[key] = one
            else:
                lines.append(f"{file}: is not a notebook of this course")
    if not handed:
        raise MinisftError(f"{paths[0]}: no notebook of the course is there; name a folder of submissions")
    return sorted(handed.values(), key=lambda one: (one.student.casefold(), one.student, one.notebook)), lines


def files(top: Path) -> Iterator[Path]:
    """The notebooks and packed files below a path; not what Jupyter and other programs keep in hidden folders."""
    if not top.is_dir():
        yield top
        return
    for path in sorted(top.rglob("*")):
        hidden = any(part.startswith((".", "__MACOSX")) for part in path.relative_to(top).parts)
        wanted = path.suffix in (".ipynb", ".zip") and not hidden and not path.stem.endswith("-checkpoint")
        if wanted and (path.is_symlink() or path.is_file()):
            yield path


def whose(file: Path, top: Path) -> Handed | None:
    """The student is the first folder below `top`, or what stands before the notebook's name."""
    notebook = next((name for name in exercises.notebooks() if re.search(name + AGAIN + "$", file.stem, re.I)), None)
    before = re.split(notebook, file.stem, flags=re.I)[0] if notebook else ""
    notebook = notebook or by_its_content(file)
    if notebook is None:
        return None
    folders = file.relative_to(top).parts[:-1] if top.is_dir() else ()
    name = folders[0] if folders else before or (top if top.is_dir() else top.parent).resolve().name
    return Handed(student(name), notebook, file)


def student(name: str) -> str:
    moodle = MOODLE.search(name)
    if moodle:
        return f"{name[: moodle.start()]} ({moodle[1]})"
    name = name.strip(" _-")
    return CANVAS.sub("", name) or name or "?"


def by_its_content(file: Path) -> str | None:
    """A notebook that was given another name still says which checks it imports."""
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            text = stream.read(1_000_000)
    except OSError:
        return None
    imported = re.search(r"from minisft\.course import (\w+) as check", text)
    return next((n for n in exercises.notebooks() if imported and exercises.package(n) == imported[1]), None)


def newest(one: Handed) -> tuple:
    """By the number that a second file of the same name is given, else by time."""
    again = re.search(AGAIN + "$", re.split(one.notebook, one.path.stem, flags=re.I)[-1], re.I)
    return int(again[1]) if again and again[1] else 0, one.path.stat().st_mtime
