"""The reference of the subject: what every public function says of itself, read from the source, not imported."""

import ast
import re
from textwrap import dedent

import repository

ROW = re.compile(r"^\| (\[`[\w/.]+`\][^|]*) \| (.*) \|$", re.MULTILINE)  # of minisft/README.md: files, what they are
COLUMNS = re.compile(r"^ |\S {2,}\S", re.MULTILINE)  # lines whose places are meant
HOUSE = repository.ROOT / "minisft"


def files():
    """The files of the subject, in the order in which minisft/README.md reads them."""
    subject = (HOUSE / "README.md").read_text(encoding="utf-8").split("\n## ")[1]
    for named, words in ROW.findall(subject):
        if "layers/" in named:
            layers = [path for path in (HOUSE / "layers").glob("*.py") if not path.stem.startswith("__")]
            yield from sorted(layers, key=lambda path: words.index(f"`{path.stem}`"))
        else:
            names = re.findall(r"`(\w+\.py)`", named)
            yield from (HOUSE / name for name in names if not name.startswith("__"))


def pages():
    """{name of the page: Markdown}: one for each file, and the list of them."""
    made, rows = {}, []
    for path in files():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module = ".".join(path.relative_to(repository.ROOT).with_suffix("").parts)
        first = (ast.get_docstring(tree) or "").partition("\n")[0]
        rows.append(f"| [`{module}`]({module}.md) | {repository.plain(first)} |")
        made[f"docs/reference/{module}.md"] = "\n".join(page(path, tree, module))
    intro = "# Reference\n\nEvery public function of the subject, with shapes, units, errors and source.\n"
    return {
        "docs/reference/README.md": f"{intro}\n| module | what it is |\n|---|---|\n" + "\n".join(rows) + "\n"
    } | made


def page(path, tree, module):
    whole = path.read_text(encoding="utf-8")
    here = f"../../{path.relative_to(repository.ROOT).as_posix()}"
    yield f"# {module}\n\n[Source]({here})\n\n{said(tree)}\n"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and public(node):
            yield entry(node, node.name, here, 2, whole)
        elif isinstance(node, ast.ClassDef) and public(node):
            yield entry(node, node.name, here, 2, whole)
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and public(inner):
                    yield entry(inner, f"{node.name}.{inner.name}", here, 3, whole)


def public(node):
    return not node.name.startswith("_")


def entry(node, name, here, level, whole):
    """A function or class: its name, how it is called, what it says, and its lines.

    A layer's functions say nothing: their derivation stands above them, and their lines are short. So they are shown.
    """
    shown = signature(node) if ast.get_docstring(node) else ast.get_source_segment(whole, node)
    return (
        f"{'#' * level} {repository.plain(name)}\n\n```python\n{shown}\n```\n\n{said(node)}\n"
        f"\n[Lines {node.lineno} to {node.end_lineno}]({here}#L{node.lineno})\n"
    )


def signature(node):
    """The `def` or `class` line; one argument a line where it would be too long."""
    if isinstance(node, ast.ClassDef):
        lines = [f"class {node.name}"]
        lines += [f"    {ast.unparse(field)}" for field in node.body if isinstance(field, ast.AnnAssign)]
        return "\n".join(lines)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"def {node.name}({ast.unparse(node.args)}){returns}"
    if len(line) <= 88:
        return line
    return "\n".join([f"def {node.name}(", *(f"    {part}," for part in split(node.args)), f"){returns}"])


def said(node):
    """A docstring: its sentences run on, its columns stay."""
    parts, above = [], False
    for part in (ast.get_docstring(node) or "").split("\n\n"):
        in_columns = bool(COLUMNS.search(part))
        if in_columns and above:  # formulas with a blank line between
            parts[-1] = parts[-1].removesuffix("```") + f"\n{dedent(part)}\n```"
        elif in_columns:
            parts.append(f"``` {{ .text .said }}\n{dedent(part)}\n```")
        else:
            pieces = re.split("(`[^`]+`)", part.replace("\n", " "))
            parts.append("".join(piece if i % 2 else repository.plain(piece) for i, piece in enumerate(pieces)))
        above = in_columns
    return "\n\n".join(parts)


def split(arguments):
    """The arguments of a function, one by one."""
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + arguments.defaults
    for argument, default in zip(positional, defaults):
        yield ast.unparse(argument) + (f" = {ast.unparse(default)}" if default else "")
    if arguments.vararg:
        yield f"*{ast.unparse(arguments.vararg)}"
    elif arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults):
        yield ast.unparse(argument) + (f" = {ast.unparse(default)}" if default else "")
    if arguments.kwarg:
        yield f"**{ast.unparse(arguments.kwarg)}"
