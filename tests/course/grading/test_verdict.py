"""A check says which mistake was made, and never answers with a traceback."""

import numpy as np
import pytest
from support.hostile import HOSTILE, Reader, blanks_as_one

from minisft.course.grading.arrays import array
from minisft.course.grading.comparison import judge
from minisft.course.grading.verdict import Stumbled, Verdict, run, same, settle
from minisft.errors import BREAKS, visible
from minisft.params import Params

CASES = [(np.array([1.0, 2.0, 4.0]),), (np.array([3.0, -1.0]),)]
MISTAKES = {"it is the sum, not the mean": np.sum}


def judged(answer):
    return judge(answer, np.mean, CASES, MISTAKES, "the mean it is")


def test_a_right_answer_is_praised():
    assert judged(lambda x: x.sum() / len(x)) == (True, "the mean it is")


def test_a_known_mistake_is_named():
    assert judged(lambda x: x.sum()) == (False, "it is the sum, not the mean")


def test_an_unknown_mistake_is_shown_on_the_first_case_it_spoils():
    verdict = judged(np.median)
    assert verdict.right is False and "2 where 2.33333 is right" in verdict.text


def test_a_wrong_shape_is_called_one():
    assert "the shape is (3,) where () is right" in judged(lambda x: x).text


def unwritten(x):
    raise NotImplementedError


@pytest.mark.parametrize("answer", [unwritten, lambda x: ...])
def test_an_answer_not_written_yet_is_no_mistake(answer):
    assert judged(answer).right is None


def test_an_answer_without_return_is_told_so():
    assert "return" in judged(lambda x: None).text


def test_an_answer_that_raises_is_told_on_which_arguments():
    assert "ZeroDivisionError" in judged(lambda x: 1 // 0).text and "array (3,)" in judged(lambda x: 1 // 0).text


def test_an_answer_that_changes_its_argument_is_refused_and_the_case_stays_as_it_was():
    def greedy(x):
        x -= x.max()
        return x.mean()

    assert "changes its argument number 1" in judged(greedy).text
    assert CASES[0][0].tolist() == [1, 2, 4]


def test_nan_equals_nothing():
    assert not same(np.array([np.nan]), np.array([np.nan]))
    assert not same(np.array([1.0, np.nan]), np.array([1.0, 2.0]))
    assert "nan where" in judged(lambda x: np.nan).text


def test_equality_is_up_to_rounding_of_the_largest_number_and_of_structure():
    assert same([1.0, {"a": np.ones(2)}], (1.0, {"a": [1.0, 1.0 + 1e-12]}))
    assert not same({"a": 1}, {"b": 1}) and not same((1, 2), (1, 2, 3)) and not same(np.ones(2), np.ones((1, 2)))
    assert same("θ", "θ") and not same("θ", "θ̂")
    assert (
        same(np.array(["θ", "θ̂"]), ["θ", "θ̂"])
        and not same(np.array(["θ", "θ̂"]), np.ones(2))
        and not same(np.ones(2), "θ")
    )


def test_a_text_of_digits_is_no_number():
    assert not same("2.5", 2.5) and not same(np.array(["2.5"]), np.array([2.5])) and not same(np.str_("nan"), np.nan)
    for value in ("2.5", ["2.5", 1], np.array(["1"])):
        with pytest.raises(Stumbled, match="a number"):
            array(value, "a number")


def test_run_gives_what_the_answer_gives():
    assert run(lambda x, y: x + y, 1, 2) == 3


@pytest.mark.parametrize(
    "prediction, right, words",
    [(None, None, "no prediction yet"), ("a", True, "as you said"), ("b", False, "it is 'a'"), ("c", None, "none of")],
)
def test_a_quiz_compares_the_prediction_with_what_was_measured(prediction, right, words):
    verdict = settle(prediction, ("a", "b"), "a", "measured: 1 > 0")
    assert verdict.right is right and words in verdict.text and repr(verdict)[0] in "✓✗◌"
    assert "measured: 1 > 0" in verdict.text or right is None


def test_parameters_are_arguments_like_others():
    theta = Params({"w": (2,)}, np.float64)

    def moves(theta):
        theta.w += 1
        return 1.0

    with pytest.raises(Stumbled, match="changes its argument"):
        run(moves, theta)
    assert theta.flat.tolist() == [0, 0] and run(lambda theta: theta.w.sum(), theta) == 0


def test_without_a_prediction_what_happened_is_folded_away_in_a_notebook():
    html = settle(None, ("a", "b"), "a", "1 > 0")._repr_html_()
    assert html.index("no prediction yet") < html.index("<details>") < html.index("1 &gt; 0")
    assert settle("a", ("a", "b"), "a", "1 > 0")._repr_html_() is None and Verdict(None, "so")._repr_html_() is None


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_a_verdict_quotes_is_shown_as_it_stands(name):
    text = HOSTILE[name]
    page = Reader(f"<p>{settle(None, (text, 'b'), 'b', text)._repr_html_()}</p>")
    assert page.names() <= {"p", "details", "summary", "code"} and not page.mathematics
    assert blanks_as_one(page.texts[0]).endswith(blanks_as_one(visible(text)))
    assert repr(Verdict(False, text)) == f"✗ {visible(text, BREAKS)}"


def test_a_verdict_shows_its_sign_first():
    assert [repr(Verdict(right, "so")) for right in (True, False, None)] == ["✓ so", "✗ so", "◌ so"]


def test_rows_of_different_lengths_are_met_with_a_sentence():
    verdict = judge(lambda x: [[1.0, 2.0], [3.0]], lambda x: np.ones((2, 2)), CASES, {}, "so")
    assert verdict.right is False and "[[1.0, 2.0], [3.0]] where array (2, 2) is right" in verdict.text


def test_none_equals_none_also_inside_of_something():
    assert same(None, None) and same([1, None], [1, None]) and not same(None, 0.0) and not same([None], [np.nan])
