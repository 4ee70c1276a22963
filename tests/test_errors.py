"""A message says what somebody else wrote in one line, in full view, and not at length."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hostile import HOSTILE, TERMINAL

from minisft.errors import BREAKS, MinisftError, one_line, quoted, visible

any_text = st.text(st.characters(exclude_categories=()), max_size=40)
each_attack = pytest.mark.parametrize("name", HOSTILE)


def can_act(character):
    return not character.isprintable() and unicodedata.category(character) != "Zs"


@each_attack
def test_nothing_that_can_act_on_a_terminal_is_left_in_a_visible_text(name):
    assert not any(map(can_act, visible(HOSTILE[name])))


@given(any_text)
def test_of_any_text_visible_characters_and_blanks_stay_and_all_others_are_spelled(text):
    shown = visible(text)
    assert not any(map(can_act, shown)) and visible(shown) == shown
    assert shown == "".join(visible(c) if can_act(c) else c for c in text)


@pytest.mark.parametrize("name", TERMINAL)
def test_what_is_spelled_is_spelled_as_in_python(name):
    shown = visible(TERMINAL[name].replace("\\", "\\\\"))
    assert shown.encode().decode("unicode_escape") == TERMINAL[name]


def test_words_of_any_language_and_their_blanks_stay_as_they_are():
    for text in ("θ̂ → θ̃", "naïve", "日本\u3000語", "« oui »\u202f!", "שלום", "नमस्ते", "❤️ 👍🏽", "\\x1b", ""):
        assert visible(text) == text


def test_a_line_break_is_an_arrow_where_lines_do_not_stay_lines():
    assert visible("a\nb\tc") == "a↵b\\tc"
    assert visible("a\nb\tc\r\x1b", BREAKS) == "a\nb\tc\\r\\x1b"


@given(any_text, st.integers(1, 50))
def test_the_words_of_another_fill_one_line_and_no_more_than_is_allowed(text, limit):
    line = one_line(text, limit)
    assert len(line) <= limit and len(f"a{line}b".splitlines()) == 1 and not any(map(can_act, line))


def test_what_is_short_enough_is_quoted_in_full():
    assert one_line("a\nb\r\nc") == "a b c" and one_line("x" * 80) == "x" * 80
    assert one_line("x" * 81) == "x" * 79 + "…"


@pytest.mark.parametrize(
    ("value", "said"),
    [("é", '"é"'), (None, "null"), ([1, "a"], '[1, "a"]'), ("\x1b", '"\\u001b"'), ("\x9b\u202e", '"\\x9b\\u202e"')],
)
def test_a_value_out_of_a_file_is_quoted_as_json(value, said):
    assert quoted(value) == said


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", ["x" * 10**6, ["a\n"] * 10**5, nested(10**5), {(1, 2): 3}, b"\xff" * 99, object()])
def test_whatever_a_value_is_its_quotation_is_short(value):
    assert 0 < len(quoted(value)) <= 80


@each_attack
def test_an_error_is_one_line_that_cannot_act_wherever_it_is_shown(name):
    error = MinisftError(f"{HOSTILE[name]}.jsonl: cannot be read")
    assert not any(map(can_act, str(error))) and str(error).endswith(".jsonl: cannot be read")


def test_no_error_is_longer_than_a_page():
    assert len(str(MinisftError("x" * 10**6))) == 4000
