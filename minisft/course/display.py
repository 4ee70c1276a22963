"""What a notebook shows besides pictures: the library's own source, and tables of numbers."""

import inspect

import numpy as np


class Markdown(str):
    """Text that a notebook typesets."""

    def _repr_markdown_(self):
        return str(self)


def source(thing) -> Markdown:
    """The source of a function, class or module, as it stands in the library."""
    return Markdown(f"```python\n{inspect.getsource(thing).rstrip()}\n```")


def docstring(module) -> Markdown:
    """The derivation at the head of a module."""
    return Markdown(f"```text\n{inspect.getdoc(module)}\n```")


def table(columns: list[str], rows: list[list]) -> Markdown:
    """Rows of texts and numbers; a float is shown with four significant digits. Columns are Markdown."""
    lines = [columns, ["---"] * len(columns), *(map(cell, row) for row in rows)]
    return Markdown("\n".join("| " + " | ".join(line) + " |" for line in lines))


def cell(value) -> str:
    text = f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value)
    return text.replace("|", "\\|").replace("\n", "↵")
