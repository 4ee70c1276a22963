"""The world of the small tutor: its sums hold, and what is held out is never worked out."""

import numpy as np
import pytest

from minisft.course.three_tutors import math_tutor, stories

HELD_OUT, TAUGHT = stories.divided(np.random.default_rng(0))


def test_a_third_of_the_pairs_is_held_out_and_a_sum_goes_with_its_mirror_image():
    assert len(HELD_OUT) + len(TAUGHT) == 81 and not set(HELD_OUT) & set(TAUGHT)
    assert all((b, a) in HELD_OUT for a, b in HELD_OUT) and 25 <= len(HELD_OUT) <= 30


@pytest.mark.parametrize("kind, first, last", [(stories.more, 7, 11), (stories.away, 3, 3)])
def test_every_side_of_a_story_has_the_value_of_its_result(kind, first, last):
    story, sides = kind("Anna", "cups", 7, 4)
    assert "Anna has 7 cups" in story and int(sides[-1]) == last
    assert {math_tutor.value(side) for side in sides} == {last}
    assert stories.result(kind, ("Anna", "cups"), (7, 4)) == last


def test_the_text_writes_held_out_sums_down_and_never_begins_to_work_one_out():
    rng = np.random.default_rng(1)
    pages = [stories.page(rng, TAUGHT, HELD_OUT + TAUGHT) for _ in range(600)]
    beginnings = {tuple(math_tutor.numbers(p.split("\n")[1].split(" = ")[0])) for p in pages if "=" in p and "+" in p}
    written = {tuple(math_tutor.numbers(p.split("\n")[1])) for p in pages if "=" not in p and "+" in p}
    assert beginnings <= set(TAUGHT) and written & set(HELD_OUT)
    assert not any(math_tutor.wrong_step(page) for page in pages)


def test_a_sum_is_passed_if_a_taught_one_has_it_between_its_first_side_and_its_result():
    assert stories.passed([(5, 3)]) == {"6 + 2", "7 + 1"}


def test_of_an_answer_is_told_what_holds_and_where_it_goes_wrong_first():
    wanted = "2 + 3 = 5, so Hugo has 5 cups now."
    assert math_tutor.taken_apart(wanted, wanted) == (True, True, True, True)
    assert math_tutor.taken_apart("2 + 4 = 6, so Hugo has 6 cups", wanted) == (True, False, True, False)
    assert math_tutor.taken_apart("Hugo has 5", wanted) == (False, False, False, False)
    story = stories.Story(stories.more, ("Hugo", "cups"), (2, 3))
    for text, fault in {
        "3 + 3 = 6": "another sum than the problem's",
        "2 + 3 = 4 + 2 = 6": "a false equation",
        "2 + 3 = 3 + 2 = 4 + 1 = 5, so the answer is 6.": "another number at the end",
    }.items():
        assert math_tutor.first_fault(story, {"predicted": text, "stopped": True}, right=False) == fault
    assert math_tutor.first_fault(story, {"predicted": "2", "stopped": False}, right=False) == "does not stop"
    assert math_tutor.first_fault(story, {"predicted": "", "stopped": True}, right=True) == "right result"
