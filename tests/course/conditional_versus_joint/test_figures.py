"""The figures of notebook 08."""

from minisft.course import conditional_versus_joint as check


def test_the_bars_of_a_contest_are_the_means_of_the_seeds():
    figure = check.contest(
        {"held out": {"λ = 0": [70, 80], "λ = 1": [10, 30]}, "loss": {"λ = 0": [1, 2], "λ = 1": [0, 1]}},
        ["exact match (%)", "nats"],
    )
    left, right = figure.axes
    assert [bar.get_height() for bar in left.patches] == [75, 20] and left.get_ylim()[1] >= 100
    assert "75" in [text.get_text() for text in left.texts] and "1.50" in [text.get_text() for text in right.texts]


def test_twins_are_two_pictures_of_curves_the_left_one_logarithmic():
    figure = check.twins(
        {"x": [(0, [100.0, 1000.0]), (1, [10.0, 10.0])]}, {"run": [(0, 90.0), (1, 80.0)]}, "t", ("a", "b"), ("", "")
    )
    assert [len(ax.lines) >= 1 for ax in figure.axes] == [True, True]
    assert figure.axes[0].lines[0].get_ydata().tolist() == [2.5, 1.0]


def test_panels_can_stand_in_two_rows():
    panels = {name: {"λ = 0": [50, 60], "λ = 1": [70, 80]} for name in "abcd"}
    figure = check.contest(panels, ["exact match (%)"] * 4, rows=2)
    assert len({round(ax.get_position().y0, 2) for ax in figure.axes}) == 2 and len(figure.axes) == 4


def test_an_exchange_shows_what_is_gained_against_what_is_lost_with_the_steps():
    figure = check.exchange({"λ = 0": [(10, 0.1, 20), (50, 0.3, 80)], "λ = 1": [(10, 0.2, 10)]}, "lost", "gained")
    (ax,) = figure.axes
    assert ax.lines[0].get_xdata().tolist() == [0.1, 0.3] and ax.lines[0].get_ydata().tolist() == [20, 80]
    assert [text.get_text() for text in ax.texts] == ["10", "50", "10"]
