"""The pictures: readable from the last row, in grey, with odd data. A warning of matplotlib is an error here."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Annotation, Text
from numpy.testing import assert_allclose

from minisft import plots
from minisft.plots import style

from .conftest import EVERY, texts


@pytest.fixture(params=EVERY)
def drawn(request):
    figure = EVERY[request.param]()
    figure.draw_without_rendering()
    return figure


def test_nothing_of_a_picture_is_cut_off_and_no_letter_is_small(drawn):
    box = drawn.get_tightbbox()  # inches
    width, height = drawn.get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
    assert min(text.get_fontsize() * 16 / width for text in texts(drawn)) >= 14  # points on a slide 16 inches wide
    assert drawn.get_size_inches() @ [9, -16] == 0 and width * drawn.dpi == 1600


@pytest.mark.parametrize("name", ["curves", "demo", "curves that end together"])
def test_names_at_the_ends_of_curves_do_not_overlap(name):
    figure = EVERY[name]()
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in texts(figure, Annotation)]  # without the line that leads to it
    assert len(boxes) >= 4
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_labels_are_placed_where_wanted_unless_they_would_overlap_or_leave_the_picture():
    heights = np.full(3, 0.1)
    assert_allclose(style.spread(np.array([0.1, 0.5, 0.9]), heights), [0.1, 0.5, 0.9])
    assert_allclose(style.spread(np.array([0.3, 0.3, 0.32]), heights), [0.3, 0.4, 0.5])
    assert_allclose(style.spread(np.array([0.2, 1.0, 1.0]), heights), [0.2, 0.9, 1.0])


def lightness(colour):
    """CIE L*, 0 black to 100 white, from the luminance of a colour: what is left of it in grey."""
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16


def test_the_colours_of_the_objects_differ_in_grey_and_stand_out_from_white():
    assert list(plots.COLOURS) == list(plots.LINES) == ["θ̂", "θ_t", "θ̃", "x", "y"]
    objects = sorted(lightness(colour) for colour in plots.COLOURS.values())
    assert min(np.diff(objects)) > 10 and objects[-1] < 75
    everything = sorted([*objects, *(lightness(colour) for colour, _ in style.OTHERS)])
    assert min(np.diff(everything)) > 5 and everything[-1] < 80
    assert max(lightness(plots.COLOURS[symbol]) for symbol in "xy") < 55  # texts are written in these


def test_the_lines_of_the_objects_differ_without_any_colour():
    assert len(set(plots.LINES.values())) == 5
