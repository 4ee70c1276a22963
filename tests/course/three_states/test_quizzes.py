"""The predictions of notebook 07 go by what was measured."""

from minisft.course.three_states import first_to_flip, from_scratch


def test_the_first_flip_is_found_from_the_run():
    flips, log_prs = {"capital": [26, 42, 24], "map": [8, 10, 10]}, {"capital": -22.0, "map": -26.0}
    assert first_to_flip(None, flips, log_prs, last=40).right is None
    verdict = first_to_flip("map", flips, log_prs, last=40)
    assert (
        verdict.right is True
        and "capital 26, never, 24" in verdict.text
        and "likeliest under θ̂ was capital" in verdict.text
    )
    assert first_to_flip("capital", flips, log_prs, last=40).right is False


def test_where_fine_tuning_starts_is_decided_by_the_runs():
    exact = {("θ̂", "D"): [0.8, 0.7], ("random", "D"): [0, 0], ("θ̂", "text"): [0, 0], ("random", "text"): [0, 0]}
    assert from_scratch("false", exact).right is True
    assert from_scratch("true", exact).right is False
    assert from_scratch(None, exact).right is None
    assert from_scratch("true", exact | {("random", "text"): [0.9, 0.9]}).right is True  # if the runs had shown it
