"""The figures of notebook 05: positions as angles, and what each token reads."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import ListedColormap

from minisft.plots.style import INK, LARGE, MONO, PALE, SLANTED, SMALL, Picture, colour_bar, dress, typeset, visible


def rotations(angles: np.ndarray, title: str = "") -> Picture:
    """Angles in radians, (positions, pairs of channels): a circle for each pair, with a hand for each position."""
    figure = Picture(12, 4.6)
    figure.suptitle(typeset(title), fontsize=LARGE, color=INK, x=0.02, ha="left")
    colours = colormaps["cividis"](np.linspace(0, 0.85, len(angles)))
    circle = np.linspace(0, 2 * np.pi, 99)
    for pair, ax in enumerate(figure.subplots(1, angles.shape[1], squeeze=False)[0]):
        ax.plot(np.cos(circle), np.sin(circle), color=PALE)
        last = -np.inf
        for position, (angle, colour) in enumerate(zip(angles[:, pair], colours)):
            ax.plot([0, np.cos(angle)], [0, np.sin(angle)], color=colour, linewidth=3.5)
            if angle - last > 0.28 or position == 0:  # else the labels would lie on one another
                ax.text(1.2 * np.cos(angle), 1.2 * np.sin(angle), position, fontsize=SMALL, ha="center", va="center")
                last = angle
        ax.set_title(f"pair {pair}", fontsize=SMALL, color=INK)
        ax.set_xlabel(f"{np.diff(angles[:, pair])[0]:.3g} rad a position", fontsize=SMALL, color=INK)
        ax.set(xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), aspect="equal", xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    return figure


def attention_map(
    P: np.ndarray,
    token_texts: list[str],
    title: str = "",
    xlabel: str = "token that is read (key)",
    ylabel: str = "token that asks (query)",
    unit: str = "probability $P$",
) -> Picture:
    """Numbers P (T, T) from 0 to 1, as the probabilities of one head: a row for each token; white is exactly 0."""
    figure = Picture(12, 9)
    ax = figure.subplots()
    dress(ax, title, xlabel, ylabel)
    tints = ListedColormap(colormaps["Purples"](np.linspace(0.12, 1, 256)))  # the palest is not white
    mesh = ax.pcolormesh(np.where(P > 0, P, np.nan), cmap=tints, vmin=0, vmax=1, edgecolors="white", linewidth=1)
    ax.invert_yaxis()
    texts = [visible(text, 10) for text in token_texts]
    ax.set_xticks(np.arange(len(P)) + 0.5, texts, family=MONO, parse_math=False, **SLANTED)
    ax.set_yticks(np.arange(len(P)) + 0.5, texts, family=MONO, parse_math=False)
    colour_bar(ax, mesh, unit)
    return figure
