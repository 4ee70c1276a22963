"""The predictions of notebook 09 go by what was measured."""

import numpy as np
import pytest

from minisft.course import three_tutors as check


def test_the_best_is_found_by_its_mean_and_overlapping_seeds_are_told():
    scores = {"a": [0.5, 0.6, 0.7], "b": [0.1, 0.2, 0.3]}
    assert check.best("a", scores, "").right is True and "beats the best" in check.best("a", scores, "").text
    assert check.best("b", scores, "").right is False and check.best(None, scores, "").right is None
    assert "overlap" in check.best("a", {"a": [0.2, 0.9, 0.9], "b": [0.3, 0.3, 0.3]}, "").text


@pytest.mark.parametrize("share, outcome", [(0.1, "below 40 %"), (0.6, "40 to 80 %"), (0.9, "above 80 %")])
def test_a_band_holds_the_mean(share, outcome):
    assert check.band(outcome, [share - 0.05, share, share + 0.05], "").right is True


@pytest.mark.parametrize(
    "shares, outcome",
    [
        ([0.31, 0.19, 0.1], "the frequencies of the data"),
        ([0.2, 0.21, 0.2], "all the same"),
        ([0.9, 0.01, 0.01], "all on the most frequent answer"),
    ],
)
def test_the_nearest_shares_do_not_depend_on_what_is_lost_to_other_texts(shares, outcome):
    frequency = np.array([3, 2, 1]) / 6
    assert check.nearest_shares(outcome, [np.array(shares)], [frequency]).right is True
    assert check.nearest_shares(outcome, [np.array(shares) / 10], [frequency]).right is True


@pytest.mark.parametrize("falls, outcome", [(0, "none"), (1, "one or two"), (2, "one or two"), (3, "three or four")])
def test_falling_losses_are_counted(falls, outcome):
    own = {str(i): (2.0, 1.0 if i < falls else 2.0) for i in range(4)}
    assert check.falling(outcome, own).right is True and f"{falls} of 4" in check.falling(outcome, own).text
