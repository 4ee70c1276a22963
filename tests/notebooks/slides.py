"""Which cells of a notebook are a slide, by rule: the tags that `jupyter nbconvert --to slides` reads.

python -m tests.notebooks.slides        cut and tag the notebooks that are a lecture
"""

import json
import re
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LECTURES = ("00_start_here", "07_three_states", "08_conditional_versus_joint")
HEADING = re.compile(r"\n+(?=#{2,3} |\*\*Exercise)")
EXERCISE = re.compile(r"#+ Exercise|\*\*Exercise|#+ .*\(●")  # the dots say how hard it is
ROOM, WIDTH = 21, 110  # a slide holds so many lines of text, or rows of a table, of so many letters
LISTING = 15  # lines of code that can be read from the last row


def kinds(cells):
    """For each cell "slide" (a heading), "subslide" (a text, a picture), "-" (below the slide before) or "skip".

    Skipped are exercises with their checks, commands to type, long listings, and code that shows nothing. What a cell
    shows stays below what was said before it, if there is room. A picture fills a slide.
    """
    exercise, names, left = False, {cell["metadata"].get("exercise") for cell in cells} - {None}, 0
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            exercise = bool(EXERCISE.match(source))
            needs, begins = lines(source), "slide" if source.startswith("#") else "subslide"
            skipped = exercise or "\n    " in source
        else:
            needs, begins = sum(map(size, cell["outputs"])), "subslide"
            too_long = source.startswith("source(") and needs > LISTING  # the library's own lines
            skipped = exercise or not cell["outputs"] or is_check(source, names) or too_long
        if skipped:
            yield "skip"
        elif cell["cell_type"] == "code" and needs <= left:
            left -= needs
            yield "-"
        else:
            left = ROOM - needs
            yield begins


def is_check(source, names):
    """Whether a cell judges the answer to one of these exercises."""
    return any(re.match(rf"(verdict = )?check\.{name}\({name}\b", source) for name in names)


def size(output):
    """How many lines of a slide an output takes; a picture or a film takes all."""
    data = output.get("data", {"text/plain": output.get("text")})
    if "image/png" in data or "<iframe" in "".join(data.get("text/html", "")):
        return ROOM
    return 1 + lines("".join(data.get("text/markdown", data["text/plain"])))


def lines(text):
    return sum(1 + len(line) // WIDTH for line in text.split("\n"))


def cut(cell):
    """A text in pieces, so that each heading begins a cell, and a slide is about one thing."""
    if cell["cell_type"] != "markdown":
        return [cell]
    pieces = []
    for piece in HEADING.split("".join(cell["source"])):
        if pieces and re.fullmatch("#.*", pieces[-1]):  # a heading alone: the next one says what is under it
            pieces[-1] += f"\n\n{piece}"
        else:
            pieces.append(piece)
    names = [cell["id"], *(f"{cell['id']}-{number}" for number in range(2, len(pieces) + 1))]
    return [cell | {"id": name, "source": piece.splitlines(keepends=True)} for name, piece in zip(names, pieces)]


def tagged(notebook):
    """The notebook, cut and with its tags."""
    cells = [piece for cell in notebook["cells"] for piece in cut(cell)]
    cells = [
        cell | {"metadata": cell["metadata"] | {"slideshow": {"slide_type": kind}}}
        for cell, kind in zip(cells, kinds(cells), strict=True)
    ]
    return notebook | {"cells": cells}


def main():
    for name in LECTURES:
        path = NOTEBOOKS / f"{name}.ipynb"
        notebook = tagged(json.loads(path.read_text(encoding="utf-8")))
        path.write_text(json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
