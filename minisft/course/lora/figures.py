"""The figures of notebook 12: singular values, learning against forgetting, and what is computed once."""

import numpy as np
from matplotlib.patches import Patch

from minisft.plots.style import COLOURS, INK, PALE, SMALL, Picture, dress

SHADES = {1: "#9ecae1", 4: "#4292c6", 8: "#2171b5", 16: "#08519c", 64: "#08244d", 0: "#e39919"}
MARKS = {1: "o", 4: "s", 8: "v", 16: "^", 64: "D", 0: "P"}


def spectra(values: dict[str, dict[str, np.ndarray]], ranks: list[int], title: str = "") -> Picture:
    """Singular values of ΔW, each map's divided by its largest: a thin line a map, the median of all in bold.

    values  {run: {name of a map: its singular values}}, at most two runs; ranks: where to draw a line that stands for r
    """
    figure = Picture()
    ax = figure.subplots()
    dress(ax, title, "number of the singular value, the largest first", "singular value / the largest one")
    for (run, maps), colour in zip(values.items(), (SHADES[0], SHADES[16])):
        relative = [v / v[0] for v in maps.values()]
        for v in relative:
            ax.plot(np.arange(1, len(v) + 1), np.maximum(v, 1e-9), color=colour, alpha=0.25, linewidth=1)
        middle = np.maximum(np.median([v[:64] for v in relative], axis=0), 1e-9)
        ax.plot(np.arange(1, len(middle) + 1), middle, color=colour, linewidth=4, label=run)
    ax.set_yscale("log")
    ax.set_xscale("log", base=2)
    ax.set_ylim(1e-9, 2)
    ax.set_xlim(1, 128)
    ax.set_xticks([1, *ranks, 128], [str(r) for r in (1, *ranks, 128)])
    for r in ranks:
        ax.axvline(r, color="#888888", linewidth=1.5, linestyle=(0, (2, 3)), zorder=0)
    ax.legend(fontsize=SMALL, frameon=False, loc="lower left")
    return figure


def exchange(grid: dict[int, list[list[dict]]], tuned: dict[int, list[dict]], title: str = "") -> Picture:
    """What was learnt (upwards) against what was forgotten (to the right): a line a method, a mark a rate of its grid.

    grid   {r: [the rows of the seeds, for each rate]}; r = 0: full. Each mark is the mean of its seeds
    tuned  {r: the rows of its seeds at the best rate}: a large mark for the mean, a dot a seed
    """
    figure = Picture()
    ax = figure.subplots()
    dress(
        ax,
        title,
        "forgotten: loss on the pre-training text, minus that of θ̂  (nats per token)",
        "learnt: exact match  (%)",
    )
    ax.grid(color=PALE)
    for r, rates in grid.items():
        colour, mark = SHADES[r], MARKS[r]
        x, y = (np.array([[row[key] for row in rows] for rows in rates]) for key in ("forgetting", "held out"))
        ax.plot(x.mean(1), 100 * y.mean(1), color=colour, linewidth=2, marker=mark, ms=7)
        best = [(row["forgetting"], 100 * row["held out"]) for row in tuned[r]]
        ax.plot(*zip(*best), ".", color=colour, ms=9)
        name = f"$r$ = {r}" if r else "full"
        ax.plot(*np.mean(best, axis=0), mark, color=colour, ms=17, mec=INK, mew=1.5, label=name, zorder=4)
    ax.set_xlim(0, 1.5)
    ax.set_ylim(0, 103)
    ax.legend(fontsize=SMALL, frameon=False, loc="upper right")
    return figure


def computed_once(blocks: int, lowest: int, epochs: int = 3, title: str = "") -> Picture:
    """A column for each forward and backward of each epoch, a row for each part of the model, bottom up: what is
    computed once, what in every epoch, and what backward does not reach. lowest: the lowest block that moves.
    """
    figure = Picture()
    ax = figure.subplots()
    dress(ax, title, "", "")
    rows = ["embedding", *(f"block {i}" for i in range(blocks)), "head"]
    colours = {
        "moves, or lies above what moves": COLOURS["θ_t"],
        "computed once, and kept": SHADES[4],
        "nothing to do": "#eeeeee",
    }
    every, once, nothing = colours.values()
    for column in range(2 * epochs):
        for row in range(len(rows)):
            frozen, forward = row < lowest + 1, column % 2 == 0
            colour = every if not frozen else once if forward and column == 0 else nothing
            ax.bar(column, 0.86, 0.86, row - 0.43, color=colour, edgecolor=INK, linewidth=1)
        arrow = {"arrowstyle": "->", "color": INK, "linewidth": 2}
        ends = ((0, len(rows) - 1) if column == 0 else (lowest + 1, len(rows) - 1))[:: 1 if column % 2 == 0 else -1]
        ax.annotate(
            "",
            (column, ends[1] + 0.25),
            (column, ends[0] - 0.25) if column % 2 == 0 else (column, ends[0] + 0.25),
            arrowprops=arrow,
        )
    names = [f"{part}\nepoch {epoch}" for epoch in range(1, epochs + 1) for part in ("forward", "backward")]
    ax.set_xticks(range(2 * epochs), names, fontsize=SMALL)
    ax.set_yticks(range(len(rows)), rows, fontsize=SMALL)
    ax.tick_params(length=0)
    ax.spines[["bottom", "left"]].set_visible(False)
    handles = [Patch(facecolor=colour, edgecolor=INK, label=name) for name, colour in colours.items()]
    ax.set_ylim(-0.7, len(rows) + 0.3)
    ax.legend(handles=handles, fontsize=SMALL, frameon=False, loc="upper center", ncols=3)
    return figure
