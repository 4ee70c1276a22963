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
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, MaxNLocator

from minisft.formats.files import replacing

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


def token_bars(log_probs: np.ndarray, token_texts: list[str], is_y: np.ndarray, title: str = "") -> Figure:
    """One bar a token (n,): its log Pr given those before it, in nats; tokens of x hatched, those of y plain."""
    figure = Picture()
    ax = figure.subplots()
    dress(ax, title, "tokens, in their order", r"$\log\,\Pr$(token | those before)  (nats)")
    for name, chosen, hatch in (("x", ~is_y, "//"), ("y", is_y, None)):
        look = {"color": COLOURS[name], "edgecolor": "white", "hatch": hatch, "label": f"tokens of ${name}$"}
        ax.bar(np.flatnonzero(chosen), np.asarray(log_probs)[chosen], **look)
    ax.axhline(0, color=INK, linewidth=1)
    ax.grid(axis="y", color=PALE)
    texts = [visible(text, 12) for text in token_texts]
    ax.set_xticks(range(len(texts)), texts, family=MONO, parse_math=False, **SLANTED)
    ax.legend(fontsize=SMALL, frameon=False, loc="lower left")
    return figure


def grouped_bars(groups: dict[str, np.ndarray], labels: list[str], title: str = "", ylabel: str = "") -> Figure:
    """Bars of several things side by side at each label. A value may be a list, a number for each seed: the bar is
    their mean, with a line from the lowest to the highest."""
    figure = Picture()
    ax = figure.subplots()
    dress(ax, title, "", ylabel)
    width, others = 0.8 / len(groups), 0
    for number, (name, values) in enumerate(groups.items()):
        colour, dashes = style(name, others)
        others += (colour, dashes) in OTHERS
        places = np.arange(len(labels)) + (number - (len(groups) - 1) / 2) * width
        means, low, high = np.array([(np.mean(value), np.min(value), np.max(value)) for value in values]).T
        ax.bar(places, means, width * 0.9, color=colour, edgecolor=INK, label=typeset(name))
        ax.vlines(places[high > low], low[high > low], high[high > low], color=INK, linewidth=3)
    ax.axhline(0, color=INK, linewidth=1)
    ax.grid(axis="y", color=PALE)
    ax.set_xticks(range(len(labels)), [typeset(visible(label, 24).replace("$", r"\$")) for label in labels])
    ax.legend(fontsize=SMALL, frameon=False)
    return figure


def matrix(values: np.ndarray, labels: list[str], title: str, xlabel: str, ylabel: str, unit: str) -> Figure:
    """A square matrix of signed numbers, each written into its cell; labels (n,) name its rows and its columns."""
    figure = Picture(12, 7.8)
    ax = figure.subplots()
    dress(ax, title, xlabel, ylabel)
    size = np.abs(values).max()
    mesh = ax.imshow(values, cmap="PuOr_r", vmin=-size, vmax=size, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if abs(value) > 0.7 * size else INK
        ax.text(column, row, f"{round(value, 2) + 0:.2f}", ha="center", va="center", fontsize=SMALL, color=colour)
    texts = [visible(label, 24) for label in labels]
    ax.set_xticks(range(len(texts)), texts, parse_math=False, rotation=40, rotation_mode="anchor", ha="right")
    ax.set_yticks(range(len(texts)), texts, parse_math=False)
    colour_bar(ax, mesh, unit)
    return figure


def panels(series: dict[str, dict[str, list[tuple]]], xlabel: str, ylabel: str, title: str = "") -> Figure:
    """Small pictures of the same axes side by side, three a row: {its title: {name: points}}, points as in `curves`.

    The same names in every panel, since there is one legend.
    """
    figure = Picture(16, 9)
    figure.suptitle(typeset(title), fontsize=LARGE + 4, color=INK)
    axes = figure.subplots(-(-len(series) // 3), 3, sharex=True, sharey=True, squeeze=False).ravel()
    for ax, (heading, named) in zip(axes, series.items()):
        dress(ax, heading, xlabel, ylabel)
        ax.label_outer()
        others = 0
        for name, points in named.items():
            colour, dashes = style(name, others)
            others += (colour, dashes) in OTHERS
            steps, values = zip(*points)
            means, low, high = ([f(value) for value in values] for f in (np.mean, np.min, np.max))
            ax.fill_between(steps, low, high, color=colour, alpha=0.25, linewidth=0)
            ax.plot(steps, means, color=colour, linestyle=dashes, linewidth=4, label=typeset(name))
        ax.grid(axis="y", color=PALE)
    for ax, above in zip(axes[len(series) :], axes[len(series) - 3 :]):
        ax.axis("off")
        above.tick_params(labelbottom=True)
        above.set_xlabel(typeset(xlabel), fontsize=SMALL, color=INK)
    names = figure.axes[0].get_legend_handles_labels()
    figure.legend(*names, loc="outside lower center", ncols=4, fontsize=SMALL, frameon=False)
    return figure


def token_rows(inputs: list, targets: list, weights: np.ndarray, title: str = "", columns: int = 12) -> Figure:
    """Rows of a batch: the token that row i reads, in the box the one it predicts, filled where its weight is not 0."""
    figure = Picture()
    ax = figure.subplots()
    dress(ax, title, "", "")
    ax.axis("off")
    font = {"family": MONO, "fontsize": SMALL, "ha": "center", "va": "center", "parse_math": False}
    for i, (read, predicted, w) in enumerate(zip(inputs, targets, weights)):
        band, column = divmod(i, columns)
        colour, top = COLOURS["y" if w else "x"], 3 * band
        ax.text(column + 0.5, top + 0.45, visible(read, 7), color=INK, **font)
        box = {"edgecolor": colour, "facecolor": colour if w else "white", "linewidth": 2}
        ax.add_patch(Rectangle((column + 0.04, top + 0.95), 0.92, 0.9, **box))
        ax.text(column + 0.5, top + 1.4, visible(predicted, 7), color="white" if w else colour, **font)
        ax.text(column + 0.5, top + 2.15, f"{w:.2g}", color=colour, **font)
    ax.set(xlim=(0, min(columns, len(weights))), ylim=(3 * (1 + (len(weights) - 1) // columns), 0))
    return figure


def position_bars(series: dict[str, np.ndarray], labels: list[str], is_y: np.ndarray, title: str = "") -> Figure:
    """Panels, one for each name: a bar for each position, in the colour of x or y; labels are tokens."""
    figure = Picture(12, max(6, 1.2 + 1.7 * len(series)))
    axes = figure.subplots(len(series), 1, sharex=True, squeeze=False)[:, 0]
    for number, (ax, (name, values)) in enumerate(zip(axes, series.items())):
        dress(ax, title if number == 0 else "", "", "")
        ax.bar(range(len(values)), values, color=[COLOURS["y" if y else "x"] for y in is_y])
        ax.text(0.01, 0.92, typeset(name), transform=ax.transAxes, fontsize=SMALL, color=INK, va="top")
        ax.set_ylim(0, 1.45 * max(np.max(values), 1e-300))
        ax.grid(axis="y", color=PALE)
        ax.yaxis.set_major_locator(MaxNLocator(3))
    shown = every(labels, 44)
    texts = [visible(labels[i], 10) for i in shown]
    axes[-1].set_xticks(shown, texts, family=MONO, parse_math=False, **SLANTED)
    for tick, i in zip(axes[-1].get_xticklabels(), shown):
        tick.set_color(COLOURS["y" if is_y[i] else "x"])
    return figure


def squares(series: dict[str, np.ndarray], starts: np.ndarray, label: str = "") -> Figure:
    """Matrices side by side: rows that ask (downwards), rows that are read (to the right), lines between sequences."""
    figure = Picture()
    axes = figure.subplots(1, len(series), sharey=True, squeeze=False)[0]
    top = max(values.max() for values in series.values())
    for number, (ax, (name, values)) in enumerate(zip(axes, series.items())):
        dress(ax, name, "row that is read", "" if number else "row that asks")
        mesh = ax.imshow(values, cmap="Greys", vmin=0, vmax=top, interpolation="nearest")
        for bound in starts[1:-1]:
            ax.axhline(bound - 0.5, color=COLOURS["x"], linewidth=2)
            ax.axvline(bound - 0.5, color=COLOURS["x"], linewidth=2)
    bar = figure.colorbar(mesh, ax=list(axes), shrink=0.7, pad=0.02)
    bar.set_label(label, fontsize=SMALL, color=INK, labelpad=10)
    bar.ax.tick_params(labelsize=SMALL, colors=INK)
    return figure


def error_against_step(measured: dict, predicted: dict, optimum: tuple, title: str = "") -> Figure:
    """Relative error of numerical slopes over the step h, both logarithmic; an error of 0 is drawn at 1e-17.

    measured  {name: (h (n,), error (n,))}: thick, with a mark a step;  predicted: the same, thin lines
    optimum   (h, error): where the predictions meet, with a ring
    """
    figure = Picture()
    ax = figure.subplots()
    dress(ax, title, "step $h$", "relative error of the slope along a direction")
    for (name, (h, error)), (colour, _), mark in zip(measured.items(), [("#6a2c91", None), *OTHERS], "os^"):
        ax.loglog(h, np.maximum(error, 1e-17), mark, linestyle="-", color=colour, linewidth=3, markersize=8, label=name)
    for (name, (h, error)), dashes in zip(predicted.items(), (DASHED, DOTTED, LONG)):
        ax.loglog(h, error, color=INK, linestyle=dashes, linewidth=2, label=name)
    look = {"color": INK, "markersize": 24, "markerfacecolor": "none", "markeredgewidth": 2.5, "linestyle": "none"}
    ax.loglog(*optimum, "o", label=f"predicted optimum, $h$ = {optimum[0]:.0e}", **look)
    ax.set_ylim(1e-17, 1e2)
    ax.grid(color=PALE)
    ax.legend(fontsize=SMALL, frameon=False, loc="upper left")
    return figure


def film(right: np.ndarray, steps: list[int], groups: dict[str, list[int]], title: str = "") -> Figure:
    """Which answers are right (filled) at which recorded step: (T, n) bool; a row for each question.

    groups  {name: its columns of `right`}; within a group, what is right longest stands on top
    """
    figure = Picture()
    ax = figure.subplots()
    dress(ax, title, "step $t$", "held-out questions")
    rows = [sorted(columns, key=lambda j: -right[:, j].sum()) for columns in groups.values()]
    edges = np.append(steps, 2 * steps[-1] - steps[-2])
    colours = ListedColormap(["#eeeeee", COLOURS["θ_t"]])
    ax.pcolormesh(edges, np.arange(sum(map(len, rows)) + 1), right[:, np.concatenate(rows)].T, cmap=colours)
    ends = np.cumsum([0, *map(len, rows)])
    ax.hlines(ends, edges[0], edges[-1], color=INK, linewidth=2)
    ax.set_yticks((ends[1:] + ends[:-1]) / 2, [visible(name, 24) for name in groups])
    ax.tick_params(axis="y", length=0)
    ax.invert_yaxis()
    return figure


def cells(values: np.ndarray, rows: list[str], columns: list[str], title: str = "", unit: str = "") -> Figure:
    """A table of positive numbers as shades, each written into its cell; NaN is left empty."""
    figure = Picture()
    ax = figure.subplots()
    dress(ax, title, "", "")
    mesh = ax.imshow(values, cmap="cividis", vmin=0, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = "white" if value < 0.6 * np.nanmax(values) else INK
            ax.text(column, row, f"{value:.2g}", ha="center", va="center", fontsize=SMALL, color=colour)
    ax.set_xticks(range(len(columns)), columns, rotation=30, rotation_mode="anchor", ha="right", parse_math=False)
    ax.set_yticks(range(len(rows)), rows, parse_math=False)
    colour_bar(ax, mesh, typeset(unit))
    return figure


def rotations(angles: np.ndarray, title: str = "") -> Figure:
    """Angles in radians, (positions, pairs of channels): a circle for each pair, with a hand for each position."""
    figure = Picture(12, 4.6)
    figure.suptitle(typeset(title), fontsize=LARGE, color=INK, x=0.02, ha="left")
    colours = colormaps["cividis"](np.linspace(0, 0.85, len(angles)))
    circle = np.linspace(0, 2 * np.pi, 99)
    for pair, ax in enumerate(figure.subplots(1, angles.shape[1], squeeze=False)[0]):
        ax.plot(np.cos(circle), np.sin(circle), color=PALE)
        last = -np.inf
        for position, (angle, colour) in enumerate(zip(angles[:, pair], colours)):
            ax.plot([0, np.cos(angle)], [0, np.sin(angle)], color=colour, linewidth=3.5)
            if angle - last > 0.28 or position == 0:  # else the labels would lie on one another
                ax.text(1.2 * np.cos(angle), 1.2 * np.sin(angle), position, fontsize=SMALL, ha="center", va="center")
                last = angle
        ax.set_title(f"pair {pair}", fontsize=SMALL, color=INK)
        ax.set_xlabel(f"{np.diff(angles[:, pair])[0]:.3g} rad a position", fontsize=SMALL, color=INK)
        ax.set(xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), aspect="equal", xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    return figure


def attention_map(
    P: np.ndarray,
    token_texts: list[str],
    title: str = "",
    xlabel: str = "token that is read (key)",
    ylabel: str = "token that asks (query)",
    unit: str = "probability $P$",
) -> Figure:
    """Numbers P (T, T) from 0 to 1, as the probabilities of one head: a row for each token; white is exactly 0."""
    figure = Picture(12, 9)
    ax = figure.subplots()
    dress(ax, title, xlabel, ylabel)
    tints = ListedColormap(colormaps["Purples"](np.linspace(0.12, 1, 256)))  # the palest is not white
    mesh = ax.pcolormesh(np.where(P > 0, P, np.nan), cmap=tints, vmin=0, vmax=1, edgecolors="white", linewidth=1)
    ax.invert_yaxis()
    texts = [visible(text, 10) for text in token_texts]
    ax.set_xticks(np.arange(len(P)) + 0.5, texts, family=MONO, parse_math=False, **SLANTED)
    ax.set_yticks(np.arange(len(P)) + 0.5, texts, family=MONO, parse_math=False)
    colour_bar(ax, mesh, unit)
    return figure


def contest(panels: dict[str, dict[str, list]], ylabels: list[str], title: str = "", xlabel: str = "") -> Figure:
    """Panels side by side with a bar for each contestant: the mean of its seeds, written above, and a dot a seed.

    panels  {heading: {contestant: a number for each seed}}; the first has the colour of y, the last that of x
    """
    figure = Picture(16, 7.5)
    figure.suptitle(typeset(title), fontsize=LARGE + 4, color=INK)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (heading, groups), ylabel in zip(axes, panels.items(), ylabels):
        dress(ax, heading, xlabel, ylabel)
        seeds = np.array(list(groups.values()))  # (contestants, seeds)
        means, top, last = seeds.mean(1), 100 if "%" in ylabel else seeds.max(), max(len(seeds) - 1, 1)
        from_y_to_x = LinearSegmentedColormap.from_list("", [COLOURS["y"], COLOURS["x"]])
        ax.bar(range(len(means)), means, color=from_y_to_x(np.arange(len(means)) / last), edgecolor=INK, alpha=0.9)
        for number, values in enumerate(seeds):
            ax.plot(number + np.linspace(-0.2, 0.2, len(values)), values, "o", color="#e39919", mec=INK, ms=9)
            place = max(values.max(), 0) + 0.04 * top
            ax.text(number, place, f"{means[number]:.{0 if top >= 10 else 2}f}", ha="center", fontsize=LARGE, color=INK)
        ax.axhline(0, color=INK, linewidth=1)
        ax.set_ylim(min(0, 1.1 * seeds.min()), max(top, 1.15 * seeds.max()))
        ax.grid(axis="y", color=PALE)
        ax.set_xticks(range(len(groups)), [typeset(name) for name in groups])
    return figure


def twins(left: dict, right: dict, xlabel: str, ylabels: tuple, titles: tuple, title: str = "") -> Figure:
    """Two pictures of `curves` side by side; the vertical axis of the left one is logarithmic."""
    figure = Picture(16, 7.5)
    figure.suptitle(typeset(title), fontsize=LARGE + 4, color=INK)
    first, second = figure.subplots(1, 2)
    powers = {name: [(t, np.log10(values)) for t, values in points] for name, points in left.items()}
    draw_curves(first, powers, xlabel, ylabels[0], titles[0])
    first.yaxis.set_major_locator(FixedLocator(np.log10(np.outer([1, 2, 5], 10.0 ** np.arange(-6, 7)).ravel())))
    first.yaxis.set_major_formatter(lambda power, _: f"{10**power:g}")
    draw_curves(second, right, xlabel, ylabels[1], titles[1])
    return figure


def growth(series: dict[str, list[tuple]], ylabel: str, title: str = "") -> Figure:
    """Ratios as one size grows: {name of the size: [(value, ratio), …]}, a panel each; at 1 both sides are as fast."""
    figure = Picture(16, 6)
    figure.suptitle(typeset(title), fontsize=LARGE + 4, color=INK)
    for ax, (name, points) in zip(figure.subplots(1, len(series), sharey=True, squeeze=False)[0], series.items()):
        dress(ax, "", name, ylabel)
        ax.label_outer()
        values, ratios = zip(*points)
        ax.set_xscale("log", base=2)
        ax.set_xticks(values, [str(value) for value in values])
        ax.minorticks_off()
        ax.plot(values, ratios, "o-", color=COLOURS["θ̂"], linewidth=3.5, markersize=9)
        ax.axhline(1, color=COLOURS["θ̃"], linewidth=2, linestyle=DASHED)
        ax.grid(axis="y", color=PALE)
        ax.set_ylim(0, max(2, *ratios) * 1.05)
    return figure


def shares(parts: dict[str, tuple[float, float]], title: str = "", unit: str = "ms") -> Figure:
    """Where time goes: {part: (forward, backward)}, a bar each, the largest first."""
    figure = Picture(16, 9)
    ax = figure.subplots()
    dress(ax, title, unit, "")
    names = sorted(parts, key=lambda name: sum(parts[name]))
    forward, backward = (np.array([parts[name][i] for name in names]) for i in (0, 1))
    ax.barh(names, forward, color=COLOURS["θ_t"], edgecolor=INK, label="forward")
    ax.barh(names, backward, left=forward, color=COLOURS["θ̂"], edgecolor=INK, label="backward")
    total = (forward + backward).sum()
    for y, width in enumerate(forward + backward):
        ax.text(width + 0.01 * total, y, f"{100 * width / total:.1f} %", fontsize=SMALL, color=INK, va="center")
    ax.legend(fontsize=SMALL, frameon=False, loc="lower right")
    ax.margins(x=0.12)
    return figure
