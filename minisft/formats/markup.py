"""Text on its way to Markdown and HTML: what somebody else wrote is shown as it stands, and is never markup.

That is all that comes out of files (data, names, templates, settings) or out of a model. Markdown and HTML know the
same character references, so one function, `escaped`, serves both. On the way to a terminal it is `errors.visible`.
"""

import re
from collections.abc import Iterable
from html import escape

from minisft.errors import BREAKS, visible

# Of Markdown, besides the & < > of HTML: an underscore at the edge of a word, and what makes a link of an address.
SPECIAL = re.compile(r"[\\$`*\[\]|~@#]|(?<![^\W_])_|_(?![^\W_])|:(?=\S)|(?<=www)\.", re.IGNORECASE)
MATHEMATICS = re.compile("(&#(36|92|96);)+")  # $ \ `: MathJax looks for them in the finished page, except in <code>


class Markdown(str):
    """Text that is Markdown already: a notebook typesets it, and `escaped` leaves it as it is."""

    def _repr_markdown_(self) -> str:
        return str(self)


def escaped(text: object) -> Markdown:
    """Text for HTML, or for Markdown within a line: a heading, a cell of a table."""
    if isinstance(text, Markdown):
        return text
    return Markdown(MATHEMATICS.sub(r"<code>\g<0></code>", references(visible(str(text)))))


def code(text: object) -> Markdown:
    """Text in the type of code, within a line of Markdown: in backticks, or in <code> where those might not hold it."""
    line = visible(str(text))
    return Markdown(f"<code>{references(line)}</code>" if re.search(r"[|$\\`]|^ .* $|^$", line) else f"`{line}`")


def fenced(text: str, language: str) -> Markdown:
    """Lines of code as a block of Markdown, in a fence longer than any row of backticks inside."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return Markdown(f"{fence}{language}\n{visible(text, BREAKS)}\n{fence}")


def table(rows: Iterable[Iterable[object]]) -> Markdown:
    """A table of Markdown: the first row is its head, the second its rule, ---."""
    return Markdown("\n".join(f"| {' | '.join(map(escaped, row))} |" for row in rows))


def references(line: str) -> str:
    return SPECIAL.sub(lambda found: f"&#{ord(found[0])};", escape(line, quote=False))
