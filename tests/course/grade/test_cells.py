"""A cell as Python, without what only a notebook understands."""

import pytest

from minisft.course.grade.cells import calls, python, source


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("!pip install x\nnp.exp?\n?np\nx = 1", "pass\npass\npass\nx = 1"),
        ("if x:\n    %cd ..\ny = 1", "if x:\n    pass\ny = 1"),
        ("files = !ls -l\nt = %timeit -o f()\nx = 1", "files = None\nt = None\nx = 1"),
        ("%time x = f(1)", "x = f(1)"),
        ("%%time\nx = 1", "# %%time\nx = 1"),
        ("%%capture out\n\n!ls\nx = 1", "# %%capture out\n\npass\nx = 1"),
        ("%%bash\nx = 1", ""),
        ("%%html\n<b>x = 1</b>", ""),
        ("!echo don't\nx = 1", "pass\nx = 1"),
    ],
)
def test_a_line_for_the_notebook_is_taken_out_and_the_rest_stays(text, wanted):
    assert python(text) == wanted


@pytest.mark.parametrize(
    "text", ['s = """\n%matplotlib inline\n!ls\n"""', "x = (7\n% 2)", "x = 1  # why?", "def f(:", "x ="]
)
def test_python_stays_as_it_is_even_where_a_line_looks_like_one_for_the_notebook(text):
    assert python(text) == text


def test_a_text_that_no_machine_reads_is_left_to_others():
    for text in ("\x00", "-" * 100_000 + "1", "s = '\ud800'"):
        assert python(text) == text and calls(text) == ()


def test_odd_numbers_of_a_student_make_no_noise(recwarn):
    assert source({"cell_type": "code", "source": "x = 1if 2else 3"}) and not recwarn
