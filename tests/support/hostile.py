"""Texts that would act if they were obeyed: on a terminal, in HTML, in Markdown; and pages as a reader sees them."""

from html.parser import HTMLParser

from markdown_it import MarkdownIt

TERMINAL = {
    "colour": "\x1b[31mred",
    "clipboard": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "title of the window": "\x1b]0;root\x1b\\",
    "link": "\x1b]8;;http://example.org\x1b\\click\x1b]8;;\x1b\\",
    "clear": "\x1bc",
    "alternate screen": "\x1b[?1049h",
    "device control": "\x1bP1$r0m\x1b\\",
    "report of the cursor": "\x1b[6n",
    "C1 of eight bits": "\x9b31mred\x9c",
    "other letters": "\x0e\x0f",
    "bell and backspace": "a\x07b\x08\x08c",
    "return over the line": "bad\rgood",
    "form feed, vertical tab": "a\x0cb\x0bc",
    "null and delete": "a\x00b\x7fc",
    "right to left": "\u202eevil\u202c",
    "isolates": "\u2066a\u2067b\u2068c\u2069",
    "marks of direction": "\u200e\u200f\u061c",
    "separators of lines": "a\u2028b\u2029c\x85d",
    "no width": "a\u200bb\ufeffc\u2060d",
    "tags": "a\U000e0041\U000e0042",
    "half a character": "a\ud800b\udcffc",
    "interlinear": "\ufff9a\ufffab\ufffb",
    "private and not assigned": "\ue000\U000fffff\uffff",
}
MARKUP = {
    "script": "<script>alert(1)</script>",
    "picture that fails": "<img src=x onerror=alert(1)>",
    "end of the cell": "</td></tr></table><script>alert(1)</script>",
    "style": "<style>*{display:none}</style>",
    "drawing": "<svg/onload=alert(1)>",
    "comment": "<!-- a --> b <!--",
    "reference": "&lt;script&gt; &#60;b&#62; &amp;",
    "pipe": "a|b||c",
    "escaped pipe": "a\\|b\\\\|c",
    "code": "`a` ``b``` c",
    "emphasis": "*a* **b** _c_ __d__ ~~e~~",
    "link": "[x](javascript:alert(1))",
    "picture": "![x](http://example.org/x.png)",
    "link by reference": "[x][1] [^1] [ ]",
    "address": "http://example.org www.example.org a@example.org <http://example.org>",
    "mathematics": "$x$ $$y$$ \\(z\\) \\[v\\]",
    "environment": "\\begin{x}a\\end{x} \\href{javascript:alert(1)}{b}",
    "backslash": "\\*a\\* \\",
    "two lines": "a\n\n# b\n\n| c |\n| --- |",
    "list, quotation, rule": "- a\n> b\n---\n1. c",
    "fence": "```\n</code>",
    "little picture": ":smile:",
    "mark of JupyterLab": "@@0@@",
    "rule of a table": "---",
}
HOSTILE = TERMINAL | MARKUP

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])  # and HTML passes through it, as in Jupyter


class Reader(HTMLParser):
    """What somebody sees of a page: `tags` with their attributes, and the text of each heading, paragraph and cell."""

    WITH_TEXT = ("h1", "p", "th", "td", "pre")

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self.open, self.mathematics = [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.open.append(tag)
        if tag in self.WITH_TEXT:
            self.texts.append("")

    def handle_endtag(self, tag):
        while self.open.pop() != tag:
            pass

    def handle_comment(self, text):
        self.tags.append(("comment", text))

    def handle_data(self, text):
        if any(tag in self.WITH_TEXT for tag in self.open):
            self.texts[-1] += text
        if not {"code", "pre"} & set(self.open):
            self.mathematics += [sign for sign in "$\\`" if sign in text]  # where MathJax would look

    def names(self):
        return {tag for tag, _ in self.tags}


def read(markdown):
    """A page of Markdown, rendered and read."""
    return Reader(MARKDOWN.render(markdown))


def blanks_as_one(text):
    """As a browser shows it: any run of blanks is one, at the edges none."""
    return " ".join(text.split())
