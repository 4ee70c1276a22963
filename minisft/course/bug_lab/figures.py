"""The pictures of notebook 10."""

import numpy as np

from minisft.lab import prices
from minisft.plots.style import COLOURS, INK, LARGE, PALE, SMALL, Picture, dress

TINY = 9.5  # points: 42 names below one another
ON_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}  # behind a word that stands on a line


def curve(losses: list[float]) -> Picture:
    """The training loss of a run, as the mean of five steps, and the band in which it is without a mistake."""
    low, high = prices.band(prices.runs()["without"])
    steps = np.arange(prices.SMOOTH, len(losses) + 1)
    figure = Picture(12, 5)
    ax = figure.subplots()
    dress(ax, "The training loss (mean of 5 steps)", "step $t$", "nats per token, as the run reports it")
    ax.fill_between(steps, low, high, color="#c9d3da", label="runs without a mistake")
    ax.plot(steps, prices.smooth(losses), color=COLOURS["θ̃"], linewidth=3.5, label="this run")
    ax.axhline(0, color=INK, linewidth=1)
    ax.legend(fontsize=SMALL, frameon=False)
    return figure


def unseen() -> Picture:
    """All mistakes by the step at which the loss leaves the band of right runs, and what they do to answers."""
    means = prices.prices()
    without, last = means["without"], len(prices.runs()["without"]["seeds"][0]["losses"])
    names = [name for name in means if name not in ("measured", "without")]
    seen = {name: means[name]["seen_at"] or last + 1 for name in names}
    wrong = {name: abs(means[name]["true_exact_match"] - without["true_exact_match"]) for name in names}
    names.sort(key=lambda name: (seen[name], wrong[name]))
    figure = Picture(12, 10.5)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1, 1])
    dress(left, "How long it stays unseen", "the loss leaves the band at step $t$", "")
    dress(right, "What it does to the answers", "exact match (%)", "")
    for ax in (left, right):
        ax.grid(axis="y", color=PALE)
        ax.tick_params(axis="y", labelsize=TINY, length=0)
    for y, name in enumerate(names):
        healthy, never = means[name]["looks_healthy"], means[name]["seen_at"] is None
        left.plot([0, seen[name]], [y, y], color=COLOURS["θ_t"] if healthy else "#525252", linewidth=4)
        if never:
            left.text(last + 2, y, "never", fontsize=TINY, va="center", color=INK, bbox=ON_WHITE)
        shown, true = (100 * means[name][which] for which in ("exact_match", "true_exact_match"))
        right.plot([shown, true], [y, y], color="#8fa3b0", linewidth=2)
        right.plot(shown, y, "o", color="white", markeredgecolor=INK, markersize=8)
        right.plot(true, y, "D", color=COLOURS["θ̃"], markersize=6)
    right.axvline(100 * without["true_exact_match"], color=INK, linewidth=1, linestyle="--")
    left.set_yticks(range(len(names)), names)
    left.set_xlim(0, last + 12)
    left.set_ylim(-0.8, len(names) - 0.2)
    keys = [
        left.plot([], [], color=COLOURS["θ_t"], linewidth=4, label="falls like a healthy one")[0],
        left.plot([], [], color="#525252", linewidth=4, label="does not")[0],
        right.plot([], [], "o", color="white", markeredgecolor=INK, markersize=8, label="as the run shows it")[0],
        right.plot([], [], "D", color=COLOURS["θ̃"], markersize=6, label="true")[0],
        right.plot([], [], color=INK, linewidth=1, linestyle="--", label="without a mistake")[0],
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=5, fontsize=SMALL - 4, frameon=False)
    return figure


def found_by(found: dict[str, dict[str, bool]]) -> Picture:
    """A dot where a check finds a mistake."""
    names, checks = list(found), list(next(iter(found.values())))
    figure = Picture(12, 10.5)
    ax = figure.subplots()
    ax.set_title("Which check finds which mistake", fontsize=LARGE, color=INK, loc="left", pad=14)
    for y, name in enumerate(names):
        some = any(found[name].values())
        ax.axhline(y, color=PALE, linewidth=1)
        for x, check in enumerate(checks):
            if found[name][check]:
                ax.plot(x, y, "o", color=COLOURS["θ̃"], markersize=9)
        if not some:
            ax.text(len(checks) - 0.4, y, "none", fontsize=TINY, va="center", color=INK, bbox=ON_WHITE)
    ax.set_yticks(range(len(names)), names, fontsize=TINY)
    ax.set_xticks(range(len(checks)), checks, fontsize=SMALL - 2)
    ax.xaxis.tick_top()
    ax.set_xlim(-0.6, len(checks))
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return figure
