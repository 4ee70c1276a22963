"""What one system, or one Python of those that pyproject.toml allows, takes and another does not. Read, not run."""

import ast
import symtable
import sys
from pathlib import Path

import pytest

from minisft.course.grade.cells import source
from minisft.course.grade.exercises import installed, notebooks

ROOT = Path(__file__).parents[1]
FOLDERS = ("benchmarks", "data", "docs", "minisft", "notebooks", "tests")
FILES = {
    path.relative_to(ROOT).as_posix(): path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))
}
OURS = [name for name in FILES if name.startswith(("minisft/", "data/"))]


def calls(text):
    """(what is called, the call) for each call in some code, as in ("open", …) or ("multiprocessing.Pool", …)."""
    return [(ast.unparse(node.func), node) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]


# --- names in comprehensions ------------------------------------------------------------------------------------------
# Since Python 3.12 a comprehension in brackets is a part of the function that it stands in. A name that it binds then
# hides what another comprehension of that function, or a function in it, reads from outside: in all versions if that is
# a name of an enclosing function, in 3.12.0 to 3.12.3 if it is one of the module (python/cpython, 118513 and 156664).

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
    found = {name: hidden_in(path.read_text(encoding="utf-8")) for name, path in FILES.items()}
    found |= {name: hidden_in("\n".join(map(source, installed(name)))) for name in notebooks()}
    assert {place: names for place, names in found.items() if names} == {}


@keeps_them_apart
@pytest.mark.parametrize("second", ["[x for _ in a]", "{x: 1 for _ in a}", "[[x for _ in a] for _ in a]"])
def test_a_name_that_is_hidden_is_found(second):
    for first in ("[x for x in a]", "{x for x in a}", "{x: 1 for x in a}", "[1 for b in a for x in b]"):
        function = f"def f(a):\n    return {first}, {second}"
        assert hidden_in(f"x = 1\n{function}") == {("x", 2)}
        assert hidden_in("def g():\n    x = 1\n    " + function.replace("\n", "\n    ")) == {("x", 3)}


@keeps_them_apart
@pytest.mark.parametrize(
    "harmless", ["[x for x in a], x", "[x for x in a], [x for x in a]", "[x for x in x]", "[[x for _ in a] for x in a]"]
)
def test_a_name_that_nothing_else_reads_is_not_hidden(harmless):
    assert hidden_in(f"x = 1\ndef f(a):\n    return {harmless}") == set()
    assert hidden_in(f"def f(a, x):\n    return {harmless}, [x for _ in a]") == set()


# --- what a system decides if nobody says it --------------------------------------------------------------------------


def left_to_the_system(text):
    """The lines that read or write a text without its encoding, or write one without the ends of its lines."""
    for what, call in calls(text):
        name, said = what.rpartition(".")[2], {keyword.arg for keyword in call.keywords}
        modes = [value.value for value in call.args if isinstance(value, ast.Constant) and isinstance(value.value, str)]
        binary = any("b" in mode for mode in modes[-1:] if set(mode) <= set("rwxabt+"))
        writes = any(set(mode) & set("wxa+") for mode in modes[-1:] if set(mode) <= set("rwxabt+"))
        if what in ("open", "io.open", "os.fdopen") and not binary:
            kept = ast.unparse(call.args[0]) != "os.devnull"
            if "encoding" not in said or (writes and kept and "newline" not in said):
                yield call.lineno
        elif name in ("read_text", "write_text") and what != "read_text" and "encoding" not in said:
            yield call.lineno


def test_every_text_of_ours_says_its_encoding_and_its_ends_of_lines():
    found = {name: list(left_to_the_system(FILES[name].read_text(encoding="utf-8"))) for name in OURS}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    ["open(path)", "open(path, 'w', encoding='utf-8')", "path.read_text()", "open(path, 'a', newline='')"],
)
def test_a_text_that_is_left_to_the_system_is_found(line):
    assert list(left_to_the_system(line)) == [1]


PROCESSES = {"Pool", "Process", "Queue", "Pipe", "Manager", "ProcessPoolExecutor", "SimpleQueue", "Event", "Lock"}


def test_how_a_process_starts_is_said_by_whoever_starts_it():
    """By default it is a fork on Linux up to Python 3.13, a server of forks from 3.14, and a new program elsewhere."""
    for name in OURS:
        for what, call in calls(FILES[name].read_text(encoding="utf-8")):
            if what == "ProcessPoolExecutor":
                assert len(call.args) > 1 or "mp_context" in {keyword.arg for keyword in call.keywords}, name
            assert what.partition(".")[0] != "multiprocessing" or what.rpartition(".")[2] not in PROCESSES, name
