"""What a notebook shows beside pictures."""

import pytest
from support.hostile import HOSTILE, blanks_as_one, read

from minisft import objective
from minisft.course import display
from minisft.course.grading.verdict import Stumbled
from minisft.errors import visible


def test_the_source_of_a_function_is_shown_as_it_stands_in_the_library():
    shown = display.source(objective.backward)._repr_markdown_()
    assert shown.startswith("```python\ndef backward(cache, dJ") and shown.endswith("\n```")
    assert "w * onehot_minus(pi, cache.targets)" in shown


def test_so_is_that_of_a_class_and_of_a_module():
    assert "class Stumbled(Exception):" in display.source(Stumbled)
    assert '"""' in display.source(objective) and "def forward(" in display.source(objective)


def test_the_derivation_at_the_head_of_a_module_keeps_its_lines():
    shown = display.docstring(objective)
    assert shown.startswith("```text\n") and shown.endswith("\n```")
    assert [line.strip() for line in shown.split("\n")[1:-1]] == [
        line.strip() for line in objective.__doc__.rstrip().split("\n")
    ]


def test_a_table_has_a_row_a_line_and_floats_with_four_digits():
    shown = display.table(["t", "J"], [[0, -1.23456], ["θ̃", 1e-13]])
    assert shown.split("\n") == ["| t | J |", "| --- | --- |", "| 0 | -1.235 |", "| θ̃ | 1e-13 |"]


def test_data_in_a_table_cannot_break_it():
    assert display.table(["a"], [["x|y\nz"]]).split("\n")[-1] == "| x&#124;y↵z |"


@pytest.mark.parametrize("name", HOSTILE)
def test_data_in_a_table_are_shown_as_they_stand_and_so_are_data_in_its_head(name):
    text = HOSTILE[name]
    page = read(display.table([text, "y"], [[text, 0.5], ["θ̃", display.code(text)]]))
    assert page.names() <= {"table", "thead", "tbody", "tr", "th", "td", "code"} and not page.mathematics
    assert [blanks_as_one(cell) for cell in page.texts] == [
        *(blanks_as_one(visible(text)), "y"),
        *(blanks_as_one(visible(text)), "0.5"),
        *("θ̃", blanks_as_one(visible(text))),
    ]


def test_markdown_in_a_table_is_said_to_be_markdown():
    strong = display.Markdown(f"**no**, not {display.code('<b>')}")
    page = read(display.table([display.Markdown("*x*")], [[strong], ["**no**"]]))
    assert page.texts == ["x", "no, not <b>", "**no**"] and {"em", "strong", "code"} <= page.names()


def test_a_source_with_backticks_in_it_stays_one_block(monkeypatch):
    def fenced():
        """
        ```python
        </code><script>alert(1)</script>
        ```
        """

    page = read(display.source(fenced))
    assert [tag for tag, _ in page.tags] == ["pre", "code"] and "<script>" in page.texts[0]
    monkeypatch.setattr(objective, "__doc__", fenced.__doc__)
    page = read(display.docstring(objective))
    assert [tag for tag, _ in page.tags] == ["pre", "code"] and "<script>" in page.texts[0]


def test_what_is_shown_is_text_still():
    assert isinstance(display.table(["a"], []), str) and display.cell(0.5) == "0.5"
