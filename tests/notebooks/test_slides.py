"""The lectures have slides, tagged by rule, and the rule was followed."""

import json

import pytest

from .slides import LECTURES, NOTEBOOKS, cut, kinds, tagged

READ = {name: json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8")) for name in LECTURES}
each_lecture = pytest.mark.parametrize("name", LECTURES)


@each_lecture
def test_the_tags_of_a_lecture_are_those_of_the_rule(name):
    assert READ[name] == tagged(READ[name])  # python -m tests.notebooks.slides writes them


@each_lecture
def test_no_slide_shows_an_exercise_and_every_picture_has_a_slide_of_its_own(name):
    cells = READ[name]["cells"]
    shown = list(zip(cells, kinds(cells), strict=True))
    assert shown[0][1] == "slide" and sum(kind != "skip" for _, kind in shown) > len(cells) / 2
    assert all(kind == "skip" for cell, kind in shown if "exercise" in cell["metadata"])
    texts = ["".join(cell["source"]) for cell, kind in shown if cell["cell_type"] == "markdown" and kind != "skip"]
    assert not any("Exercise" in text or "(●" in text for text in texts)
    outputs = [(output, kind) for cell, kind in shown for output in cell.get("outputs", [])]
    assert {kind for output, kind in outputs if "image/png" in output.get("data", {})} == {"subslide"}


def test_a_notebook_that_is_no_lecture_has_no_tags():
    for path in NOTEBOOKS.glob("*.ipynb"):
        if path.stem not in LECTURES:
            assert '"slideshow"' not in path.read_text(encoding="utf-8")


def text(source):
    return {"cell_type": "markdown", "id": "t", "metadata": {}, "source": source.splitlines(keepends=True)}


def shows(*outputs, source="f()"):
    made = [{"output_type": "display_data", "data": data} for data in outputs]
    return {"cell_type": "code", "id": "c", "metadata": {}, "source": [source], "outputs": made}


PICTURE = {"image/png": "", "text/plain": "a picture"}
TABLE = {"text/markdown": "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 6, "text/plain": ""}


@pytest.mark.parametrize(
    "cells, expected",
    [
        ([text("Here it is."), shows(TABLE)], ["subslide", "-"]),
        ([text("Here it is."), shows(TABLE), shows(TABLE), shows(TABLE)], ["subslide", "-", "-", "subslide"]),
        ([text("Here it is."), shows(PICTURE), shows(TABLE)], ["subslide", "subslide", "subslide"]),
        ([text("## 1. A heading"), shows({"text/plain": "one line"})], ["slide", "-"]),
        ([text("## Yours (●●○, 10 min)"), shows(TABLE), text("So it is.")], ["skip", "skip", "subslide"]),
        ([text("Type this:\n\n    minisft demo")], ["skip"]),
        ([shows({"text/markdown": "line\n" * 30, "text/plain": ""}, source="source(train.train)")], ["skip"]),
        ([shows({"text/markdown": "line\n" * 9, "text/plain": ""}, source="source(train.State)")], ["subslide"]),
    ],
)
def test_a_slide_holds_what_can_be_read_at_once(cells, expected):
    assert list(kinds(cells)) == expected


def test_a_text_is_cut_before_each_heading_that_has_something_above_it():
    pieces = cut(text("So it is.\n\n## 4. Next\n\n### At once\n\nAnd.\n\n### Exercise 2\n\nDo it."))
    assert ["".join(piece["source"]) for piece in pieces] == [
        "So it is.",
        "## 4. Next\n\n### At once\n\nAnd.",
        "### Exercise 2\n\nDo it.",
    ]
    assert [piece["id"] for piece in pieces] == ["t", "t-2", "t-3"]
