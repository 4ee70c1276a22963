"""What the tests of notebook 04 share: how a wrong answer is told."""

from minisft.course import backprop_by_hand as check


def wrong(exercise, answer, words, seed=None):
    verdict = getattr(check, exercise)(answer, seed)
    assert verdict.right is False and words in verdict.text, verdict
