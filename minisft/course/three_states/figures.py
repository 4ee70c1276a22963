"""The figures of notebook 07: the film of a run, a table of shades, and the path in its plane."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import ListedColormap

from minisft.plots.style import COLOURS, DOTTED, INK, LARGE, SMALL, Picture, colour_bar, dress, typeset, visible


def film(right: np.ndarray, steps: list[int], groups: dict[str, list[int]], title: str = "") -> Picture:
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


def cells(values: np.ndarray, rows: list[str], columns: list[str], title: str = "", unit: str = "") -> Picture:
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


def path_plane(
    coordinates: np.ndarray, grid: tuple, values: np.ndarray, title: str = "", unit: str = "nats"
) -> Picture:
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
