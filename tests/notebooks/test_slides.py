"""The lectures have slides, tagged by rule, and the rule was followed."""

import json

import pytest

from .slides import LECTURES, NOTEBOOKS, kinds, tagged

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
    outputs = [(output, kind) for cell, kind in shown for output in cell.get("outputs", [])]
    assert {kind for output, kind in outputs if "image/png" in output.get("data", {})} == {"subslide"}


def test_a_notebook_that_is_no_lecture_has_no_tags():
    for path in NOTEBOOKS.glob("*.ipynb"):
        if path.stem not in LECTURES:
            assert '"slideshow"' not in path.read_text(encoding="utf-8")
