"""What is drawn: each figure shows its numbers, in the colour and the line of the object they belong to."""

from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from numpy.testing import assert_allclose, assert_array_equal

from minisft import plots
from minisft.plots import style

from .conftest import EVERY, TOKENS, demo, heat, plane, texts_of


def test_a_curve_has_the_colour_and_line_of_the_object_its_name_begins_with():
    for symbol in plots.COLOURS:
        for name in (symbol, f"{symbol}: λ = 0", f"{symbol}, again"):
            assert style.colour_and_line(name, 0) == (plots.COLOURS[symbol], plots.LINES[symbol])
    for name in ("joint", "yes", "xy", "the x", "θ"):
        assert style.colour_and_line(name, 1) == style.OTHERS[1]


def test_curves_of_other_things_are_told_apart():
    figure = plots.curves({name: [(0, 0), (1, 1)] for name in ("a", "θ̂", "b", "c")}, "step", "J (nats)")
    lines = figure.axes[0].get_lines()[::2]
    expected = [style.OTHERS[0][0], plots.COLOURS["θ̂"], style.OTHERS[1][0], style.OTHERS[2][0]]
    assert [line.get_color() for line in lines] == expected


def test_axes_say_what_they_show_and_in_which_unit():
    assert {"step $t$", "tokens $y_i$ of the target output"} <= set(texts_of(EVERY["heat map"]()))
    assert r"$\log\,\Pr(y_i \mid x, y_{<i})$  (nats)" in texts_of(EVERY["heat map"]())
    assert "−J  (nats per token)" in texts_of(plane())
    assert r"$a$: along $\tilde{\theta}$ − $\hat{\theta}$  (distance, unit of θ)" in texts_of(plane())
    assert {"step $t$", "−J (nats per token)"} <= set(texts_of(EVERY["curves"]()))
    assert "exact match (%)" in texts_of(demo())


def test_a_heat_map_has_a_row_for_each_step_downwards_and_a_column_for_each_token():
    values = heat(3, 4)
    ax = plots.heat_map(values, [0, 5, 60], TOKENS[:4]).axes[0]
    mesh = ax.collections[0]
    assert_array_equal(mesh.get_array().reshape(3, 4), values)
    bottom, top = ax.get_ylim()
    assert bottom > top
    assert_array_equal(ax.get_yticks(), [0.5, 1.5, 2.5])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0", "5", "60"]


def test_the_same_log_probability_has_the_same_colour_in_every_heat_map():
    for values in (heat(), 20 * heat(), heat() / 100):
        mesh = plots.heat_map(values, list(range(12)), TOKENS).axes[0].collections[0]
        assert mesh.get_clim() == (-8, 0)


def test_several_seeds_are_drawn_as_their_mean_in_a_band_from_the_lowest_to_the_highest():
    ax = plots.curves({"θ̃": [(0, [1, 2, 6]), (10, [4, 4, 7])]}, "step", "J (nats)").axes[0]
    assert_allclose(ax.get_lines()[0].get_ydata(), [3, 5])
    corners = {tuple(point) for point in ax.collections[0].get_paths()[0].vertices}
    assert corners == {(0, 1), (0, 6), (10, 4), (10, 7)}


def test_a_single_point_beside_a_curve_is_drawn_as_a_level():
    ax = plots.curves({"θ̂": [(0, 3.0)], "θ̃": [(0, 3.0), (60, 1.0)]}, "step", "J (nats)").axes[0]
    assert_allclose(ax.get_lines()[0].get_xydata(), [(0, 3), (60, 3)])


def test_the_path_leads_from_theta_hat_to_theta_tilde_over_contours_of_the_objective():
    ax = plane().axes[0]
    path, middle, start, end = ax.get_lines()
    assert_allclose(path.get_xydata(), [(0, 0), (0.5, 0.4), (1.5, 0.5), (2, 0)])
    assert [line.get_color() for line in (middle, start, end)] == [plots.COLOURS[s] for s in ("θ_t", "θ̂", "θ̃")]
    assert_allclose([start.get_xydata()[0], end.get_xydata()[0]], [(0, 0), (2, 0)])
    assert ax.get_aspect() == 1 and len(ax.collections) == 2


def test_bars_take_the_colour_of_the_parameters_they_belong_to_but_not_of_tokens():
    colours = [to_rgb(bar.get_facecolor()) for bar in plots.bars([1, 2, 3], ["θ̂", "θ̃: joint", "y"]).axes[0].patches]
    assert colours[:2] == [to_rgb(plots.COLOURS["θ̂"]), to_rgb(plots.COLOURS["θ̃"])]
    assert colours[2] != to_rgb(plots.COLOURS["y"])


def test_the_slide_shows_fractions_in_percent_and_the_question_with_six_answers_at_most():
    figure = demo(answers=[(t, f"answer {t}") for t in range(0, 101, 5)])
    assert_allclose(figure.findobj(Line2D)[2].get_ydata(), [0, 70, 84])
    found = texts_of(figure)
    assert "What is the capital of Kenya?" in found
    assert [text for text in found if text.startswith("answer")] == [f"answer {t}" for t in (0, 20, 40, 60, 80, 100)]
    assert "ŷ  t=100" in found
