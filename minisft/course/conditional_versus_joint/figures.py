"""The figures of notebook 08: who wins, objective by objective, and two pictures of curves side by side."""

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import FixedLocator

from minisft.plots.figures import draw_curves
from minisft.plots.style import COLOURS, DASHED, DOTTED, INK, LARGE, LONG, PALE, SMALL, Picture, dress, typeset

DASHES, MARKS = ["-", DASHED, LONG, DOTTED], "os^D"


def contest(
    panels: dict[str, dict[str, list]], ylabels: list[str], title: str = "", xlabel: str = "", rows: int = 1
) -> Picture:
    """Panels in rows with a bar for each contestant: the mean of its seeds, written above, and a dot a seed.

    panels  {heading: {contestant: a number for each seed}}; the first has the colour of y, the last that of x
    """
    figure = Picture(16, 7.5 if rows == 1 else 4.5 * rows)
    figure.suptitle(typeset(title), fontsize=LARGE + 4, color=INK)
    axes = figure.subplots(rows, len(panels) // rows, squeeze=False)
    for ax, (heading, groups), ylabel in zip(axes.ravel(), panels.items(), ylabels):
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


def exchange(series: dict[str, list[tuple]], xlabel: str, ylabel: str, title: str = "") -> Picture:
    """What is gained against what is lost: a curve for each objective, with a mark and the step t for every look.

    series  {objective: [(step, loss, gain), …]}, steps ascending; the first has the colour of y, the last that of x
    """
    figure = Picture(16, 8)
    ax = figure.subplots()
    dress(ax, title, xlabel, ylabel)
    from_y_to_x = LinearSegmentedColormap.from_list("", [COLOURS["y"], COLOURS["x"]])
    for number, (name, points) in enumerate(series.items()):
        _, losses, gains = zip(*points)
        colour = from_y_to_x(number / max(len(series) - 1, 1))
        (line,) = ax.plot(losses, gains, color=colour, linewidth=3.5, label=typeset(name))
        line.set(linestyle=DASHES[number], marker=MARKS[number], markersize=11)
        for step, loss, gain in points:
            # The looks lie close together: those of the first curve are named to its left, ends on a level.
            beside = (10, -6) if step == points[-1][0] else (8, -24) if number else (-10, 8)
            side = "right" if beside[0] < 0 else "left"
            ax.annotate(f"{step}", (loss, gain), beside, ha=side, textcoords="offset points", fontsize=SMALL, color=INK)
    ax.grid(color=PALE)
    ax.legend(fontsize=LARGE, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1), handlelength=3)
    return figure


def twins(left: dict, right: dict, xlabel: str, ylabels: tuple, titles: tuple, title: str = "") -> Picture:
    """Two pictures of `curves` side by side; the vertical axis of the left one is logarithmic."""
    figure = Picture(16, 7.5)
    figure.suptitle(typeset(title), fontsize=LARGE + 4, color=INK)
    first, second = figure.subplots(1, 2)
    powers = {name: [(t, np.log10(values)) for t, values in points] for name, points in left.items()}
    draw_curves(first, powers, xlabel, ylabels[0], titles[0])
    ticks = np.log10(np.outer([1, 2, 5], 10.0 ** np.arange(-6, 7)))
    first.yaxis.set_major_locator(FixedLocator(ticks.ravel().tolist()))
    first.yaxis.set_major_formatter(lambda power, _: f"{10**power:g}")
    draw_curves(second, right, xlabel, ylabels[1], titles[1])
    return figure
