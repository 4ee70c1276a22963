"""The figures of notebook 07."""

import numpy as np

from minisft.course.three_states import cells, film


def test_a_film_has_a_row_for_each_question_and_what_is_right_longest_on_top():
    right = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1]], bool)
    figure = film(right, [0, 2, 4], {"a": [0, 2], "b": [1]}, "θ̂")
    [mesh] = [c for c in figure.axes[0].collections if c.get_array() is not None]
    assert np.array_equal(np.asarray(mesh.get_array()).reshape(3, 3), [[1, 1, 1], [0, 1, 1], [0, 0, 1]])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a", "b"]


def test_cells_write_every_number_and_leave_out_what_is_not_one():
    figure = cells(np.array([[1.0, 2.5], [0.25, np.nan]]), ["r", "s"], ["c", "d"], unit="unit of θ")
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "2.5", "0.25"]
