"""The planted bugs of planted/bugs/ still fit the code. Whether each is caught: python tests/planted/run.py."""

import builtins
import symtable
from pathlib import Path

import pytest
from planted.bugs import BUGS

import minisft

HOUSE = Path(minisft.__file__).parent
each_bug = pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)


def instructions(code):
    """What a program does: its code objects, without the places in the file that they come from."""
    constants = [instructions(c) if hasattr(c, "co_code") else repr(c) for c in code.co_consts]
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants


def program(source):
    return instructions(compile(source, "planted", "exec", optimize=2))  # without docstrings


def test_there_are_at_least_forty_bugs_each_with_its_own_name_and_one_sentence():
    assert len(BUGS) >= 40
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    assert all(bug.what.endswith(".") and bug.known_from for bug in BUGS)


@each_bug
def test_a_planted_bug_changes_one_line_that_stands_in_the_code_exactly_once(bug):
    source = (HOUSE / bug.file).read_text(encoding="utf-8")
    assert source.count(bug.old) == 1
    before, after = (text.splitlines() for text in (source, source.replace(bug.old, bug.new)))
    assert len(before) == len(after)
    assert sum(one != other for one, other in zip(before, after)) == 1


@each_bug
def test_a_planted_bug_changes_what_the_program_does(bug):
    source = (HOUSE / bug.file).read_text(encoding="utf-8")
    assert program(source) != program(source.replace(bug.old, bug.new))


def unknown_names(source):
    """Global names that some function asks for, and that neither the module nor Python has."""
    top, found = symtable.symtable(source, "planted", "exec"), set()
    waiting = [top]
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        found |= {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
    return found - set(top.get_identifiers()) - set(dir(builtins)) - {"__file__"}


@each_bug
def test_a_planted_bug_computes_something_else_and_does_not_merely_fail_to_run(bug):
    source = (HOUSE / bug.file).read_text(encoding="utf-8").replace(bug.old, bug.new)
    assert unknown_names(source) == set()
