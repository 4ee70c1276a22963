"""LaTeX to MathML, while the site is built: the reader's browser needs no script and no font for it."""

import re
from html import unescape

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(span|div) class="arithmatex">(?:\\\((.+?)\\\)|\\\[(.+?)\\\])</\1>', re.DOTALL)
SPELLED = {r"\\arg(?![a-z])": r"\\operatorname{arg}", r"\\[Bb]ig[lr]?(?=\\[lr]angle)": ""}  # what the converter lacks


def render(html):
    return FORMULA.sub(mathml, html)


def mathml(formula):
    latex = unescape(formula[2] or formula[3]).strip()
    for old, new in SPELLED.items():
        latex = re.sub(old, new, latex)
    block = formula[3] is not None
    made = convert(latex, display="block" if block else "inline")
    if left := re.findall(r"\\[A-Za-z]+", made):
        raise ValueError(f"{latex}: no MathML for {left[0]}")
    return f'<div class="formula">{made}</div>' if block else made
