"""LaTeX to MathML, while the site is built: the reader's browser needs no script and no font for it."""

import re
from html import unescape

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(span|div) class="arithmatex">(?:\\\((.+?)\\\)|\\\[(.+?)\\\])</\1>', re.DOTALL)
SPELLED = {  # what the converter lacks
    r"\\arg(?![a-z])": r"\\operatorname{arg}",
    r"\\[Bb]ig[lr]?(?=\\[lr]angle)": "",
    r"\\(mathcal|mathbb) (\w)": r"\\\1{\2}",
}
NAME = re.compile(r"(?<!<msub>)(?<!<msup>)(<mi>(?:log|exp|sin|cos|tanh)</mi>)(?=<m)(?!<mo stretchy)")  # log π, log(x)
HEADING = re.compile(r'<span class="md-ellipsis">[^<]*</span>')
IN_HEADING = re.compile(r"\\\((.+?)\\\)")


def render(html):
    """The body of a page, with its formulas."""
    return FORMULA.sub(lambda found: mathml(found[2] or found[3], found[3] is not None), html)


def render_headings(html):
    """A whole page: its headings are listed once more beside it."""
    return HEADING.sub(lambda heading: IN_HEADING.sub(lambda found: mathml(found[1], False), heading[0]), html)


def mathml(latex, block):
    latex = unescape(latex).strip()
    for old, new in SPELLED.items():
        latex = re.sub(old, new, latex)
    made = convert(latex, display="block" if block else "inline")
    if left := re.findall(r"\\[A-Za-z]+", made):
        raise ValueError(f"{latex}: no MathML for {left[0]}")
    made = NAME.sub(r'\1<mspace width="0.17em"/>', made)
    return f'<div class="formula">{made}</div>' if block else made
