"""The statements of a cell: what each of them defines or changes, and what it needs."""

import ast
import re
import symtable
import warnings
from itertools import pairwise
from typing import NamedTuple

from minisft.course.grade.cells import remembered, tree
from minisft.errors import one_line

OF_THE_COMPILER = {"__conditional_annotations__"}  # where Python 3.14 notes which annotations of a module it has passed


class Statement(NamedTuple):
    node: ast.stmt
    text: str
    names: set[str]  # that it defines, or changes
    whole: bool  # whether it defines them anew
    now: set[str]  # that it needs when it runs
    later: set[str]  # that functions in it need when they are called
    called: set[str]  # whose methods it calls, which may change them


def unreadable(text: str) -> str:
    try:
        table_of(text)
        with_generators(text)
    except SyntaxError as error:
        return one_line(f"{error.msg}, line {error.lineno}: {(error.text or '').strip()}", 200)
    except (ValueError, RecursionError, MemoryError) as error:
        return type(error).__name__
    return ""


@remembered
def read(text: str) -> tuple[Statement, ...]:
    """The statements of a cell that define or may change something; none of one that cannot be read."""
    if unreadable(text):
        return ()
    body = tree(text).body
    lines = text.split("\n")
    shared = {line for a, b in pairwise(body) for line in {a.end_lineno} & {first_line(b)}}
    found = []
    for node in body:
        if isinstance(node, (ast.Delete, ast.Pass)) or is_constant(node):
            continue
        alone = not shared & {first_line(node), node.end_lineno}
        written = "\n".join(lines[first_line(node) - 1 : node.end_lineno]) if alone else ast.unparse(node)
        now, later = used(written)
        if {"exec", "eval"} & (now | later):  # which names they need, and exec defines, stands in their texts
            later |= {name for text in texts_in(node) for name in re.findall(r"[^\W\d]\w*", text)}
        found.append(Statement(node, written, *bound(node, now), now, later, called(node)))
    return tuple(found)


def is_constant(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def texts_in(node: ast.AST) -> list[str]:
    return [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def called(node: ast.stmt) -> set[str]:
    """The names whose methods are called by a statement that is more than a definition."""
    if not isinstance(node, (ast.Expr, ast.For, ast.While, ast.With, ast.If, ast.Try)):
        return set()
    methods = [n.func for n in ast.walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
    return {root.id for method in methods if isinstance(root := innermost(method), ast.Name)}


def used(text: str) -> tuple[set[str], set[str]]:
    """The global names that some code needs at once, and those that functions in it need later."""
    now: set[str] = set()
    later: set[str] = set()
    waiting = [(table_of(with_generators(text)), now)]
    while waiting:
        table, needed = waiting.pop()
        top = table.get_type() == "module"
        if table.get_type() == "function" and table.get_name() != "genexpr":  # that one runs where it stands
            needed = later
        of_all = [s for s in table.get_symbols() if top or s.is_global()]
        needed.update(s.get_name() for s in of_all if s.is_referenced() or s.is_declared_global())
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


def table_of(text: str) -> symtable.SymbolTable:
    with warnings.catch_warnings(action="ignore"):
        return symtable.symtable(text, "cell", "exec")


def first_line(node: ast.stmt) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])


def bound(node: ast.stmt, needed: set[str]) -> tuple[set[str], bool]:
    """The names that a statement defines or changes, and whether it does without what they were."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.split(".")[0] for alias in node.names}, True
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}, node.name not in needed
    if isinstance(node, ast.Expr):
        return executed(node), False
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


def executed(node: ast.Expr) -> set[str]:
    """What exec("…") defines, or exec("…", names) changes."""
    call = node.value
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "exec"):
        return set()
    if len(call.args) > 1:
        return {n.id for n in ast.walk(call.args[1]) if isinstance(n, ast.Name)}
    return {name for text in texts_in(call) for statement in read(text) for name in statement.names}


def innermost(node: ast.expr) -> ast.expr:
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    return node
