"""A help desk: frequencies, the cross-entropy in its three parts, and what a perfect greedy model reaches."""

import numpy as np
import pytest

from minisft import checkpoint
from minisft.course.three_tutors import desk
from minisft.data import Example
from minisft.formats import resources

GIVEN = {"Late?": ["Wait.", "Wait.", "Sorry."], "Where is it?": ["Wait.", "Sorry.", "Wait."], "Broken?": ["Send it."]}


def example(enquiry, answer):
    return Example([], [{"role": "user", "content": enquiry}, {"role": "assistant", "content": answer}], "here")


EXAMPLES = [example(enquiry, answer) for enquiry, answers in GIVEN.items() for answer in answers]


@pytest.fixture(scope="module")
def here():
    theta, config, tokenizer = checkpoint.load(resources.path("atlas"))
    return desk.Desk(EXAMPLES, config, tokenizer), theta


def test_answers_are_counted_and_enquiries_with_the_same_answers_are_one_topic():
    assert desk.counts(EXAMPLES)["Late?"] == {"Wait.": 2, "Sorry.": 1}
    first, second = desk.topics(EXAMPLES, 5)
    assert first == {"Wait.", "Sorry."} and second == {"Send it."}
    assert desk.about(EXAMPLES, [second]) == EXAMPLES[-1:]


def test_cross_entropy_is_the_entropy_and_two_losses_and_ends_at_the_entropy(here):
    one, theta = here
    whole, elsewhere, wrong = one.cross_entropy(one.pr(theta))
    assert whole == pytest.approx(one.entropy + elsewhere + wrong) and min(elsewhere, wrong) > 0
    assert one.cross_entropy(one.frequency) == pytest.approx((one.entropy, 0, 0), abs=1e-12)


def test_by_topic_is_a_mean_over_its_enquiries(here):
    one, _ = here
    values = np.arange(len(one.texts), dtype=float)
    waits, _ = [np.mean(values[[t == y for t in one.texts]]) for y in ("Wait.", "Sorry.")]
    assert one.by_topic(values, desk.topics(EXAMPLES, 1))[0][0] == waits


def test_a_perfect_greedy_model_agrees_as_often_as_the_most_frequent_answer_was_given():
    assert desk.ceiling(EXAMPLES) == pytest.approx((6 * 2 / 3 + 1) / 7)


def test_an_answer_to_another_topic_is_not_sensible():
    answered = [{"predicted": "Sorry.", "expected": "Wait."}, {"predicted": "Send it.", "expected": "Wait."}]
    assert desk.sensible(answered, desk.topics(EXAMPLES, 2)) == 0.5
