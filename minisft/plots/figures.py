"""The figures that the demo and several notebooks use; a figure of one notebook alone is kept with that notebook.

The functions return a Picture, which `save` writes; those called draw_… draw into axes that are given.
"""

import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from minisft.plots.style import (
    COLOURS,
    INK,
    LARGE,
    MONO,
    OTHERS,
    PALE,
    SLANTED,
    SMALL,
    Picture,
    colour_and_line,
    colour_bar,
    dress,
    every,
    slanted,
    spread,
    typeset,
    visible,
)

FLOOR = -8.0  # nats, a probability of 0.0003: the darkest colour of a heat map stands for this and anything below


def draw_curves(ax: Axes, series: dict[str, list[tuple]], xlabel: str, ylabel: str, title: str) -> None:
    """Draw what `curves` shows into the axes."""
    dress(ax, title, xlabel, ylabel)
    last = max(points[-1][0] for points in series.values())
    ends, others = [], 0
    for name, points in series.items():
        colour, dashes = colour_and_line(name, others)
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
        font: dict[str, Any] = {"fontsize": SMALL, "color": INK, "va": "center", "textcoords": "axes fraction"}
        ax.annotate(typeset("\n".join(lines)), (x, y), (1.06, place), annotation_clip=False, arrowprops=leader, **font)


def curves(series: dict[str, list[tuple]], xlabel: str, ylabel: str, title: str = "") -> Picture:
    """Curves over steps, each with its name at its end; xlabel and ylabel say the units.

    series  {name: [(step, value), …]}, steps ascending. A value may be a list with a number for each seed: the curve is
            then their mean, in a band from the lowest to the highest. A single point is drawn as a level line.
    """
    figure = Picture()
    draw_curves(figure.subplots(), series, xlabel, ylabel, title)
    return figure


def draw_heat_map(ax: Axes, log_probs: np.ndarray, steps: list[int], token_texts: list[str], title: str) -> None:
    """Draw what `heat_map` shows into the axes."""
    dress(ax, title, "tokens $y_i$ of the target output", "step $t$")
    mesh = ax.pcolormesh(log_probs, cmap="cividis", vmin=FLOOR, vmax=0, edgecolors="white", linewidth=0.5)
    ax.invert_yaxis()  # time runs downwards, as one reads
    rows, columns = every(steps, 14), every(token_texts, 24)
    ax.set_yticks(rows + 0.5, [steps[i] for i in rows])
    texts = [visible(token_texts[i], 10) for i in columns]
    ax.set_xticks(columns + 0.5, texts, family=MONO, color=COLOURS["y"], parse_math=False, **SLANTED)
    colour_bar(ax, mesh, r"$\log\,\Pr(y_i \mid x, y_{<i})$  (nats)", extend="min")


def heat_map(log_probs: np.ndarray, steps: list[int], token_texts: list[str], title: str = "") -> Picture:
    """log Pr(y_i | x, y_<i) in nats, (T, n), as colours: a row per recorded step t, a column per token of y."""
    figure = Picture()
    draw_heat_map(figure.subplots(), log_probs, steps, token_texts, title)
    return figure


def bars(values: np.ndarray, labels: list[str] | None = None, title: str = "", ylabel: str = "") -> Picture:
    """A bar for each value (n,), with its label or else its index below; ylabel says the unit."""
    labels = [str(i) for i in range(len(values))] if labels is None else labels
    figure = Picture()
    ax = figure.subplots()
    dress(ax, title, "", ylabel)
    colours = [colour_and_line(label, 0)[0] if label.startswith("θ") else "#8fa3b0" for label in labels]
    ax.bar(range(len(values)), values, color=colours, edgecolor=INK, linewidth=min(1, 30 / len(values)))
    ax.axhline(0, color=INK, linewidth=1)
    ax.grid(axis="y", color=PALE)
    shown = every(labels, 24)
    texts = [visible(labels[i], 24) for i in shown]
    crowded = max(map(len, texts)) * len(texts) > 70  # about as many characters fit side by side
    ax.set_xticks(shown, [typeset(text.replace("$", r"\$")) for text in texts], **(SLANTED if crowded else {}))
    return figure


def grouped_bars(groups: dict[str, np.ndarray], labels: list[str], title: str = "", ylabel: str = "") -> Picture:
    """A bar for each group at each label, side by side; ylabel says the unit. A value may be a list with a number for
    each seed: the bar is then their mean, with a line from the lowest to the highest; 0 stands where no bar is."""
    figure = Picture()
    ax = figure.subplots()
    dress(ax, title, "", ylabel)
    width, others = 0.8 / len(groups), 0
    for number, (name, values) in enumerate(groups.items()):
        colour, dashes = colour_and_line(name, others)
        others += (colour, dashes) in OTHERS
        places = np.arange(len(labels)) + (number - (len(groups) - 1) / 2) * width
        means, low, high = np.array([(np.mean(value), np.min(value), np.max(value)) for value in values]).T
        ax.bar(places, means, width * 0.9, color=colour, edgecolor=INK, label=typeset(name))
        for colour, linewidth in (("white", 5.5), (INK, 2.5)):  # seen on a dark bar, too
            ax.vlines(places[high > low], low[high > low], high[high > low], color=colour, linewidth=linewidth)
        for place in places[(low == 0) & (high == 0)]:
            ax.annotate("0", (place, 0), (0, 5), textcoords="offset points", ha="center", fontsize=SMALL, color=INK)
    ax.axhline(0, color=INK, linewidth=1)
    ax.grid(axis="y", color=PALE)
    ax.set_xticks(range(len(labels)), [typeset(visible(label, 24).replace("$", r"\$")) for label in labels])
    bottom, top = ax.get_ylim()
    ax.set_yticks([tick for tick in ax.get_yticks() if bottom <= tick <= top])
    ax.set_ylim(bottom, top + 0.1 * len(groups) * (top - bottom))  # room for the legend
    ax.legend(fontsize=SMALL, frameon=False)
    return figure


def token_bars(log_probs: np.ndarray, token_texts: list[str], is_y: np.ndarray, title: str = "") -> Picture:
    """A bar for each token (n,): its log Pr given the tokens before it, in nats. Those of x are hatched."""
    figure = Picture()
    ax = figure.subplots()
    dress(ax, title, "tokens, in their order", r"$\log\,\Pr$(token | those before)  (nats)")
    for name, chosen, hatch in (("x", ~is_y, "//"), ("y", is_y, None)):
        rows, label = np.flatnonzero(chosen), f"tokens of ${name}$"
        ax.bar(rows, np.asarray(log_probs)[rows], color=COLOURS[name], edgecolor="white", hatch=hatch, label=label)
    ax.axhline(0, color=INK, linewidth=1)
    ax.grid(axis="y", color=PALE)
    texts = [visible(text, 12) for text in token_texts]
    ax.set_xticks(range(len(texts)), texts, family=MONO, parse_math=False, **slanted(len(texts)))
    ax.legend(fontsize=SMALL, frameon=False, loc="lower left")
    return figure


def token_rows(inputs: list, targets: list, weights: np.ndarray, title: str = "", below: list | None = None) -> Picture:
    """Rows of a batch, seven in a line: the token that row i reads, and in a box the one that it predicts, filled if
    its weight is not 0. Below the box stands below[i], or else the weight."""
    columns = 7  # so that the longest special token, <|im_start|>, is not cut
    lines = 1 + (len(weights) - 1) // columns
    figure = Picture(12, 1 + 1.3 * lines)
    ax = figure.subplots()
    dress(ax, title, "", "")
    ax.axis("off")
    font: dict[str, Any] = {"family": MONO, "fontsize": SMALL, "ha": "center", "va": "center", "parse_math": False}
    for i, (read, predicted, w) in enumerate(zip(inputs, targets, weights)):
        line, column = divmod(i, columns)
        colour, top = COLOURS["y" if w else "x"], 3 * line
        ax.text(column + 0.5, top + 0.45, visible(read, 12), color=INK, **font)
        corner, filled = (column + 0.02, top + 0.95), colour if w else "white"
        ax.add_patch(Rectangle(corner, 0.96, 0.9, edgecolor=colour, facecolor=filled, linewidth=2))
        ax.text(column + 0.5, top + 1.4, visible(predicted, 12), color="white" if w else colour, **font)
        ax.text(column + 0.5, top + 2.25, f"{w:.2g}" if below is None else below[i], color=colour, **font)
    ax.set(xlim=(0, min(columns, len(weights))), ylim=(3 * lines, 0))
    return figure


def position_bars(series: dict[str, np.ndarray], labels: list[str], is_y: np.ndarray, title: str = "") -> Picture:
    """A panel for each name, with a bar for each position (n,) in the colour of x or y; the labels are tokens."""
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
    texts = [visible(labels[i], 12) for i in shown]
    axes[-1].set_xticks(shown, texts, family=MONO, parse_math=False, **slanted(len(shown)))
    for tick, i in zip(axes[-1].get_xticklabels(), shown):
        tick.set_color(COLOURS["y" if is_y[i] else "x"])
    return figure


def demo_picture(
    curves: dict[str, list[tuple]],
    heat: np.ndarray,
    heat_steps: list[int],
    token_texts: list[str],
    question: str,
    answers: list[tuple[int, str]],
    title: str,
) -> Picture:
    """The whole story on one slide, 16:9: what is learned, at which tokens, and how an answer changes.

    curves   {name: [(step, fraction of the held-out questions answered exactly), …]}, as in `curves`; from 0 to 1
    heat     (T, n): log Pr(y_i | x, y_<i) in nats, of one held-out question at heat_steps; token_texts are its n tokens
    answers  [(t, ŷ_t), …] to that question; of more than six, the first, the last and some in between are shown
    """
    figure = Picture(16, 9)
    figure.suptitle(typeset(title), fontsize=LARGE + 4, color=INK)
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[5, 2])[:, 0]
    left, right = above.subplots(1, 2, width_ratios=[1, 1.1])
    left.set_ylim(-3, 103)
    percent = {name: [(t, 100 * np.asarray(value)) for t, value in points] for name, points in curves.items()}
    draw_curves(left, percent, "step $t$", "exact match (%)", "Held-out questions answered")
    draw_heat_map(right, heat, heat_steps, token_texts, "One of them, token by token")
    ax = below.add_axes((0.02, 0.02, 0.96, 0.96), xlim=(0, 1), ylim=(7, 0))
    ax.axis("off")
    font: dict[str, Any] = {"color": INK, "family": MONO, "fontsize": SMALL, "va": "center", "parse_math": False}
    asked = font | {"color": COLOURS["x"], "weight": "bold"}
    rows = [("x", question, asked), *((f"ŷ  t={answers[i][0]}", answers[i][1], font) for i in every(answers, 6))]
    for line, (what, text, look) in enumerate(rows):
        ax.text(0, line + 0.5, what, **look)
        ax.text(0.1, line + 0.5, visible(text, 104), **look)
    return figure
