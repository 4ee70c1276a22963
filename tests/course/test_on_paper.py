"""Three numbers worked out on paper, the first exercise of notebook 01."""

import math

import pytest

from minisft.course import log_probability as check

ON_PAPER = {"end": 0.3, "yes end": 0.6 * 0.3, "yes please end": 0.6 * 0.6 * 0.8}


def test_on_paper_the_products_of_the_printed_table_are_right_and_rounding_is_allowed():
    verdict = check.on_paper(ON_PAPER)
    assert verdict.right and "0.6 · 0.6 · 0.8 = 0.288" in verdict.text and "likeliest answer is 'end'" in verdict.text
    assert check.on_paper({name: round(pr, 2) for name, pr in ON_PAPER.items()}).right
    assert check.on_paper(dict.fromkeys(ON_PAPER)).right is None


@pytest.mark.parametrize(
    ("name", "number", "said"),
    [
        ("yes please end", 0.6 * 0.6, "the end token is left out"),
        ("yes end", 0.6 + 0.3, "added"),
        ("yes please end", 0.8, "the last token alone"),
        ("yes end", math.log(0.18), "the logarithm"),
        ("yes end", 18, "in percent"),
        ("yes please end", 2.0 / 3, "the mean of the factors"),
        ("end", 0.6, "another number"),
        ("end", "three tenths", "cannot be judged"),
    ],
)
def test_on_paper_a_wrong_number_is_met_with_what_was_done_instead(name, number, said):
    verdict = check.on_paper(ON_PAPER | {name: number})
    assert verdict.right is False and said in verdict.text
