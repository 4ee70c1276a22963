"""The math tutor: the solution passes, wrong pairs and wrong objectives are named."""

import numpy as np
import pytest

from course.solutions import solution
from minisft.course.three_tutors import math_tutor

from .conftest import NAME, each_seed, stub


def tutor():
    return solution(NAME, "tutor")


@each_seed
def test_the_tutor_of_the_solution_is_right(seed):
    assert math_tutor.tutor(tutor()["example"], tutor()["J"], seed).right is True


def test_other_words_and_steps_back_are_right_too():
    def example(who, things, has, gives):
        steps = " = ".join(f"{has - i} - {gives - i}" for i in range(gives + 1))
        return {
            "prompt": problem(who, things, has, gives),
            "completion": f"So: {steps} = {has - gives}. {has - gives}!",
        }

    assert math_tutor.tutor(example, tutor()["J"]).right is True


def test_a_tutor_not_written_yet_is_no_mistake():
    assert math_tutor.tutor(stub, stub).right is None
    assert math_tutor.tutor(tutor()["example"], stub).right is None


def problem(who, things, has, gives):
    return f"{who} has {has} {things} and gives {gives} away. How many {things} does {who} have now?\n"


def steps(has, gives):
    return " = ".join([*(f"{has - i} - {gives - i}" for i in range(gives)), str(has - gives)])


def made(x, y):
    """An example whose x and y are made from (problem, steps, result, has, gives)."""

    def example(who, things, has, gives):
        parts = (problem(who, things, has, gives), steps(has, gives), has - gives, has, gives)
        return {"prompt": x(*parts), "completion": y(*parts)}

    return example


def posed(x, *rest):
    return x


def answered(x, s, r, *rest):
    return f"{s}, so the answer is {r}."


@pytest.mark.parametrize(
    "example, words",
    [
        (made(answered, posed), "swapped"),
        (made(lambda x, s, *rest: x + s, lambda x, s, r, *rest: f" so it is {r}."), "the steps stand in x"),
        (made(posed, lambda x, s, r, a, b: f"{a} - {b}, so the answer is known."), "result is missing"),
        (made(posed, lambda x, s, r, *rest: f"The answer is {r}."), "without a step"),
        (made(posed, lambda x, s, r, a, b: f"{a} - {b} = {r}, so the answer is {r}."), "one step only"),
        (made(posed, lambda x, s, r, a, b: f"{a} - {b} = {r} - 0 = {r}."), "one step only"),
        (made(posed, lambda x, s, r, *rest: answered(x, s, r) + "<|endoftext|>"), "end token is written as text"),
        (made(posed, lambda x, s, r, *rest: x + answered(x, s, r)), "the problem stands in y as well"),
        (made(posed, lambda x, s, r, a, b: f"{a} - {b} = {a} - {b - 1} = {r}."), "a step is false"),
        (made(posed, lambda x, s, r, a, b: f"{s}, so {b} of them were given away."), "must end with the result"),
        (made(lambda x, *rest: "How many are left?\n", answered), "does not state the problem"),
        (made(lambda x, s, r, *rest: x + f"Hint: {r + 90}\n", answered), "more than the problem"),
        (made(lambda x, s, r, a, b: f"What is {a} minus {b}?\n", answered), "does not tell the story"),
        (made(posed, lambda x, s, r, a, b: f"{steps(a + 1, b + 1)}: {r}"), "do not begin with the problem"),
        (made(posed, lambda *rest: "I do not know."), "no number"),
        (made(posed, lambda x, s, r, *rest: f"{r}, since {s}."), "before the steps"),
        (made(posed, lambda x, s, r, *rest: answered(x, s.replace("-", "−"), r)), "another character"),
        (lambda who, things, has, gives: (problem(who, things, has, gives), steps(has, gives)), "a pair is"),
        (lambda who, things, has, gives: {"messages": []}, "a pair is"),
        (
            lambda *story: {"prompt": "Emma has 9 cups and gives 4 away.", "completion": "9 - 4 = 8 - 3 = 5."},
            "`example`",
        ),
        (lambda who, things, has: None, "TypeError"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_wrong_pairs_are_named(example, words, seed):
    verdict = math_tutor.tutor(example, tutor()["J"], seed)
    assert verdict.right is False and words in verdict.text


@pytest.mark.parametrize(
    "J, words",
    [
        (lambda x, y: x.sum() + y.sum(), "joint"),
        (lambda x, y: x.sum(), "trains the problems"),
        (lambda x, y: y.mean(), "their sum"),
        (lambda x, y: np.exp(y.sum()), "not its logarithm"),
        (lambda x, y: -y.sum(), "sign is turned"),
        (lambda x, y: y[:-1].sum(), "never learns to stop"),
        (lambda x, y: y[-1], "only the last token"),
        (lambda x, y: y, "shape"),
        (lambda x, y: 0.5 * x.sum() + y.sum(), "is right"),
        (lambda x, y: y.sum() / 2, "is right"),
    ],
)
def test_wrong_objectives_of_the_tutor_are_named(J, words):
    verdict = math_tutor.tutor(tutor()["example"], J)
    assert verdict.right is False and "`J`" in verdict.text and words in verdict.text


def test_the_target_is_tried_once_the_tutor_is_right():
    ready = math_tutor.tutor(tutor()["example"], tutor()["J"])
    assert math_tutor.target(ready, lambda: 0.8, 0.6).right is True
    assert math_tutor.target(ready, lambda: 0.5, 0.6).right is False
    assert math_tutor.target(math_tutor.tutor(stub, stub), pytest.fail, 0.6).right is None


def test_the_value_of_a_side_and_a_false_step():
    assert [math_tutor.value(side) for side in ("7", "7 - 3", "12 + 3", "9-4")] == [7, 4, 15, 5]
    assert math_tutor.wrong_step("7 - 2 = 6 - 1 = 5, so 5.") == ""
    assert math_tutor.wrong_step("7 - 2 = 6 - 2 = 5.") == "7 - 2 = 6 - 2"
    assert math_tutor.right_result("so the answer is 12.", 12) and not math_tutor.right_result("none", 12)
