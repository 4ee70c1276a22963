"""Change minisft by machine, one small place at a time, and see how many changes the tests notice.

    python tests/planted/mutants.py --count 200 --seed 0        200 of them, drawn at random; all if there are no more
    python tests/planted/mutants.py --list                      how many there are, file by file

bugs.py holds mistakes people make; these are mistakes nobody thought of. An operator is exchanged, a constant is one
more, a sign or a statement is missing. Here any test that fails, however, has noticed, and so has one that never ends.
The table shows those that nobody noticed; the exit code is 0 if at least 95 % were. Some change nothing that a test
could see: EQUIVALENT lists them with the reason, and they count neither way. Not part of `pytest`.
"""

import argparse
import ast
import contextlib
import multiprocessing
import os
import random
import re
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import track
from rich.table import Table
from run import AT_A_TIME, PRELOADED, ROOT, Verdict, asked, copy_of_the_repository, verdict

FILES = sorted(f"layers/{path.name}" for path in (ROOT / "minisft/layers").glob("*.py"))
FILES += ["objective.py", "model.py", "optim.py", "data.py", "formats/rows.py", "train.py"]
ORDER = ["layers", "objective", "model", "optim", "data", "train", "gradcheck", "params"]
ORDER += ["generate", "evaluate", "golden", "train_only"]
ENOUGH = 0.95
LIMIT = 60  # seconds for one mutant

# (file, line before, line after): why no test can tell them apart.
TOGETHER = "while end < len(lengths) and lengths[end] == (T, T) and (end - s) * heads * T * T < SCORES:"
AT_A_TIME_ONLY = "It decides how much is computed at a time, and with it the speed, but no number."
EQUIVALENT = (
    {
        ("layers/attention.py", TOGETHER, TOGETHER.replace("(end - s)", changed)): AT_A_TIME_ONLY
        for changed in ("((s - end))", "(end + s)")
    }
    | {
        ("layers/attention.py", TOGETHER, TOGETHER.replace("heads * T * T <", changed)): AT_A_TIME_ONLY
        for changed in ("heads / T * T <", "heads * T / T <", "heads * T * T <=")
    }
    | {
        ("layers/attention.py", TOGETHER, TOGETHER.replace("* heads", "/ heads")): AT_A_TIME_ONLY,
        ("layers/attention.py", "SCORES = 65536", "SCORES = 65537"): AT_A_TIME_ONLY,
        ("layers/attention.py", "if t == T <= QUERIES:", "if t != T <= QUERIES:"): AT_A_TIME_ONLY,
        ("layers/attention.py", "if t == T <= QUERIES:", "if t == T < QUERIES:"): AT_A_TIME_ONLY,
        (
            "layers/attention.py",
            "if position.min(initial=T) >= T - 1:",
            "if position.min(initial=T) > T - 1:",
        ): "Where no key is hidden, nothing but zeros is added.",
        (
            "layers/attention.py",
            "if position.min(initial=T) >= T - 1:",
            "if position.min(initial=T) >= T + 1:",
        ): "Where no key is hidden, nothing but zeros is added.",
        (
            "layers/attention.py",
            "@lru_cache(maxsize=64)",
            "@lru_cache(maxsize=65)",
        ): "What is forgotten is made again.",
        (
            "model.py",
            "every = np.arange(positions.max(initial=0) + 1)",
            "every = np.arange(positions.max(initial=0) + 2)",
        ): "One row of the table more, which nobody reads.",
        (
            "model.py",
            "every = np.arange(positions.max(initial=0) + 1)",
            "every = np.arange(positions.max(initial=1) + 1)",
        ): "One row of the table more, which nobody reads.",
        (
            "formats/rows.py",
            'for key in ("instruction", "input", "output")[: 3 if answered else 2]:',
            'for key in ("instruction", "input", "output")[: 4 if answered else 2]:',
        ): "There are three keys only, so the first four are the first three.",
        (
            "data.py",
            "return m / np.where(totals[reduction] > 0, totals[reduction], 1.0)",
            "return m / np.where(totals[reduction] > 0, totals[reduction], 2.0)",
        ): "Where a total is 0, so is every m in it, and 0 may be divided by any number.",
        (
            "layers/attention.py",
            "return np.where(later, dtype.type(-np.inf), dtype.type(0))",
            "return np.where(later, dtype.type(-np.inf), dtype.type(1))",
        ): "A softmax does not see what is added to all scores of a query.",
        (
            "model.py",
            "positions = np.arange(len(ids)) - np.repeat(starts[:-1], starts[1:] - starts[:-1])",
            "positions = np.arange(len(ids)) + np.repeat(starts[:-1], starts[1:] - starts[:-1])",
        ): "Scores depend on distances only, so a sequence may begin at any position.",
        (
            "optim.py",
            "if runs and start == runs[-1][0] + runs[-1][2] and decay == runs[-1][3]:",
            "if runs and start == runs[-1][1] + runs[-1][2] and decay == runs[-1][3]:",
        ): AT_A_TIME_ONLY,
        (
            "optim.py",
            "if 0 < max_norm < norm + 1e-6:",
            "if 0 < max_norm <= norm + 1e-6:",
        ): "Where the two are equal, the gradient is multiplied by 1.",
        (
            "optim.py",
            "BLOCK = 32768",
            "BLOCK = 32769",
        ): "The size of the blocks does not matter, as a sentence of test_optim.py says.",
        (
            "optim.py",
            "done = (step - warmup) / max(1, total - warmup)",
            "done = (step - warmup) / max(2, total - warmup)",
        ): "If total - warmup is 1, the only step that comes here has step - warmup = 0.",
    }
)

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


def ask(place: Path, file: str, about: str = "") -> Verdict:
    """Run the files of tests on a copy, the likeliest first, until anything fails."""
    return verdict(place, asked(file, ORDER), about, LIMIT, any_failure=True)


def mutate(mutant: Mutant) -> bool:
    """True if a test noticed."""
    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        place = Path(name).resolve()
        copy_of_the_repository(place)
        (place / "minisft" / mutant.file).write_text(mutant.source, encoding="utf-8")
        return noticed(ask(place, mutant.file, mutant.about))


def noticed(found: Verdict) -> bool:
    return found.caught_by is not None or bool(found.others)


def hunt(mutants: list[Mutant]) -> list[bool]:
    """Whether each was noticed, in their order."""
    screen = Console(stderr=True)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return list(
            track(
                pool.map(mutate, mutants),
                "mutating",
                len(mutants),
                console=screen,
                transient=True,
                disable=not screen.is_terminal,
            )
        )


def report(mutants: list[Mutant], killed: list[bool], console: Console) -> float:
    """Print what survived and the share of what did not, which is returned."""
    survivors = Table("file", "line", "before", "after", title="not noticed", show_lines=True)
    ran, dead = Counter(), Counter()
    for mutant, is_dead in zip(mutants, killed):
        ran[mutant.file] += 1
        dead[mutant.file] += is_dead
        if not is_dead:
            survivors.add_row(mutant.file, str(mutant.line), mutant.before, mutant.after)
    if survivors.row_count:
        console.print(survivors)
    shares = Table("file", title="noticed")
    for name in ("of", "noticed", "share"):
        shares.add_column(name, justify="right")
    for file in [*(file for file in FILES if ran[file]), "all"]:
        of, hit = (ran.total(), dead.total()) if file == "all" else (ran[file], dead[file])
        shares.add_row(file, str(of), str(hit), f"{100 * hit / max(of, 1):.1f} %")
    console.print(shares)
    return dead.total() / max(ran.total(), 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=200, help="how many to draw")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--file", help="of this file of minisft only, such as optim.py")
    parser.add_argument("--list", action="store_true", help="count them and stop")
    arguments = parser.parse_args()
    console = Console(markup=False, highlight=False)
    every = [mutant for file in FILES if arguments.file in (None, file) for mutant in mutants_of(file)]
    stale = EQUIVALENT.keys() - {mutant.key for file in FILES for mutant in mutants_of(file)}
    if stale:
        console.print("listed as equivalent, but not a mutant: " + "; ".join(map(str, sorted(stale))))
        return 2
    if arguments.list:
        for file, count in Counter(mutant.file for mutant in every).items():
            console.print(f"{count:5} {file}")
        console.print(f"{len(every):5} in all, {len(EQUIVALENT)} of them equivalent")
        return 0
    drawn = random.Random(arguments.seed).sample(every, min(arguments.count, len(every)))
    mutants = [mutant for mutant in drawn if mutant.key not in EQUIVALENT]
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = "1"
    with contextlib.suppress(ValueError):  # no such method on this system: each process loads everything itself
        multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOADED)
    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        place = Path(name).resolve()
        copy_of_the_repository(place)
        unchanged = ask(place, FILES[0])
    if noticed(unchanged):
        console.print(f"fails without any change: {unchanged.caught_by or ', '.join(unchanged.others)}")
        return 2
    share = report(mutants, hunt(mutants), console)
    if len(drawn) > len(mutants):
        console.print(f"{len(drawn) - len(mutants)} more were drawn that are equivalent")
    return 0 if share >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main())
