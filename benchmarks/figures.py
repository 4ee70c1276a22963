"""The figures of the benchmark: ratios as one size grows, and where the time of a step goes."""

import numpy as np
from matplotlib.figure import Figure

from minisft.plots.style import COLOURS, DASHED, INK, LARGE, PALE, SMALL, Picture, dress, typeset


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


def fractions(parts: dict[str, tuple[float, float]], title: str = "", unit: str = "ms") -> Figure:
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
