"""The pictures: readable from the last row, in grey, with odd data. A warning of matplotlib is an error here."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from matplotlib.lines import Line2D
from matplotlib.text import Annotation, Text
from numpy.testing import assert_allclose, assert_array_equal

import minisft
from minisft import plots
from minisft.errors import MinisftError

TOKENS = ["The", " capital", " of", " K", "enya", " is", " Nair", "obi", ".", "<|im_end|>"]
KENYA = "Kenya is in Africa. A map of Africa shows Kenya. "
SERIES = {
    "θ̂: before fine-tuning": [(0, 0.0)],
    "θ̃: conditional log Pr(y|x)": [(0, 0.0), (30, 0.7), (60, 0.84)],
    "joint log Pr(x, y)": [(0, 0.0), (30, 0.3), (60, 0.46)],
    "conditional, from random initialisation": [(0, 0.0), (30, 0.0), (60, 0.0)],
}


def heat(rows=12, columns=10):
    return -np.random.default_rng(0).gamma(1, 2, (rows, columns))


def demo(series=SERIES, steps=range(0, 60, 5), tokens=TOKENS, question="What is the capital of Kenya?", answers=None):
    answers = [(0, KENYA * 9), (60, "The capital of Kenya is Nairobi.")] if answers is None else answers
    return plots.demo_picture(
        series, heat(len(steps), len(tokens)), list(steps), tokens, question, answers, "From θ̂ to θ̃ in 60 steps"
    )


def plane():
    a, b = np.linspace(-1, 3, 9), np.linspace(-1, 1, 7)
    values = (a - 2) ** 2 + 3 * b[:, None] ** 2
    path = np.array([(0, 0), (0.5, 0.4), (1.5, 0.5), (2, 0)])
    return plots.path_plane(path, (a, b), values, "The path in its plane", "nats per token")


EVERY = {
    "curves": lambda: plots.curves(SERIES, "step $t$", "−J (nats per token)", "Loss of θ_t"),
    "heat map": lambda: plots.heat_map(heat(), list(range(0, 60, 5)), TOKENS, "One answer"),
    "bars": lambda: plots.bars([0.2, -0.5, 0.1], ["θ̂", "θ̃", "random"], "log Pr(y|x)", "nats"),
    "path": plane,
    "demo": demo,
    "curves of one step": lambda: plots.curves({"θ̂": [(0, 1.0)]}, "step $t$", "−J (nats)"),
    "curves that end together": lambda: plots.curves(
        {
            name: [(0, 0), (9, 1 + i / 99)]
            for i, name in enumerate(["θ̂", "θ_t", "θ̃", "x", "y", "λ = 0.1 and long", "z"])
        },
        "step $t$",
        "J (nats)",
    ),
    "heat map of one step and one token": lambda: plots.heat_map(np.array([[-30.0]]), [0], ["\n"]),
    "heat map of many steps and odd tokens": lambda: plots.heat_map(
        heat(61, 60), list(range(61)), ["\n", "$", "東", "\x00", "a_b^{", "\\frac", "x" * 99, " ", "$x$", ""] * 6
    ),
    "bars without labels": lambda: plots.bars(heat(1, 512)[0]),
    "bars of odd tokens": lambda: plots.bars(np.zeros(9), ["$", "$$", "東", "\n", " a", "\\", "x" * 99, "", "$x$"]),
    "path of equal values": lambda: plots.path_plane(np.eye(2), ([0, 1], [0, 1]), np.ones((2, 2))),
    "demo with odd texts": lambda: demo(
        {"θ̂": [(0, 0.0)]}, [0], ["\n"], "Q" * 300 + "$\n", [(t, "a $ b $\n東" * 50) for t in range(0, 10**5, 10**4)]
    ),
}


@pytest.fixture(params=EVERY)
def drawn(request):
    figure = EVERY[request.param]()
    figure.draw_without_rendering()
    return figure


def texts(figure, kind=Text):
    return [text for text in figure.findobj(kind) if text.get_visible() and text.get_text()]


def texts_of(figure):
    return [text.get_text() for text in texts(figure)]


# --- readable --------------------------------------------------------------------------------------------------------


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
    assert_allclose(plots.spread(np.array([0.1, 0.5, 0.9]), heights), [0.1, 0.5, 0.9])
    assert_allclose(plots.spread(np.array([0.3, 0.3, 0.32]), heights), [0.3, 0.4, 0.5])
    assert_allclose(plots.spread(np.array([0.2, 1.0, 1.0]), heights), [0.2, 0.9, 1.0])


def lightness(colour):
    """CIE L*, 0 black to 100 white, from the luminance of a colour: what is left of it in grey."""
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16


def test_the_colours_of_the_objects_differ_in_grey_and_stand_out_from_white():
    assert list(plots.COLOURS) == list(plots.LINES) == ["θ̂", "θ_t", "θ̃", "x", "y"]
    objects = sorted(lightness(colour) for colour in plots.COLOURS.values())
    assert min(np.diff(objects)) > 10 and objects[-1] < 75
    everything = sorted([*objects, *(lightness(colour) for colour, _ in plots.OTHERS)])
    assert min(np.diff(everything)) > 5 and everything[-1] < 80
    assert max(lightness(plots.COLOURS[symbol]) for symbol in "xy") < 55  # texts are written in these


def test_the_lines_of_the_objects_differ_without_any_colour():
    assert len(set(plots.LINES.values())) == 5


def test_a_curve_has_the_colour_and_line_of_the_object_its_name_begins_with():
    for symbol in plots.COLOURS:
        for name in (symbol, f"{symbol}: λ = 0", f"{symbol}, again"):
            assert plots.style(name, 0) == (plots.COLOURS[symbol], plots.LINES[symbol])
    for name in ("joint", "yes", "xy", "the x", "θ"):
        assert plots.style(name, 1) == plots.OTHERS[1]


def test_curves_of_other_things_are_told_apart():
    figure = plots.curves({name: [(0, 0), (1, 1)] for name in ("a", "θ̂", "b", "c")}, "step", "J (nats)")
    lines = figure.axes[0].get_lines()[::2]
    expected = [plots.OTHERS[0][0], plots.COLOURS["θ̂"], plots.OTHERS[1][0], plots.OTHERS[2][0]]
    assert [line.get_color() for line in lines] == expected


# --- texts -----------------------------------------------------------------------------------------------------------


def test_hats_and_tildes_are_set_as_mathematics():
    assert plots.typeset("from θ̂ over θ_t to θ̃") == r"from $\hat{\theta}$ over $\theta_t$ to $\tilde{\theta}$"


def test_what_cannot_be_seen_in_a_token_is_made_visible():
    assert plots.visible(" of", 9) == "␣of"
    assert plots.visible("  a b ", 9) == "␣␣a b␣"
    assert plots.visible("\n", 9) == "↵"
    assert plots.visible("東\x00\t\u00a0θ", 99) == r"\u6771\x00\t\xa0θ"


def test_a_long_text_is_cut_with_an_ellipsis_and_a_text_that_fits_is_not():
    assert plots.visible("abcdef", 6) == "abcdef"
    assert plots.visible("abcdefg", 6) == "abcde…"


def test_tokens_stand_on_the_axis_as_they_are():
    found = texts_of(plots.heat_map(heat(1, 4), [0], [" K", "\n", "a_b", "<|im_end|>"]))
    for token in ("␣K", "↵", "a_b", "<|im_end|>"):
        assert token in found


def test_dollars_in_tokens_questions_and_answers_do_not_start_mathematics():
    data = {"$a$", "$b$", "$c$"}
    shown = [
        text for text in texts(demo(tokens=["$a$"], question="$b$", answers=[(0, "$c$")])) if text.get_text() in data
    ]
    assert len(shown) == 3 and not any(text.get_parse_math() for text in shown)
    assert r"\$d\$" in texts_of(plots.bars([1], ["$d$"]))  # matplotlib draws \$ as a dollar


def test_axes_say_what_they_show_and_in_which_unit():
    assert {"step $t$", "tokens $y_i$ of the target output"} <= set(texts_of(EVERY["heat map"]()))
    assert r"$\log\,\Pr(y_i \mid x, y_{<i})$  (nats)" in texts_of(EVERY["heat map"]())
    assert "−J  (nats per token)" in texts_of(plane())
    assert r"$a$: along $\tilde{\theta}$ − $\hat{\theta}$  (distance, unit of θ)" in texts_of(plane())
    assert {"step $t$", "−J (nats per token)"} <= set(texts_of(EVERY["curves"]()))
    assert "exact match (%)" in texts_of(demo())


# --- what is drawn ---------------------------------------------------------------------------------------------------


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


def test_the_slide_shows_shares_in_percent_and_the_question_with_six_answers_at_most():
    figure = demo(answers=[(t, f"answer {t}") for t in range(0, 101, 5)])
    assert_allclose(figure.findobj(Line2D)[2].get_ydata(), [0, 70, 84])
    found = texts_of(figure)
    assert "What is the capital of Kenya?" in found
    assert [text for text in found if text.startswith("answer")] == [f"answer {t}" for t in (0, 20, 40, 60, 80, 100)]
    assert "ŷ  t=100" in found


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_saved_picture_is_a_whole_png_of_1600_by_900_pixels(tmp_path):
    for name in ("bars", "demo"):
        plots.save(EVERY[name](), tmp_path / "new" / "a.png")
        assert imread(tmp_path / "new" / "a.png").shape[:2] == (900, 1600)
        assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


def test_a_picture_that_cannot_be_drawn_leaves_the_old_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    figure = plots.bars([1])
    monkeypatch.setattr(type(figure), "savefig", lambda self, to, **_: (Path(to).write_bytes(b"half"), 1 / 0))
    with pytest.raises(ZeroDivisionError):
        plots.save(figure, path)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MinisftError, match=r"file/a\.png: cannot be written"):
        plots.save(plots.bars([1]), tmp_path / "file" / "a.png")


def test_a_notebook_shows_a_picture_by_itself():
    assert imread(io.BytesIO(plots.bars([1, 2])._repr_png_())).shape[:2] == (675, 1200)


def test_pictures_need_neither_pyplot_nor_a_screen():
    code = (
        "import sys; from minisft import plots; plots.bars([1])._repr_png_(); print('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_matplotlib_is_imported_nowhere_else():
    files = Path(minisft.__file__).parent.rglob("*.py")
    assert [
        path.name for path in files if "import matplotlib" in (text := path.read_text()) or "from matplotlib" in text
    ] == ["plots.py"]
