"""The way on for somebody who is stuck: hints, each folded under the one before, and the solution after three tries.

Both stand in a file of text, notebooks/solutions/<notebook>.py, which is read here and never run. There an exercise
begins with `# %% name` and three lines `# 1. …`, `# 2. …`, `# 3. …`: what to look at, the formula, the first line.
"""

import re
from functools import cache
from typing import NamedTuple

from minisft.course.grading.verdict import Verdict
from minisft.formats import resources
from minisft.formats.files import read_text
from minisft.formats.markup import escaped

TRIES = 3  # honest ones: written, judged wrong, and different from one another
HINTS = ("Hint 1: what to look at", "Hint 2: the formula", "Hint 3: the first line")


class Way(NamedTuple):
    hints: tuple[str, ...]
    solution: str


class Helped(Verdict):
    """A verdict with a way on, which a notebook shows folded; `solution` is empty before three tries."""

    hints: tuple[str, ...]
    solution: str

    def _repr_html_(self):
        shown = "".join(f"<div>{escaped(line)}</div>" for line in repr(self).split("\n"))
        folded = f"<details><summary>The solution</summary>{block(self.solution)}</details>" if self.solution else ""
        for title, hint in reversed(list(zip(HINTS, self.hints))):
            folded = f"<details><summary>{title}</summary>{block(hint)}{folded}</details>"
        return shown + folded


def block(text: str) -> str:
    return f"<pre>{chr(10).join(map(escaped, text.splitlines()))}</pre>"


def helped(verdict: Verdict, way: Way, tries: int) -> Verdict:
    """The verdict with the hints, and with the solution from the third try on."""
    result = Helped(*verdict)
    result.hints, result.solution = way.hints, way.solution if tries >= TRIES else ""
    return result


def notebook_of(package: str) -> str:
    """The name of the notebook of a package of the course, "" if it has none: its number stands in the file's name."""
    return next((path.stem for path in resources.notebooks().glob(f"[0-9][0-9]*_{package}.ipynb")), "")


@cache
def ways(notebook: str) -> dict[str, Way]:
    """{exercise: its hints and its solution}; nothing where the file is not there."""
    path = resources.notebooks() / "solutions" / f"{notebook}.py"
    if not path.is_file():
        return {}
    parts = re.split(r"^# %% (\S+)\n", read_text(path), flags=re.MULTILINE)
    return {name: way(text) for name, text in zip(parts[1::2], parts[2::2])}


def way(text: str) -> Way:
    hints = re.findall(r"^# [123]\. (.*\n(?:#    .*\n)*)", text, flags=re.MULTILINE)
    code = re.sub(r"^# [123]\. .*\n(?:#    .*\n)*", "", text, flags=re.MULTILINE)
    return Way(tuple(re.sub(r"^#    ", "", hint, flags=re.MULTILINE).strip() for hint in hints), code.strip())
