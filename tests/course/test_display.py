"""What a notebook shows beside pictures."""

from minisft import objective
from minisft.course import display
from minisft.course.grading.verdict import Stumbled


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
    assert display.table(["a"], [["x|y\nz"]]).split("\n")[-1] == "| x\\|y↵z |"


def test_what_is_shown_is_text_still():
    assert isinstance(display.table(["a"], []), str) and display.cell(0.5) == "0.5"
