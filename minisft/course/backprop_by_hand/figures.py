"""The figure of notebook 04: the error of a numerical derivative against its step."""

import numpy as np

from minisft.plots.style import DASHED, DOTTED, INK, LONG, OTHERS, PALE, SMALL, Picture, dress


def error_against_step(measured: dict, predicted: dict, optimum: tuple, title: str = "") -> Picture:
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
