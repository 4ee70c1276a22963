"""The figures of notebook 02: small pictures side by side, and a matrix of signed numbers."""

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from minisft.plots.style import (
    INK,
    LARGE,
    OTHERS,
    PALE,
    SMALL,
    Picture,
    colour_and_line,
    colour_bar,
    dress,
    typeset,
    visible,
)

SIGNED = LinearSegmentedColormap.from_list("signed", ["#3b1a6b", "#ffffff", "#8a3b00"])  # white is 0, and only 0


def matrix(values: np.ndarray, labels: list[str], title: str, xlabel: str, ylabel: str, unit: str) -> Picture:
    """A square matrix of signed numbers, each written into its cell; labels (n,) name its rows and its columns."""
    figure = Picture(12, 7.8)
    ax = figure.subplots()
    dress(ax, title, xlabel, ylabel)
    size = np.abs(values).max()
    ax.yaxis.labelpad = 16
    mesh = ax.imshow(values, cmap=SIGNED, vmin=-size, vmax=size, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if abs(value) > 0.5 * size else INK
        ax.text(column, row, f"{round(value, 2) + 0:.2f}", ha="center", va="center", fontsize=SMALL, color=colour)
    texts = [visible(label, 24) for label in labels]
    ax.set_xticks(range(len(texts)), texts, parse_math=False, rotation=40, rotation_mode="anchor", ha="right")
    ax.set_yticks(range(len(texts)), texts, parse_math=False)
    colour_bar(ax, mesh, unit)
    return figure


def panels(series: dict[str, dict[str, list[tuple]]], xlabel: str, ylabel: str, title: str = "") -> Picture:
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
            colour, dashes = colour_and_line(name, others)
            others += (colour, dashes) in OTHERS
            steps, values = zip(*points)
            means, low, high = ([f(value) for value in values] for f in (np.mean, np.min, np.max))
            ax.fill_between(steps, low, high, color=colour, alpha=0.25, linewidth=0)
            ax.plot(steps, means, color="white", linewidth=5)  # no line of the grid shows through the gaps
            ax.plot(steps, means, color=colour, linestyle=dashes, linewidth=4, label=typeset(name))
        ax.grid(axis="y", color=PALE)
    for ax, above in zip(axes[len(series) :], axes[len(series) - 3 :]):
        ax.axis("off")
        above.tick_params(labelbottom=True)
        above.set_xlabel(typeset(xlabel), fontsize=SMALL, color=INK)
    names = figure.axes[0].get_legend_handles_labels()
    figure.legend(*names, loc="outside lower center", ncols=4, fontsize=SMALL, frameon=False)
    return figure
