"""What one Python takes and a later one does not, of those that pyproject.toml allows. Read from the source, not run.

Since Python 3.12 a comprehension in brackets is a part of the function that it stands in. A name that it binds then
hides what another comprehension of that function, or a function in it, reads from outside: in all versions if that is a
name of an enclosing function, in 3.12.0 to 3.12.3 if it is one of the module (python/cpython, 118513 and 156664).
"""

import symtable
import sys
from pathlib import Path

import pytest

from minisft.course.grade.exercises import installed, notebooks, source

ROOT = Path(__file__).parents[1]
FOLDERS = ("benchmarks", "data", "docs", "minisft", "notebooks", "tests")
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
IN_PLACE = {"listcomp", "setcomp", "dictcomp"}


def below(table):
    for child in table.get_children():
        yield child
        yield from below(child)


def symbols(tables, kind):
    return {symbol.get_name() for table in tables for symbol in table.get_symbols() if getattr(symbol, kind)()}


def hidden(function):
    """The names that a comprehension of this function binds, and that something else in it reads from outside."""
    tables = list(below(function))
    bound = symbols((table for table in tables if table.get_name() in IN_PLACE), "is_local")
    read = symbols(function.get_children(), "is_free") | symbols(tables, "is_global")
    return (bound & read) - symbols([function], "is_local")


def hidden_in(text):
    """All of them in some code, each with the line of its function."""
    functions = (t for t in below(symtable.symtable(text, "code", "exec")) if t.get_type() == "function")
    return {(name, function.get_lineno()) for function in functions for name in hidden(function)}


keeps_them_apart = pytest.mark.skipif(sys.version_info >= (3, 12), reason="its symtable does not keep them apart")


@keeps_them_apart
def test_no_comprehension_hides_a_name_from_another():
    found = {str(path.relative_to(ROOT)): hidden_in(path.read_text(encoding="utf-8")) for path in FILES}
    found |= {name: hidden_in("\n".join(map(source, installed(name)))) for name in notebooks()}
    assert {place: names for place, names in found.items() if names} == {}


@keeps_them_apart
@pytest.mark.parametrize("second", ["[x for _ in a]", "{x: 1 for _ in a}", "[[x for _ in a] for _ in a]"])
def test_a_name_that_is_hidden_is_found(second):
    for first in ("[x for x in a]", "{x for x in a}", "{x: 1 for x in a}", "[1 for b in a for x in b]"):
        assert hidden_in(f"x = 1\ndef f(a):\n    return {first}, {second}") == {("x", 2)}
        assert hidden_in(f"def f(a):\n    x = 1\n    def g():\n        return {first}, {second}\n    return g") == {
            ("x", 3)
        }


@keeps_them_apart
@pytest.mark.parametrize(
    "harmless", ["[x for x in a], x", "[x for x in a], [x for x in a]", "[x for x in x]", "[[x for _ in a] for x in a]"]
)
def test_a_name_that_nothing_else_reads_is_not_hidden(harmless):
    assert hidden_in(f"x = 1\ndef f(a):\n    return {harmless}") == set()
    assert hidden_in(f"def f(a, x):\n    return {harmless}, [x for _ in a]") == set()
