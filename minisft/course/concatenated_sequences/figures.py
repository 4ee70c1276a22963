"""The figures of notebook 03: the rows of a batch as boxes, and who reads whom as squares."""

from typing import Any

import numpy as np
from matplotlib.patches import Rectangle

from minisft.plots.style import COLOURS, INK, MONO, SMALL, Picture, dress, visible


def token_rows(inputs: list, targets: list, weights: np.ndarray, title: str = "", columns: int = 12) -> Picture:
    """Rows of a batch: the token that row i reads, and in a box the one it predicts, filled if its weight is not 0."""
    figure = Picture()
    ax = figure.subplots()
    dress(ax, title, "", "")
    ax.axis("off")
    font: dict[str, Any] = {"family": MONO, "fontsize": SMALL, "ha": "center", "va": "center", "parse_math": False}
    for i, (read, predicted, w) in enumerate(zip(inputs, targets, weights)):
        band, column = divmod(i, columns)
        colour, top = COLOURS["y" if w else "x"], 3 * band
        ax.text(column + 0.5, top + 0.45, visible(read, 7), color=INK, **font)
        corner, filled = (column + 0.04, top + 0.95), colour if w else "white"
        ax.add_patch(Rectangle(corner, 0.92, 0.9, edgecolor=colour, facecolor=filled, linewidth=2))
        ax.text(column + 0.5, top + 1.4, visible(predicted, 7), color="white" if w else colour, **font)
        ax.text(column + 0.5, top + 2.15, f"{w:.2g}", color=colour, **font)
    ax.set(xlim=(0, min(columns, len(weights))), ylim=(3 * (1 + (len(weights) - 1) // columns), 0))
    return figure


def squares(series: dict[str, np.ndarray], starts: np.ndarray, label: str = "") -> Picture:
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
