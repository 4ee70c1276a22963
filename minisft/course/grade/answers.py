"""An answer taken out of its notebook: the functions that its check is given, and what they need.

Which cells count: of all cells down to the last one that hands the answer to its check, the definitions that the answer
needs by name, and what these need in turn: imports, functions, classes, assignments. Of several definitions of one name
the last one counts, for a line that runs at once the last one above it. Where a cell is does not matter, nor what it is
called, nor whether the notebook or the student wrote it. A line that calls a method of what the answer needs, as
`table.append(…)`, changes it and runs, too. Nothing else does: no line that only does something, so no plot, no call of
a check, and no training but one that a value comes from that the answer needs.
"""

import ast
import builtins
import re
from typing import Any

from minisft.course.grade.cells import arguments, calls, source
from minisft.course.grade.exercises import Exercise
from minisft.course.grade.statements import Statement, read, unreadable, used

CHECKS = re.compile(r"from minisft\.course import \w+ as (\w+)")


class Missing(Exception):
    """There is no answer, and why; `args` are (right, sentence)."""


def taken(cells: list[Any], exercise: Exercise) -> str:
    """A program that ends with the tuple `answers_to_judge`. Raises Missing."""
    texts = [source(cell) for cell in cells]
    checks = frozenset({"check", *(name for text in texts for name in CHECKS.findall(text))})
    handed = [[c for c in calls(text, checks) if c.func.attr == exercise.name] for text in texts]
    checked = [place for place, found in enumerate(handed) if found]
    texts = texts[: checked[-1] + 1] if checked else texts
    statements = changing([statement for text in texts for statement in read(text)])
    wanted = handed_over(exercise, statements, texts, [call for found in handed for call in found])
    names = used(f"({wanted},)")
    future = [place for place, statement in enumerate(statements) if is_future(statement.node)]  # it holds everywhere
    chosen = sorted(needs(statements, names) - set(future))
    program = [only_needed(statements[place], chosen, statements, set.union(*names)) for place in chosen]
    program = [*(statements[place].text for place in future), *program, f"answers_to_judge = ({wanted},)\n"]
    return "\n\n\n".join(program)


def changing(statements: list[Statement]) -> list[Statement]:
    """A call of a method changes what is made here, but not a module; what changes nothing is left out."""
    modules = {name for s in statements if isinstance(s.node, (ast.Import, ast.ImportFrom)) for name in s.names}
    made = {name for s in statements for name in s.names} - modules
    known = [s._replace(names=s.names | (s.called & made)) for s in statements]
    return [s for s in known if s.names]


def is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def handed_over(exercise: Exercise, statements: list[Statement], texts: list[str], handed: list[ast.Call]) -> str:
    """The names of the answers, or what a renamed answer is called in the cell of its check."""
    defined = {name for statement in statements for name in statement.names}
    missing = [name for name in exercise.answers if name not in defined]
    if not missing:
        return ", ".join(exercise.answers)
    if handed and len(arguments(handed[-1])) >= len(exercise.answers):
        own = arguments(handed[-1])[: len(exercise.answers)]
        if own != exercise.answers and set.union(*used(", ".join(own))) <= defined | set(dir(builtins)):
            return ", ".join(own)
    broken = [error for text in texts for name in missing if name in text and (error := unreadable(text))]
    if broken:
        raise Missing(False, f"its cell does not run: {broken[-1]}")
    raise Missing(None, f"there is no {' and no '.join(missing)} in the notebook")


def needs(statements: list[Statement], names: tuple[set[str], set[str]]) -> set[int]:
    """The places of the statements that define these names, and all that these need."""
    end = len(statements)
    chosen: set[int] = set()
    waiting, done = [(name, end) for name in set.union(*names)], set()
    while waiting:
        wanted = waiting.pop()
        if wanted in done:
            continue
        done.add(wanted)
        for place in definitions(statements, *wanted):
            if place not in chosen:
                chosen.add(place)
                waiting += [(name, place) for name in statements[place].now]
                waiting += [(name, end) for name in statements[place].later]
    return chosen


def definitions(statements: list[Statement], name: str, before: int) -> list[int]:
    """Where a name is defined last, and where it is changed after that; an `import *` if it is defined nowhere."""
    found = []
    for place in reversed(range(before)):
        if name in statements[place].names:
            found.append(place)
            if statements[place].whole:
                return found
    if not found and before < len(statements):
        return definitions(statements, name, len(statements))
    if found or hasattr(builtins, name):
        return found
    return [place for place, statement in enumerate(statements) if "*" in statement.names]


def only_needed(statement: Statement, chosen: list[int], statements: list[Statement], names: set[str]) -> str:
    """Of an import of several names those that are needed: a picture's library need not be loaded."""
    node = statement.node
    if not isinstance(node, (ast.Import, ast.ImportFrom)) or "*" in statement.names:
        return statement.text
    needed = names | {name for place in chosen for name in statements[place].now | statements[place].later}
    kept = [alias for alias in node.names if (alias.asname or alias.name.split(".")[0]) in needed] or node.names
    shortened = ast.Import(kept) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, kept, node.level)
    return ast.unparse(shortened)
