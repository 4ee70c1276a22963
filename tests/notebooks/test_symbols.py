"""One symbol, one meaning: the mathematics of the notebooks, held against the table in notebooks/SYMBOLS.md."""

import re
import unicodedata

import pytest

from .test_notebooks import NAMES, NOTEBOOKS, sources

# A symbol is a letter, Latin or Greek, with its accents, or one of these. Words (log, softmax) and signs (=) are none.
SIGNS = {"\\Pr", "\\nabla", "\\partial", "\\odot", "\\mathbb", "\\mathcal", "\\hat", "\\tilde"}
GREEK = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi "
    "varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)
LETTERS = {f"\\{name}" for name in GREEK.split()}
WORD = r"\\(?:text|mathrm|operatorname)\*?\s*\{[^{}]*\}"
SET = r"\$\$(.+?)\$\$|\$([^$]+?)\$"


def in_latex(text):
    """θ̂, ŷ or ∇ as \\hat\\theta, \\hat y, \\nabla."""
    text = re.sub("(.)\u0302", r"\\hat \1", re.sub("(.)\u0303", r"\\tilde \1", unicodedata.normalize("NFD", text)))
    text = text.replace("∇", r"\nabla ").replace("⁺", "^+")
    names = {c: unicodedata.name(c).split() for c in re.findall("[Α-Ωα-ω]", text)}
    for c, (_, size, _, name) in names.items():
        name = name.replace("LAMDA", "LAMBDA")
        text = text.replace(c, f"\\{name.lower() if size == 'SMALL' else name.capitalize()} ")
    return text


def tokens(formula):
    """(\\hat, \\theta, ^, +) and so on: braces and words left out."""
    return tuple(re.findall(r"\\[A-Za-z]+|\d+|[^\s{}\\]", re.sub(WORD, " ; ", in_latex(formula))))


def formulas(text):
    """What a Markdown text sets as mathematics: $…$ and $$…$$, a single letter as code, Greek letters as they are."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    code = re.findall(r"`([^`\n]+)`", text)
    found = [display or inline for display, inline in re.findall(SET, re.sub(r"`[^`\n]+`", "", text), re.S)]
    prose = re.sub(SET, "", re.sub(r"`[^`\n]+`", "", text), flags=re.S)
    single = [
        span for span in code if re.fullmatch(r"d?[A-Za-zΑ-ω][\u0302\u0303]?", unicodedata.normalize("NFD", span))
    ]
    greek = re.findall(r"[Α-Ωα-ω][\u0302\u0303]?(?:⁺|_\w)?|y\u0302", unicodedata.normalize("NFD", prose))
    return found + single + greek


def rows():
    """The rows of the table: [symbol in LaTeX, in code, meaning, the notebook that uses it first]."""
    lines = (NOTEBOOKS / "SYMBOLS.md").read_text(encoding="utf-8").splitlines()
    table = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("| $")]
    return [[cell.strip() for cell in row] for row in table]


def symbols_of(formula, known):
    """The symbols of a formula: at each place the longest one that the table knows, else the letter there."""
    left, found = tokens(formula), []
    while left:
        matches = [symbol for symbol in known if left[: len(symbol)] == symbol]
        symbol = max(matches, key=len, default=left[:1])
        if matches or left[0] in SIGNS | LETTERS or re.fullmatch("[A-Za-z]", left[0]):
            found.append(symbol)
        left = left[len(symbol) :]
    return found


KNOWN = [tokens(row[0].strip("$")) for row in rows()]
USED = {
    name: {s for text in sources(name, "markdown") for formula in formulas(text) for s in symbols_of(formula, KNOWN)}
    for name in NAMES
}


def test_the_symbols_of_a_formula_are_its_letters_with_their_accents_and_no_words_or_signs():
    known = [
        tokens(symbol) for symbol in (r"\theta", r"\hat\theta", r"\hat\theta^+", r"\theta_t", "w", "i", r"\Pr", "y")
    ]
    for formula, symbols in {
        r"\hat{\theta}^{+} = \theta_{t+1}": [r"\hat\theta^+", r"\theta_t"],
        r"\log \Pr_\theta(y_{<i}) + \mathrm{onehot}(w_i)": [r"\Pr", r"\theta", "y", "i", "w", "i"],
        r"\sum q": ["q"],
        "θ̂⁺": [r"\hat\theta^+"],
        r"\underbrace{w}_{\text{weight } 0}": ["w"],
    }.items():
        assert symbols_of(formula, known) == [tokens(symbol) for symbol in symbols]


def test_mathematics_stands_between_dollars_in_single_letters_of_code_and_in_greek_letters():
    text = "θ̂ is $x$, $$y$$, `w`, `dP`, `seed` and `$z$`.\n```\n$k$\n```\n"
    assert set(formulas(text)) == {"x", "y", "w", "dP", "θ\u0302"}


def test_a_symbol_has_one_row_with_a_meaning():
    assert len(KNOWN) == len(set(KNOWN)) > 20
    assert all(len(row) == 4 and row[2] for row in rows())


@pytest.mark.parametrize("name", NAMES)
def test_every_symbol_of_a_notebook_is_in_the_table(name):
    assert sorted("".join(symbol) for symbol in USED[name] - set(KNOWN)) == []


@pytest.mark.parametrize("row, symbol", list(zip(rows(), KNOWN, strict=True)), ids=[row[0] for row in rows()])
def test_a_row_of_the_table_names_the_notebook_that_uses_its_symbol_first(row, symbol):
    assert [name[:2] for name in NAMES if symbol in USED[name]][:1] == [row[3]]


def test_what_the_table_calls_code_is_in_the_code():
    library = "\n".join(path.read_text(encoding="utf-8") for path in (NOTEBOOKS.parent / "minisft").rglob("*.py"))
    notebooks = "\n".join(code for name in NAMES for code in sources(name, "code"))
    for row in rows():
        for name in re.findall(r"`([^`]+)`", row[1]):
            assert name in library or name in notebooks, f"{row[0]}: {name}"
