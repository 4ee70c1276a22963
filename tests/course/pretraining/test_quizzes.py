"""The predictions of notebook 06 go by what was measured."""

import pytest

from minisft.course import pretraining as check


@pytest.mark.parametrize(
    "quiz, prediction, right",
    [
        (lambda p: check.where_the_curve_ends(p, [3.0, 2.9], 5.0, 2.4), "between the two entropies", True),
        (lambda p: check.where_the_curve_ends(p, [2.0, 2.1], 5.0, 2.4), "below the bigram entropy", True),
        (lambda p: check.where_the_curve_ends(p, [6.0, 5.9], 5.0, 2.4), "below the bigram entropy", False),
        (lambda p: check.better_tokenizer(p, {300: 2.4, 512: 2.5}, {300: 1.7, 512: 1.1}), 512, True),
        (lambda p: check.better_tokenizer(p, {300: 2.4, 512: 2.5}, {300: 1.7, 512: 1.1}), 300, False),
        (lambda p: check.which_text(p, {"one": [0, 0.1], "four": [0.3, 0.9]}), "four", True),
        (lambda p: check.which_text(p, {"one": [0.5, 0.6], "four": [0.3, 0.4]}), "one", True),
        (lambda p: check.which_text(p, {"one": [0, 0.4], "four": [0.3, 0.9]}), "no difference", True),
        (lambda p: check.which_text(p, {"one": [0, 0], "four": [0, 0]}), "no difference", True),
        (lambda p: check.which_text(p, {"one": [0, 0.1], "four": [0.3, 0.9]}), None, None),
    ],
)
def test_a_quiz_goes_by_what_was_measured(quiz, prediction, right):
    assert quiz(prediction).right is right
