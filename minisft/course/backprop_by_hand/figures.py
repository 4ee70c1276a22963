"""The figure of notebook 04: the error of a numerical derivative against its step."""

import numpy as np

from minisft.plots.style import DASHED, DOTTED, INK, LONG, OTHERS, PALE, SMALL, Picture, dress


def error_against_step(measured: dict, predicted: dict, optimum: tuple, title: str = "") -> Picture:
    """Relative error of numerical slopes over the step τ, both logarithmic; an error of 0 is drawn at 1e-17.

    measured  {name: (steps (n,), errors (n,))}: thick, with a mark a step;  predicted: the same, thin lines
    optimum   (τ, error): where the predictions meet, with a ring
    """
    figure = Picture()
    ax = figure.subplots()
    dress(ax, title, r"step $\tau$", "relative error of the slope along a direction")
    for (name, (step, error)), (colour, _), mark in zip(measured.items(), [("#6a2c91", None), *OTHERS], "os^"):
        ax.loglog(
            step, np.maximum(error, 1e-17), mark, linestyle="-", color=colour, linewidth=3, markersize=8, label=name
        )
    for (name, (step, error)), dashes in zip(predicted.items(), (DASHED, DOTTED, LONG)):
        ax.loglog(step, error, color=INK, linestyle=dashes, linewidth=2, label=name)
    look = {"color": INK, "markersize": 24, "markerfacecolor": "none", "markeredgewidth": 2.5, "linestyle": "none"}
    ax.loglog(*optimum, "o", label=rf"predicted optimum, $\tau$ = {optimum[0]:.0e}", **look)
    ax.set_ylim(1e-17, 1e2)
    ax.grid(color=PALE)
    ax.legend(fontsize=SMALL, frameon=False, loc="upper left")
    return figure
