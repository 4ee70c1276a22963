"""The drawing of the model: every layer has the number of its derivation, and nothing lies on anything else."""

import itertools

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from minisft.course.graph import BLOCK, EDGES, MODEL, NUMBERS, model_graph


def drawn(**options):
    figure = model_graph(**options)
    figure.draw_without_rendering()
    return figure, [text for text in figure.axes[0].texts if text.get_text()]


@pytest.mark.parametrize("backward", [False, True])
def test_no_text_lies_on_another_or_outside_the_picture(backward):
    figure, texts = drawn(backward=backward)
    boxes = [text.get_window_extent() for text in texts]
    for (one, first), (other, second) in itertools.combinations(zip(texts, boxes), 2):
        assert not first.overlaps(second), (one.get_text(), other.get_text())
    width, height = figure.get_size_inches() * figure.dpi
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height for box in boxes)


@pytest.mark.parametrize("backward", [False, True])
def test_no_letter_is_smaller_than_16_points_on_a_slide_of_16_inches(backward):
    figure, texts = drawn(backward=backward)
    assert min(text.get_fontsize() * 16 / figure.get_size_inches()[0] for text in texts) >= 16


def test_every_derivation_of_the_two_notebooks_has_a_place():
    assert {box.number for box in (*MODEL, *BLOCK)} == set(range(1, len(NUMBERS) + 1))


def test_going_back_every_value_has_a_gradient_but_the_ids():
    _, forward = drawn()
    _, backward = drawn(backward=True)
    assert any(text.get_text() == "ids" for text in forward)
    said = [text.get_text() for text in backward]
    assert not any("ids" in text for text in said)
    named = [edge for edge in EDGES if edge.name not in ("", "…", "ids")]
    assert len([text for text in said if text.startswith("d")]) == len(named)


def test_a_sum_hands_its_gradient_to_both_branches_unchanged():
    """What passes by a branch is read from x and added to h: the gradient that comes back there is dh, not dx."""
    passing = {
        edge.name: edge.back for edge in EDGES if len(edge.corners) == 4 and edge.corners[1][1] != 5.1 and edge.back
    }
    assert passing == {"x": "dh", "h": "dy"}


def test_the_places_of_a_derivation_can_be_marked():
    figure, _ = drawn(marked=(3,))
    widths = [patch.get_linewidth() for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    assert np.sum(np.array(widths) == max(widths)) == 3  # two in a block, one after the last
