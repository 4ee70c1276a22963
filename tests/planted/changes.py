"""What mutants are: every small place of a file of minisft that is changed, and how.

An operator is exchanged, a constant is one more, a sign or a statement is missing.
"""

import ast
import re
from typing import NamedTuple

from run import ROOT

ARITHMETIC = {ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"), ast.Pow: ("**", "*")}
ARITHMETIC |= {ast.FloorDiv: ("//", "*"), ast.Mod: ("%", "*")}
COMPARISON = {ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">")}
COMPARISON |= {ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is")}
COMPARISON |= {ast.In: ("in", "not in"), ast.NotIn: ("not in", "in")}
LOGIC = {ast.And: ("and", "or"), ast.Or: ("or", "and")}


class Mutant(NamedTuple):
    file: str  # below minisft/
    line: int
    before: str  # the line, or lines, as they stand and as they become
    after: str
    source: str  # of the whole file, changed
    about: str  # name of the function around it

    @property
    def key(self):
        return self.file, self.before, self.after


class Places(ast.NodeVisitor):
    """Collects edits (start, end, new text) of one file, in bytes."""

    def __init__(self, source: str):
        self.text, self.edits, self.functions = source.encode(), [], ["file"]
        self.line_starts = [0]
        for line in self.text.splitlines(keepends=True):
            self.line_starts.append(self.line_starts[-1] + len(line))

    def span(self, node) -> tuple[int, int]:
        return (
            self.line_starts[node.lineno - 1] + node.col_offset,
            self.line_starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def code(self, node) -> str:
        start, end = self.span(node)
        return self.text[start:end].decode()

    def operand(self, node) -> str:
        code = self.code(node)
        return code if isinstance(node, (ast.Constant, ast.Name, ast.Attribute, ast.Call)) else f"({code})"

    def edit(self, start: int, end: int, new: str):
        self.edits.append((start, end, new, self.functions[-1]))

    def replace(self, node, new: str):
        self.edit(*self.span(node), new)

    def exchange(self, left, right, old: str, new: str):
        """Exchange the operator between two operands; parentheses and line breaks around it stay."""
        start, end = self.span(left)[1], self.span(right)[0]
        at = self.text[start:end].index(old.encode()) + start
        self.edit(at, at + len(old), new)

    # --- what is left alone: documentation, types, messages, examples for the tests

    def visit_FunctionDef(self, node):
        if node.name == "example" and [argument.arg for argument in node.args.args] == ["rng"]:
            return
        self.functions.append(node.name)
        for part in [*node.args.defaults, *node.args.kw_defaults, *node.decorator_list, *node.body]:
            if part is not None:
                self.visit(part)
        self.functions.pop()

    def visit_AnnAssign(self, node):
        if node.value:
            self.visit(node.value)

    def visit_Raise(self, node):
        pass

    def visit_JoinedStr(self, node):
        pass

    # --- what is changed

    def visit_BinOp(self, node):
        if type(node.op) in ARITHMETIC:
            self.exchange(node.left, node.right, *ARITHMETIC[type(node.op)])
        if isinstance(node.op, ast.Sub):
            self.replace(node, f"({self.operand(node.right)} - {self.operand(node.left)})")
        self.generic_visit(node)

    def visit_Compare(self, node):
        for left, op, right in zip([node.left, *node.comparators], node.ops, node.comparators):
            self.exchange(left, right, *COMPARISON[type(op)])
        self.generic_visit(node)

    def visit_BoolOp(self, node):
        for left, right in zip(node.values, node.values[1:]):
            self.exchange(left, right, *LOGIC[type(node.op)])
        self.generic_visit(node)

    def visit_UnaryOp(self, node):
        number = getattr(node.operand, "value", None) if isinstance(node.op, ast.USub) else None
        if not isinstance(number, int):  # of an integer without its minus little is learned: axis -1 often is axis 1
            self.replace(node, self.operand(node.operand))
        if number == 1:
            self.replace(node, "0")  # the last axis becomes the first
        self.generic_visit(node)

    def visit_Constant(self, node):
        if isinstance(node.value, bool):
            self.replace(node, str(not node.value))
        elif isinstance(node.value, int):
            self.replace(node, str(node.value + 1))
        elif isinstance(node.value, float):
            self.replace(node, repr(node.value + 1 if node.value in (0, 1) else node.value * 3))

    def visit_AugAssign(self, node):
        if type(node.op) in ARITHMETIC:
            old, new = ARITHMETIC[type(node.op)]
            self.exchange(node.target, node.value, f"{old}=", f"{new}=")
            self.exchange(node.target, node.value, f"{old}=", "=")
        self.replace(node, "pass")
        self.generic_visit(node)

    def visit_Assign(self, node):
        if isinstance(node.targets[0], ast.Subscript):
            self.replace(node, "pass")
        self.generic_visit(node)

    def visit_Expr(self, node):
        if isinstance(node.value, ast.Call):
            self.replace(node, "pass")
        self.generic_visit(node)

    def visit_Return(self, node):
        value = node.value.elts[0] if isinstance(node.value, ast.Tuple) else node.value
        if value is not None and not isinstance(value, ast.Constant):
            self.replace(value, f"0 * {self.operand(value)}")
        self.generic_visit(node)


def mutants_of(file: str) -> list[Mutant]:
    """All mutants of a file, in the order of its lines; those whose source is the same are one."""
    source = (ROOT / "minisft" / file).read_text(encoding="utf-8")
    places = Places(source)
    places.visit(ast.parse(source))
    found = {}
    for start, end, new, about in sorted(places.edits):
        first = places.text.rfind(b"\n", 0, start) + 1  # the whole lines around it
        last = places.text.find(b"\n", end)
        head, tail = places.text[first:start].decode(), places.text[end:last].decode()
        before, after = places.text[first:last].decode(), head + new + tail
        changed = (places.text[:start] + new.encode() + places.text[end:]).decode()
        ast.parse(changed)
        line = places.text.count(b"\n", 0, start) + 1
        found.setdefault(changed, Mutant(file, line, squeezed(before), squeezed(after), changed, about))
    return list(found.values())


def squeezed(code: str) -> str:
    """On one line, without the comment."""
    return re.sub(r"\s+", " ", re.sub(r"  # .*", "", code)).strip()
