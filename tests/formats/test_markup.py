"""Text of others in Markdown and HTML: read by a renderer, it is the same text, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hostile import HOSTILE, MARKUP, Reader, blanks_as_one, read

from minisft.errors import BREAKS, visible
from minisft.formats.markup import Markdown, code, escaped, fenced, table

any_text = st.text(st.characters(exclude_categories=()) | st.sampled_from("\\`*_[]|$~:@#<>&!()\n "), max_size=30)
pieces = st.lists(st.sampled_from([*MARKUP.values()]), max_size=3).map("".join)
each_attack = pytest.mark.parametrize("name", HOSTILE)


def require_text(page, *texts):
    """A page shows these texts, and has no tag but those of its own: no attribute, and nothing for MathJax."""
    assert [blanks_as_one(text) for text in page.texts] == [blanks_as_one(visible(text)) for text in texts]
    assert page.names() <= {"h1", "p", "table", "thead", "tbody", "tr", "th", "td", "code"}
    assert not any(attributes for _, attributes in page.tags) and not page.mathematics


def require_shown_as_it_stands(text):
    require_text(read(f"a {escaped(text)} b {code(text)} c"), f"a {text} b {text} c")
    require_text(read(f"# a {escaped(text)}"), f"a {text}")
    require_text(Reader(f"<p>{escaped(text)}</p>"), text)
    rows = [[text, code(text)], ["---", "---"], [code(text), text]]
    require_text(read(table(rows)), text, text, text, text)


@each_attack
def test_a_text_is_shown_as_it_stands_in_a_line_a_heading_a_table_and_in_html(name):
    require_shown_as_it_stands(HOSTILE[name])


@given(any_text | pieces)
def test_so_is_any_text(text):
    require_shown_as_it_stands(text)


@given(any_text | pieces)
def test_no_text_leaves_a_block_of_code(text):
    page = read(fenced(text, "text"))
    assert [tag for tag, _ in page.tags] == ["pre", "code"]
    assert page.texts[0] == visible(text, BREAKS) + "\n"


def test_plain_words_stay_plain_in_the_source():
    for text in ("The capital of Peru is Lima.", "token_mean: 0.1 (θ̂, 50 %)", "« oui »"):
        assert escaped(text) == text
    assert code("model.layers.0.mlp") == "`model.layers.0.mlp`"


def test_what_is_markdown_already_stays_markdown():
    strong = Markdown("**no**")
    assert escaped(strong) is strong and strong._repr_markdown_() == "**no**"
    assert read(table([[strong, "**no**"], ["---", "---"]])).texts == ["no", "**no**"]
