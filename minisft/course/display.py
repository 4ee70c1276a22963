"""What a notebook shows besides pictures: the library's own source, and tables of numbers.

What a table shows is text, whatever it holds. Markdown in it is said to be Markdown: `Markdown("**no**")`, `code("x")`.
"""

import inspect

import numpy as np

from minisft.formats import markup
from minisft.formats.markup import Markdown, code, fenced

__all__ = ["Markdown", "cell", "code", "docstring", "source", "table"]


def source(thing) -> Markdown:
    """The source of a function, class or module, as it stands in the library."""
    return fenced(inspect.getsource(thing).rstrip(), "python")


def docstring(module) -> Markdown:
    """The derivation at the head of a module."""
    return fenced(inspect.getdoc(module) or "", "text")


def table(columns: list[str], rows: list[list]) -> Markdown:
    """Rows of texts and numbers; a float is shown with four significant digits."""
    return markup.table([columns, ["---"] * len(columns), *(map(cell, row) for row in rows)])


def cell(value) -> Markdown:
    return markup.escaped(f"{value:.4g}" if isinstance(value, (float, np.floating)) else value)
