"""Which cells of a notebook are a slide, by rule: the tags that `jupyter nbconvert --to slides` reads.

python -m tests.notebooks.slides        write them into the notebooks that are a lecture
"""

import json
import re
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LECTURES = ("00_start_here", "07_three_states", "08_conditional_versus_joint")


def kinds(cells):
    """For each cell "slide" (a heading), "subslide" (a text or a picture), "-" (below it) or "skip".

    Skipped are exercises with their checks, and code that shows nothing. A cell that shows a table or a line of text
    stays below what was said before it.
    """
    exercise, names = False, {cell["metadata"].get("exercise") for cell in cells} - {None}
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            exercise = bool(re.match(r"### Exercise|\*\*Exercise", source))
            yield "skip" if exercise else "slide" if source.startswith("#") else "subslide"
        elif exercise or "exercise" in cell["metadata"] or not cell["outputs"] or is_check(source, names):
            yield "skip"
        else:
            pictures = any("image/png" in output.get("data", {}) for output in cell["outputs"])
            yield "subslide" if pictures else "-"


def is_check(source, names):
    """Whether a cell judges the answer to one of these exercises."""
    return any(re.match(rf"(verdict = )?check\.{name}\({name}\b", source) for name in names)


def tagged(notebook):
    """The notebook with its tags."""
    cells = [
        cell | {"metadata": cell["metadata"] | {"slideshow": {"slide_type": kind}}}
        for cell, kind in zip(notebook["cells"], kinds(notebook["cells"]), strict=True)
    ]
    return notebook | {"cells": cells}


def main():
    for name in LECTURES:
        path = NOTEBOOKS / f"{name}.ipynb"
        notebook = tagged(json.loads(path.read_text(encoding="utf-8")))
        path.write_text(json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
