"""Every picture. One colour and one kind of line for each object, the same in the whole course:

    θ̂  dashed, nearly black    θ_t  dotted, amber    θ̃  solid, red    x  dash-dot, blue    y  dash-dot-dot, green

Their lightness differs too, for weak projectors and grey printers; no letter is under 16 points on a 16-inch slide.
In titles and names $…$ is mathematics, and θ̂, θ̃, θ_t are set as such; tokens, questions and answers are data, shown as
they are. Functions return a matplotlib Figure, and `save` writes it; those called draw_… draw into given axes.
"""

import io
import re
import textwrap

import numpy as np
from matplotlib import colormaps, font_manager
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from minisft.files import replacing

DASHED, DOTTED, LONG = (0, (5, 2)), (0, (1, 1.2)), (0, (12, 2))
COLOURS = {"θ̂": "#012359", "θ_t": "#e39919", "θ̃": "#c31e15", "x": "#0185c7", "y": "#184c2a"}
LINES = {"θ̂": DASHED, "θ_t": DOTTED, "θ̃": "-", "x": (0, (6, 1.5, 1, 1.5)), "y": (0, (6, 1, 1, 1, 1, 1))}
OTHERS = [("#c17ac4", LONG), ("#525252", DOTTED), ("#7ec8b9", DASHED)]  # curves of other things
MATH = {"θ̂": r"$\hat{\theta}$", "θ̃": r"$\tilde{\theta}$", "θ_t": r"$\theta_t$"}
MONO, INK, PALE, LARGE, SMALL = "DejaVu Sans Mono", "#222222", "#dddddd", 19, 16  # sizes in points
SLANTED = {"rotation": 70, "rotation_mode": "anchor", "ha": "right", "va": "center"}
FLOOR = -8.0  # nats, a probability of 0.0003: this and all below it have the darkest colour of a heat map


class Picture(Figure):
    """A matplotlib Figure, 1600 pixels wide, that a notebook shows by itself, without pyplot."""

    def __init__(self, width=12.0, height=6.75):
        super().__init__(figsize=(width, height), dpi=1600 / width, layout="constrained", facecolor="white")
        self.get_layout_engine().set(w_pad=0.12, h_pad=0.12)

    def _repr_png_(self):
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=self.dpi * 0.75)
        return buffer.getvalue()


def save(figure: Figure, path):
    """Write a PNG, whole or not at all. Raises MinisftError naming `path` if it cannot be written."""
    with replacing(path) as beside:
        figure.savefig(beside, format="png")


def typeset(text: str) -> str:
    """θ̂, θ̃ and θ_t as mathematics: fonts place a combining hat or tilde badly."""
    return re.sub("|".join(MATH), lambda found: MATH[found[0]], text)


def visible(text: str, length: int) -> str:
    """Data on one line, cut to `length` with …: a space at an end is ␣, a line break ↵, what the font lacks \\u6771."""
    text = re.sub("^ +| +$", lambda found: "␣" * len(found[0]), text).replace("\n", "↵")
    glyphs = font_manager.get_font(font_manager.findfont(MONO)).get_charmap()
    text = "".join(c if c.isprintable() and ord(c) in glyphs else ascii(c)[1:-1] for c in text)
    return text if len(text) <= length else text[: length - 1] + "…"


def style(name: str, number: int) -> tuple:
    """Colour and line of the object a name begins with, as in "θ̃: joint"; of other names, number `number` of OTHERS."""
    symbol = re.match(r"(θ̂|θ_t|θ̃|x|y)(?!\w)", name)
    return (COLOURS[symbol[0]], LINES[symbol[0]]) if symbol else OTHERS[number % len(OTHERS)]


def dress(ax, title, xlabel, ylabel):
    """The same frame for every picture."""
    ax.set_title(typeset(title), fontsize=LARGE, color=INK, loc="left", pad=14)
    ax.set_xlabel(typeset(xlabel), fontsize=SMALL, color=INK)
    ax.set_ylabel(typeset(ylabel), fontsize=SMALL, color=INK)
    ax.tick_params(labelsize=SMALL, colors=INK, pad=6)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)


def colour_bar(ax, mappable, label, **options):
    bar = ax.figure.colorbar(mappable, ax=ax, pad=0.02, **options)
    bar.set_label(label, fontsize=SMALL, color=INK, labelpad=10)
    bar.ax.tick_params(labelsize=SMALL, colors=INK)


def spread(wanted: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Places of labels of these heights, each where wanted (ascending) or as far above as it must to clear those below.

    In units of the axes, so nothing goes above 1: there a whole column of labels is moved down.
    """
    offsets = np.cumsum(np.r_[0, (heights[1:] + heights[:-1]) / 2])
    return np.minimum(np.maximum.accumulate(wanted - offsets), 1 - offsets[-1]) + offsets


def draw_curves(ax, series, xlabel, ylabel, title):
    dress(ax, title, xlabel, ylabel)
    last = max(points[-1][0] for points in series.values())
    ends, others = [], 0
    for name, points in series.items():
        colour, dashes = style(name, others)
        others += (colour, dashes) in OTHERS
        steps, values = zip(*(points if len(points) > 1 else [points[0], (last, points[0][1])]))
        means, low, high = ([f(value) for value in values] for f in (np.mean, np.min, np.max))
        ax.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
        ax.plot(steps, means, color=colour, linestyle=dashes, linewidth=3.5)
        ax.plot(steps[-1], means[-1], "o", color=colour, markersize=9, clip_on=False, zorder=3)
        whole = name.replace("log Pr", "log\u00a0Pr")
        ends.append((means[-1], steps[-1], colour, [whole] if "$" in name else textwrap.wrap(whole, 22)))
    ax.xaxis.set_major_locator(MaxNLocator(7, integer=True, min_n_ticks=1))
    ax.grid(axis="y", color=PALE)
    bottom, top = ax.set_ylim(ax.get_ylim())  # fixed from here: the labels' places depend on it
    ends.sort(key=lambda end: end[0])
    wanted = np.array([(y - bottom) / (top - bottom) for y, *_ in ends])
    places = spread(wanted, np.array([0.078 * len(lines) + 0.01 for *_, lines in ends]))
    for (y, x, colour, lines), place in zip(ends, places):
        leader = {"arrowstyle": "-", "color": colour, "linewidth": 1.5, "shrinkA": 1, "shrinkB": 5, "relpos": (0, 0.5)}
        font = {"fontsize": SMALL, "color": INK, "va": "center", "textcoords": "axes fraction"}
        ax.annotate(typeset("\n".join(lines)), (x, y), (1.06, place), annotation_clip=False, arrowprops=leader, **font)


def curves(series: dict[str, list[tuple]], xlabel: str, ylabel: str, title: str = "") -> Figure:
    """Named curves over steps, the name at the end of each; xlabel and ylabel say the units.

    series  {name: [(step, value), …]}, steps ascending. A value may be a list, a number for each seed: the curve is
            their mean, in a band from the lowest to the highest. A single point is a level, drawn flat.
    """
    figure = Picture()
    draw_curves(figure.subplots(), series, xlabel, ylabel, title)
    return figure


def every(labels: list, most: int) -> np.ndarray:
    """Which of many labels to write: all, or `most` of them, evenly, the first and the last included."""
    return np.linspace(0, len(labels) - 1, min(most, len(labels))).round().astype(int)


def draw_heat_map(ax, log_probs, steps, token_texts, title):
    dress(ax, title, "tokens $y_i$ of the target output", "step $t$")
    mesh = ax.pcolormesh(log_probs, cmap="cividis", vmin=FLOOR, vmax=0, edgecolors="white", linewidth=0.5)
    ax.invert_yaxis()  # time runs downwards, as one reads
    rows, columns = every(steps, 14), every(token_texts, 24)
    ax.set_yticks(rows + 0.5, [steps[i] for i in rows])
    texts = [visible(token_texts[i], 10) for i in columns]
    ax.set_xticks(columns + 0.5, texts, family=MONO, color=COLOURS["y"], parse_math=False, **SLANTED)
    colour_bar(ax, mesh, r"$\log\,\Pr(y_i \mid x, y_{<i})$  (nats)", extend="min")


def heat_map(log_probs: np.ndarray, steps: list[int], token_texts: list[str], title: str = "") -> Figure:
    """log Pr(y_i | x, y_<i) in nats, (T, n): a row for each recorded step t, a column for each token of y."""
    figure = Picture()
    draw_heat_map(figure.subplots(), log_probs, steps, token_texts, title)
    return figure


def bars(values: np.ndarray, labels: list[str] | None = None, title: str = "", ylabel: str = "") -> Figure:
    """One bar a value (n,), its label, or its index, below; ylabel says the unit."""
    labels = [str(i) for i in range(len(values))] if labels is None else labels
    figure = Picture()
    ax = figure.subplots()
    dress(ax, title, "", ylabel)
    colours = [style(label, 0)[0] if label.startswith("θ") else "#8fa3b0" for label in labels]
    ax.bar(range(len(values)), values, color=colours, edgecolor=INK, linewidth=min(1, 30 / len(values)))
    ax.axhline(0, color=INK, linewidth=1)
    ax.grid(axis="y", color=PALE)
    shown = every(labels, 24)
    texts = [visible(labels[i], 24) for i in shown]
    crowded = max(map(len, texts)) * len(texts) > 70  # about as many characters fit side by side
    ax.set_xticks(shown, [typeset(text.replace("$", r"\$")) for text in texts], **(SLANTED if crowded else {}))
    return figure


def path_plane(coordinates: np.ndarray, grid: tuple, values: np.ndarray, title: str = "", unit: str = "nats") -> Figure:
    """The path θ̂ → θ_t → θ̃ in the plane of `trajectory.plane`, over contours of −J.

    coordinates  (T, 2): the path, from θ̂ to θ̃       grid  a (A,) and b (B,): where −J was computed
    values       (B, A): −J(θ̂ + a e₁ + b e₂), in `unit`; an eighth of the grid lies between two neighbouring contours
    """
    figure = Picture()
    ax = figure.subplots()
    dress(ax, title, "$a$: along θ̃ − θ̂  (distance, unit of θ)", "$b$: beside it  (unit of θ)")
    levels = np.unique(np.quantile(values, np.linspace(0, 1, 9)))
    if len(levels) > 1:
        greys = colormaps["Greys"](np.linspace(0, 0.3, len(levels) - 1))
        colour_bar(ax, ax.contourf(*grid, values, levels, colors=greys), f"−J  ({unit})", format="%.3g")
        ax.contour(*grid, values, levels[1:-1], colors="#777777", linewidths=1)
    ax.plot(*coordinates.T, "o", color=COLOURS["θ_t"], linestyle=DOTTED, linewidth=3, markersize=8, markeredgecolor=INK)
    middle, below = len(coordinates) // 2, (0, -36)  # points; the path lies above the line from θ̂ to θ̃
    for name, i, marker, place in (("θ_t", middle, "o", (16, 8)), ("θ̂", 0, "s", below), ("θ̃", -1, "D", below)):
        ax.plot(*coordinates[i], marker, color=COLOURS[name], markersize=13, markeredgecolor="white")
        ax.annotate(typeset(name), coordinates[i], place, textcoords="offset points", ha="center", fontsize=LARGE + 4)
    ax.set_aspect("equal")
    return figure


def demo_picture(
    curves: dict, heat: np.ndarray, heat_steps: list, token_texts: list, question: str, answers: list, title: str
) -> Figure:
    """The whole story on one slide, 16:9: what is learned, at which tokens, and how an answer changes.

    curves   {name: [(step, share of the held-out questions answered exactly), …]}, as in `curves`; shares from 0 to 1
    heat     (T, n) log Pr(y_i | x, y_<i) in nats of one held-out question at heat_steps; token_texts are its n tokens
    answers  [(t, ŷ_t), …] to that question; of more than six, the first, the last and some between are shown
    """
    figure = Picture(16, 9)
    figure.suptitle(typeset(title), fontsize=LARGE + 4, color=INK)
    above, below = figure.subfigures(2, 1, height_ratios=[5, 2])
    left, right = above.subplots(1, 2, width_ratios=[1, 1.1])
    left.set_ylim(-3, 103)
    percent = {name: [(t, 100 * np.asarray(share)) for t, share in points] for name, points in curves.items()}
    draw_curves(left, percent, "step $t$", "exact match (%)", "Held-out questions answered")
    draw_heat_map(right, heat, heat_steps, token_texts, "One of them, token by token")
    ax = below.add_axes((0.02, 0.02, 0.96, 0.96), xlim=(0, 1), ylim=(7, 0))
    ax.axis("off")
    font = {"color": INK, "family": MONO, "fontsize": SMALL, "va": "center", "parse_math": False}
    asked = font | {"color": COLOURS["x"], "weight": "bold"}
    rows = [("x", question, asked), *((f"ŷ  t={answers[i][0]}", answers[i][1], font) for i in every(answers, 6))]
    for line, (what, text, look) in enumerate(rows):
        ax.text(0, line + 0.5, what, **look)
        ax.text(0.1, line + 0.5, visible(text, 104), **look)
    return figure
