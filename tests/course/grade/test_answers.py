"""Which cells of a notebook an answer is made of."""

import pytest

from course.grade.made_up import CHECK, RIGHT, WRONG, cells, exercise
from minisft.course.grade.answers import Missing, taken


def namespace(*sources, name="log_pr", notebook="01_log_probability"):
    space = {}
    exec(taken(cells(*sources), exercise(name, notebook)), space)
    return space


def missing(*sources):
    with pytest.raises(Missing) as caught:
        taken(cells(*sources), exercise("log_pr"))
    return caught.value.args


def test_the_program_ends_with_the_functions_that_the_check_is_given():
    (answer,) = namespace(WRONG, CHECK)["answers_to_judge"]
    assert answer(1, 2, 3) == 0.0


def test_an_exercise_of_several_functions_gives_all_of_them_in_the_order_of_the_check():
    space = namespace("def go_on(*a): pass\ndef save(s): pass", name="stop_and_go", notebook="07_three_states")
    assert [answer.__name__ for answer in space["answers_to_judge"]] == ["save", "go_on"]


def test_what_an_answer_needs_is_found_in_cells_above_and_below_it():
    space = namespace(
        "import math", "def log_pr(l, i, y):\n    return half(math.pi)", "half = lambda v: v / TWO\nTWO = 2"
    )
    assert space["answers_to_judge"][0](0, 0, 0) == pytest.approx(1.5707963)


def test_lines_that_only_do_something_are_not_run():
    program = taken(cells("print('hello')\nraise_ = 1/0\n1/0", WRONG + "log_pr(1, 2, 3)", CHECK), exercise("log_pr"))
    assert "hello" not in program and "1/0" not in program and CHECK not in program


def test_a_local_name_does_not_drag_in_a_line_of_the_notebook():
    assert "1 / 0" not in taken(cells("z = 1 / 0", "def log_pr(l, i, y):\n    z = 3\n    return z"), exercise("log_pr"))


def test_a_name_of_a_comprehension_does_not_drag_in_a_line_of_the_notebook():
    for squares in ("[v * v for v in (1, 2)]", "{v * v for v in (1, 2)}", "{v: v for v in (1, 2)}"):
        answer = f"squares = {squares}\ndef log_pr(l, i, y):\n    return [v for v in squares]"
        assert "1 / 0" not in taken(cells("v = 1 / 0", answer), exercise("log_pr"))


def test_a_comprehension_needs_a_name_that_only_its_neighbour_binds():
    answer = "def log_pr(l, i, y):\n    return [k for k in l] + [k for _ in l]"
    assert "k = 2" in taken(cells("k = 2", answer), exercise("log_pr"))


def test_a_comprehension_of_a_function_uses_what_stands_there_when_it_is_called():
    space = namespace("n = 1\ndef log_pr(l, i, y):\n    return [n for _ in l], {n: n for _ in l}\nn = 2")
    assert space["answers_to_judge"][0]([0], 0, 0) == ([2], {2: 2})


def test_a_comprehension_that_runs_at_once_uses_what_stood_above_it():
    space = namespace("n = 1\nfirst = [n for _ in 'a']\nn = 2\ndef log_pr(l, i, y):\n    return first, n")
    assert space["answers_to_judge"][0](0, 0, 0) == ([1], 2)


def test_a_note_of_a_type_does_not_drag_in_a_star_import():
    assert "turtle" not in taken(
        cells("from turtle import *", "n: int = 3\ndef log_pr(l, i, y):\n    return n"), exercise("log_pr")
    )


def test_what_python_warns_about_in_a_text_is_no_mistake():
    """LaTeX in a string that is not raw. In these tests a warning is an error."""
    program = taken(cells('def log_pr(l, i, y):\n    return "\\lambda"', CHECK), exercise("log_pr"))
    assert "\\lambda" in program


def test_of_several_definitions_the_last_one_above_the_last_check_counts():
    assert "return 0.0" not in taken(cells(WRONG, CHECK, RIGHT, CHECK), exercise("log_pr"))
    assert "return 0.0" in taken(cells(RIGHT, WRONG, CHECK, RIGHT), exercise("log_pr"))


def test_a_line_that_runs_at_once_uses_what_stood_above_it():
    space = namespace("n = 1\nfirst = n\nn = 2\ndef log_pr(l, i, y):\n    return first, n")
    assert space["answers_to_judge"][0](0, 0, 0) == (1, 2)


def test_what_changes_a_name_is_run_after_what_makes_it():
    space = namespace("memo = {}\nmemo['a'] = 1\nn = 1\nn += 1\ndef log_pr(l, i, y):\n    return memo, n")
    assert space["answers_to_judge"][0](0, 0, 0) == ({"a": 1}, 2)


def test_what_a_method_fills_is_filled():
    filled = "table, other = [], []\ntable.append(1)\nfor i in (2, 3):\n    table.append(i)\nother.append(1 / 0)"
    assert namespace(filled, "def log_pr(l, i, y):\n    return table")["answers_to_judge"][0](0, 0, 0) == [1, 2, 3]


def test_a_call_of_a_module_changes_nothing():
    lines = "import math\nmath.sqrt(-1)\nfor x in (4, -4):\n    math.sqrt(x)"
    assert "sqrt" not in taken(cells(lines, "def log_pr(l, i, y):\n    return math.pi"), exercise("log_pr"))


def test_a_call_of_what_nobody_has_made_drags_nothing_in():
    program = taken(cells("for x in (1, 2):\n    m.show(x)\ndef log_pr(l, i, y):\n    return m"), exercise("log_pr"))
    assert "show" not in program


def test_a_global_that_a_function_only_counts_up_is_found():
    space = namespace("calls = 0\ndef log_pr(l, i, y):\n    global calls\n    calls += 1")
    assert space["answers_to_judge"][0](0, 0, 0) is None and space["calls"] == 1


def test_an_import_of_the_future_holds_for_every_cell():
    program = taken(
        cells("from __future__ import annotations", "n = 1\ndef log_pr(l: Nowhere) -> None:\n    return n"),
        exercise("log_pr"),
    )
    assert program.startswith("from __future__ import annotations\n")
    exec(program, {})


@pytest.mark.parametrize(
    "lines",
    [
        "log_pr = eval('lambda l, i, y: math.pi')",
        "exec('def log_pr(l, i, y):\\n    return math.pi')",
        "names = {'math': math}\nexec('def f(l, i, y): return math.pi', names)\nlog_pr = names['f']",
        "def log_pr(l, i, y):\n    return eval('math.pi')",
    ],
)
def test_what_a_text_needs_and_defines_that_is_executed_is_found(lines):
    assert namespace("import math, no_such_module", lines)["answers_to_judge"][0](0, 0, 0) > 3


def test_the_checks_may_have_another_name():
    lines = ("from minisft.course import log_probability as judge", WRONG, "judge.log_pr(log_pr)", RIGHT)
    assert "return 0.0" in taken(cells(*lines), exercise("log_pr"))


def test_of_an_import_of_several_names_only_those_needed_are_imported():
    program = taken(
        cells("from minisft import plots, model\nimport os, sys", "def log_pr(l, i, y):\n    return model, sys"),
        exercise("log_pr"),
    )
    assert "plots" not in program and "import sys" in program and "os" not in program.split()


def test_a_function_of_another_name_counts_if_it_is_handed_to_the_check():
    assert "my_own" in taken(cells("def my_own(l, i, y):\n    return 1.0", "check.log_pr(my_own)"), exercise("log_pr"))
    assert "lambda" in taken(cells("check.log_pr(lambda l, i, y: 1.0)"), exercise("log_pr"))


def test_what_only_a_notebook_understands_is_left_out():
    space = namespace("%matplotlib inline\n!pip install x\n" + WRONG, "%%bash\necho log_pr = 5", CHECK)
    assert callable(space["answers_to_judge"][0])


def test_a_star_import_counts_where_a_name_comes_from_nowhere_else():
    assert namespace("from math import *\ndef log_pr(l, i, y):\n    return pi")["answers_to_judge"][0](0, 0, 0) > 3


def test_two_statements_in_a_line_are_told_apart():
    assert namespace("a = 5; print(b)\ndef log_pr(l, i, y): return a")["answers_to_judge"][0](0, 0, 0) == 5


def test_no_answer_is_empty_and_one_that_cannot_be_read_is_wrong():
    assert missing("x = 1") == (None, "there is no log_pr in the notebook")
    assert missing("def log_pr(l, i, y)\n    return 0")[0] is False


@pytest.mark.parametrize("strange", [None, 7, "text", {}, {"cell_type": "code"}, {"cell_type": "code", "source": 3}])
def test_cells_that_are_none_are_passed_over(strange):
    assert "return 0.0" in taken([strange, *cells(WRONG)], exercise("log_pr"))
