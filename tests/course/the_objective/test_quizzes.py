"""The predictions of notebook 02 go by what was measured, and its figures show their numbers."""

import numpy as np

from minisft.course import the_objective as check


def test_the_least_harmful_gap_is_found_by_measuring():
    scores = {"Σ": [0.6, 0.7], "log": [0.2, 0.3]}
    verdict = check.least_harm("Σ", scores, [0.9, 0.9])
    assert verdict.right and "0.650" in verdict.text and "0.900" in verdict.text
    assert check.least_harm("log", scores, [0.9, 0.9]).right is False


def test_the_pair_helped_most_is_found_by_measuring():
    labels, changes = ["a", "b", "c"], np.array([0.5, 0.1, -0.2])
    assert check.helped_most("b", labels, changes, 0).right
    assert check.helped_most("c", labels, changes, 0).right is False
    assert check.helped_most("a", labels, changes, 0).right is None  # not one of the others


def test_a_matrix_is_drawn_with_a_number_in_each_cell_and_panels_with_one_legend():
    figure = check.matrix(np.array([[1.0, -0.5], [0.25, 1.0]]), ["a", "$b"], "title", "to", "from", "cosine")
    assert {text.get_text() for text in figure.axes[0].texts} == {"1.00", "-0.50", "0.25"}
    series = {name: {"θ̃: whole": [(0, 1.0), (2, [2.0, 3.0])], "without": [(0, 1.0), (2, 0.0)]} for name in "abcd"}
    figure = check.panels(series, "step $t$", "nats", "title")
    assert len(figure.legends) == 1 and len(figure.axes) == 6 and figure._repr_png_()[0]
