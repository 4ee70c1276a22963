"""An answer taken out of its notebook: the functions that its check is given, and what they need.

Which cells count: of all cells down to the last one that hands the answer to its check, the definitions that the answer
needs by name, and what these need in turn: imports, functions, classes, assignments. Of several definitions of one name
the last one counts, for a line that runs at once the last one above it. Where a cell is does not matter, nor what it is
called, nor whether the notebook or the student wrote it. Nothing else runs: no line that only does something, so no
plot, no call of a check, and no training but one that a value comes from that the answer needs.
"""

import ast
import builtins
import symtable
import warnings
from itertools import pairwise
from typing import Any, NamedTuple

from minisft.course.grade.exercises import Exercise, arguments, calls, source, tree
from minisft.errors import one_line

OF_THE_COMPILER = {"__conditional_annotations__"}  # where Python 3.14 notes which annotations of a module it has passed


class Missing(Exception):
    """There is no answer, and why; `args` are (right, sentence)."""


class Statement(NamedTuple):
    node: ast.stmt
    text: str
    names: set[str]  # that it defines, or changes
    whole: bool  # whether it defines them anew
    now: set[str]  # that it needs when it runs
    later: set[str]  # that functions in it need when they are called


def taken(cells: list[Any], exercise: Exercise) -> str:
    """A program that ends with the tuple `answers_to_judge`. Raises Missing."""
    texts = [source(cell) for cell in cells]
    checked = [place for place, text in enumerate(texts) if exercise.name in {c.func.attr for c in calls(text)}]  # type: ignore
    texts = texts[: checked[-1] + 1] if checked else texts
    statements = [statement for text in texts for statement in read(text)]
    wanted = handed_over(exercise, statements, texts)
    names = used(f"({wanted},)")
    chosen = needs(statements, names)
    program = [only_needed(statements[place], chosen, statements, set.union(*names)) for place in sorted(chosen)]
    return "\n\n\n".join([*program, f"answers_to_judge = ({wanted},)"]) + "\n"


def handed_over(exercise: Exercise, statements: list[Statement], texts: list[str]) -> str:
    """The names of the answers, or what a renamed answer is called in the cell of its check."""
    defined = {name for statement in statements for name in statement.names}
    missing = [name for name in exercise.answers if name not in defined]
    if not missing:
        return ", ".join(exercise.answers)
    handed = [call for text in texts for call in calls(text) if call.func.attr == exercise.name]  # type: ignore
    if handed and len(arguments(handed[-1])) >= len(exercise.answers):
        own = arguments(handed[-1])[: len(exercise.answers)]
        if own != exercise.answers and set.union(*used(", ".join(own))) <= defined | set(dir(builtins)):
            return ", ".join(own)
    broken = [error for text in texts for name in missing if name in text and (error := unreadable(text))]
    if broken:
        raise Missing(False, f"its cell does not run: {broken[-1]}")
    raise Missing(None, f"there is no {' and no '.join(missing)} in the notebook")


def unreadable(text: str) -> str:
    try:
        with warnings.catch_warnings(action="ignore"):
            symtable.symtable(text, "cell", "exec")
        with_generators(text)
    except SyntaxError as error:
        return one_line(f"{error.msg}, line {error.lineno}: {(error.text or '').strip()}", 200)
    except (ValueError, RecursionError, MemoryError) as error:
        return type(error).__name__
    return ""


def read(text: str) -> list[Statement]:
    """The statements of a cell; none of one that cannot be read."""
    if unreadable(text):
        return []
    body = tree(text).body
    lines = text.split("\n")
    shared = {line for a, b in pairwise(body) for line in {a.end_lineno} & {first_line(b)}}
    found = []
    for node in body:
        if not isinstance(node, (ast.Expr, ast.Delete, ast.Pass)):
            alone = not shared & {first_line(node), node.end_lineno}
            written = "\n".join(lines[first_line(node) - 1 : node.end_lineno]) if alone else ast.unparse(node)
            found.append(Statement(node, written, *bound(node, used(written)[0]), *used(written)))
    return found


def used(text: str) -> tuple[set[str], set[str]]:
    """The global names that some code needs at once, and those that functions in it need later."""
    now: set[str] = set()
    later: set[str] = set()
    waiting = [(symtable.symtable(with_generators(text), "cell", "exec"), now)]
    while waiting:
        table, needed = waiting.pop()
        top = table.get_type() == "module"
        if table.get_type() == "function" and table.get_name() != "genexpr":  # that one runs where it stands
            needed = later
        needed.update(s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global()))
        waiting += [(child, needed) for child in table.get_children()]
    return now - OF_THE_COMPILER, later


class Generators(ast.NodeTransformer):
    """Every comprehension becomes a generator, which needs the same names.

    It alone still has names of its own in Python 3.12, where symtable no longer tells those of the others from the
    names of the code around them.
    """

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp) -> ast.GeneratorExp:
        self.generic_visit(node)
        return ast.GeneratorExp(node.elt, node.generators)

    visit_SetComp = visit_ListComp

    def visit_DictComp(self, node: ast.DictComp) -> ast.GeneratorExp:
        self.generic_visit(node)
        return ast.GeneratorExp(ast.Tuple([node.key, node.value], ast.Load()), node.generators)


def with_generators(text: str) -> str:
    return ast.unparse(Generators().visit(tree(text)))


def first_line(node: ast.stmt) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])


def bound(node: ast.stmt, needed: set[str]) -> tuple[set[str], bool]:
    """The names that a statement defines or changes, and whether it does without what they were."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.split(".")[0] for alias in node.names}, True
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}, node.name not in needed
    parts = list(ast.walk(node))
    stored = {n.id for n in parts if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    stored |= {n.name for n in parts if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    stored |= {
        a.asname or a.name.split(".")[0] for n in parts if isinstance(n, (ast.Import, ast.ImportFrom)) for a in n.names
    }
    into = [n for n in parts if isinstance(n, (ast.Subscript, ast.Attribute)) and isinstance(n.ctx, ast.Store)]
    roots = {root.id for n in into if isinstance(root := innermost(n), ast.Name)}
    plain = isinstance(node, (ast.Assign, ast.AnnAssign)) and not roots
    return stored | roots, plain and not stored & needed


def innermost(node: ast.expr) -> ast.expr:
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    return node


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


def only_needed(statement: Statement, chosen: set[int], statements: list[Statement], names: set[str]) -> str:
    """Of an import of several names those that are needed: a picture's library need not be loaded."""
    node = statement.node
    if not isinstance(node, (ast.Import, ast.ImportFrom)) or "*" in statement.names:
        return statement.text
    needed = names | {name for place in chosen for name in statements[place].now | statements[place].later}
    kept = [alias for alias in node.names if (alias.asname or alias.name.split(".")[0]) in needed] or node.names
    shortened = ast.Import(kept) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, kept, node.level)
    return ast.unparse(shortened)
