"""The predictions of notebook 08 go by what was measured."""

from minisft.course import conditional_versus_joint as check

from .conftest import HIGH, LOW, MEASURED


def test_the_longer_gradient_is_measured():
    assert check.pulls_harder("that of x", 10.0, 1.0).right and check.pulls_harder("that of y", 1.0, 10.0).right
    assert check.pulls_harder("that of x", 1.0, 1.1).right is False


def test_the_best_weight_is_any_that_the_intervals_do_not_tell_from_the_best():
    shares = {"λ = 0": [0.7, 0.8], "λ = 0.1": [0.75, 0.78], "λ = 1": [0.1, 0.2]}
    assert check.best_weight("λ = 0", shares).right and check.best_weight("λ = 0.1", shares).right
    assert check.best_weight("λ = 1", shares).right is False and check.best_weight(None, shares).right is None
    assert "do not decide" in check.best_weight("λ = 0", shares).text


def test_the_ratio_decides_only_if_it_parts_the_winners():
    assert check.follows_the_ratio("the ratio does not decide", MEASURED).right
    parted = [
        ("short", 1.0, False, {"conditional": HIGH, "joint": LOW}),
        ("long", 5.0, False, {"conditional": LOW, "joint": HIGH}),
    ]
    assert check.follows_the_ratio("the joint wins where x is long", parted).right
    turned = [(name, 6 - ratio, flag, shares) for name, ratio, flag, shares in parted]
    assert check.follows_the_ratio("the joint wins where x is short", turned).right


def test_what_is_forgotten_least_and_what_the_last_token_teaches_is_measured():
    assert check.forgets_least("joint", {"conditional": [0.3], "joint": [0.1]}).right
    assert check.learns_to_read("the answers by heart", [0.0, 0.1]).right
    assert check.learns_to_read("to read it", [0.9, 0.8]).right
    assert check.last_token_learns("to stop, not to answer", [0.0, 0.02], [0.8, 0.9]).right
    assert (
        check.last_token_learns("nothing", [0.0], [0.1]).right
        and check.last_token_learns("to answer", [1.0], [1.0]).right
    )
