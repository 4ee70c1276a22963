"""Which notebooks there are, whose they are, and which of the course each one is.

PATH/Ann Lee/07_three_states.ipynb                            a folder a student, at any depth (nbgrader's submitted/)
PATH/Ann Lee_1234_assignsubmission_file_/07_three_states.ipynb     Moodle's folders, and its files without folders
PATH/ann_07_three_states.ipynb                                files named by student; Canvas: leeann_123_456_07_…
PATH/Lab 1_ann_attempt_2026-11-20-10-11-12_07_three_states.ipynb   Blackboard's
PATH/07_three_states.ipynb                                    one student, called as the folder is
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from minisft.course.grade import exercises
from minisft.errors import MinisftError

MOODLE = re.compile(r"(.*)_(\d+)_assignsubmission_(?:file|onlinetext)_?.*")
CANVAS = re.compile(r"(.+?)(?:_late)?_\d{3,}_\d{3,}(?:_.*)?", re.I)
BLACKBOARD = re.compile(r"(?:.*_)?([^_]+)_attempt_\d{4}(?:-\d\d){5}(?:_.*)?")
AGAIN = r"(?:[ _-]?\(?(?:copy)?[ _-]?(\d{0,3})\)?)?"  # 07_three_states-1, 07_three_states (2), 07_three_states-Copy1
CHECKS = re.compile(r"from minisft\.course import (\w+) as check")


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
    lines, others = [], []
    for top in paths:
        if not (top.is_dir() or top.is_file()):
            raise MinisftError(f"{top}: is neither a folder nor a file; name a folder of submissions, or a notebook")
        for file in files(top):
            if reason := unusable(file):
                lines.append(f"{file}: {reason}")
                continue
            one = whose(file, top)
            if file.suffix.lower() != ".ipynb" and top.is_dir():
                others += [one] if one else []
            elif one:
                key = one.student, one.notebook
                if key in handed:
                    kept, other = sorted((handed[key], one), key=newest)[::-1]
                    lines.append(f"{other.path}: another one of {one.student}, {kept.path.name}, is judged instead")
                    one = kept
                handed[key] = one
            else:
                lines.append(f"{file}: is not a notebook of this course")
    for one in others:
        if (one.student, one.notebook) not in handed:
            lines.append(f"{one.path}: is not a notebook; ask for {one.notebook}.ipynb")
    if not handed:
        more = f" but {len(lines)} other files, such as {lines[0]}" if lines else ""
        raise MinisftError(f"{paths[0]}: no notebook of the course is there{more}; name a folder of submissions")
    lines += without_any(paths, list(handed.values()), lines)
    return sorted(handed.values(), key=lambda one: (one.student.casefold(), one.student, one.notebook)), lines


def files(top: Path) -> Iterator[Path]:
    """What may be a notebook or is packed, below a path; not what other programs keep in hidden folders."""
    if not top.is_dir():
        yield top
        return
    for path in sorted(top.rglob("*")):
        hidden = any(part.startswith((".", "__MACOSX")) for part in path.relative_to(top).parts)
        if hidden or path.stem.endswith("-checkpoint"):
            continue
        if path.suffix.lower() in (".ipynb", ".zip") or (path.is_file() and named(path)):
            yield path


def unusable(file: Path) -> str:
    """Why a file is not even opened, or ""."""
    if file.is_symlink():
        return "is a link to another file, and is not followed"
    if not file.is_file():
        return "is not a file"
    return "is packed; unpack it first" if file.suffix.lower() == ".zip" else ""


def without_any(paths: list[Path], handed: list[Handed], lines: list[str]) -> list[str]:
    """A line for each folder of a student in which nothing was found, and of which no other line speaks."""
    tops = [
        top
        for top in paths
        if top.is_dir() and any(len(o.path.relative_to(top).parts) > 1 for o in handed if o.path.is_relative_to(top))
    ]
    folders = [
        f for top in tops for f in sorted(top.iterdir()) if f.is_dir() and not f.name.startswith((".", "__MACOSX"))
    ]
    known = [str(one.path) for one in handed] + lines
    return [
        f"{f}: holds no notebook of the course" for f in folders if not any(k.startswith(f"{f}{os.sep}") for k in known)
    ]


def named(file: Path) -> re.Match | None:
    """Where the name of a file has that of a notebook."""
    found = [re.search(f"({name})", file.name, re.I) for name in exercises.notebooks()]
    return next((match for match in found if match), None)


def whose(file: Path, top: Path) -> Handed | None:
    """The student is the first folder below `top`, or what stands before the notebook's name."""
    name = named(file)
    called = name and next(n for n in exercises.notebooks() if n == name[1].lower())
    notebook = by_its_content(file, called or "")
    if not notebook:
        return None
    folders = file.relative_to(top).parts[:-1] if top.is_dir() else ()
    before = file.name[: name.start()] if name else "".join(by_platform(file.stem)[:1])
    before = before or (top if top.is_dir() else top.parent).resolve().name
    return Handed(student(folders[0] if folders else before), notebook, file)


def student(name: str) -> str:
    return next(iter(by_platform(name.strip(" _-"))), name.strip(" _-")) or "?"


def by_platform(name: str) -> list[str]:
    """The student in a name that a platform has made, or nothing."""
    if moodle := MOODLE.fullmatch(name):
        return [f"{moodle[1]} ({moodle[2]})"]
    return [match[1] for pattern in (BLACKBOARD, CANVAS) if (match := pattern.fullmatch(name))]


def by_its_content(file: Path, called: str) -> str:
    """A notebook of another name still says which checks it imports. `called` is what its name says, "" if nothing."""
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            imported = CHECKS.findall(stream.read(1_000_000))
    except OSError:
        imported = []
    if not imported or (called and exercises.package(called) in imported):
        return called
    return next((n for n in exercises.notebooks() if exercises.package(n) == imported[0]), called)


def newest(one: Handed) -> tuple:
    """By the number that a second file of the same name is given, else by time."""
    again = re.search(AGAIN + "$", re.split(one.notebook, one.path.stem, flags=re.I)[-1], re.I)
    return int(again[1]) if again and again[1] else 0, one.path.stat().st_mtime
