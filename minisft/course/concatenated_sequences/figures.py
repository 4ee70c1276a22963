"""The figure of notebook 03: who reads whom, as squares."""

import numpy as np

from minisft.plots.style import COLOURS, INK, SMALL, Picture, dress


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
