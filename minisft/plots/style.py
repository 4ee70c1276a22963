"""What all pictures have in common. One colour and one kind of line for each object, the same in the whole course:

    θ̂  dashed, nearly black    θ_t  dotted, amber    θ̃  solid, red    x  dash-dot, blue    y  dash-dot-dot, green

Their lightness differs too, for weak projectors and grey printers; no letter is under 16 points on a 16-inch slide.
In titles and names $…$ is mathematics, and θ̂, θ̃, θ_t are set as such; tokens, questions and answers are data, shown as
they are.
"""

import io
import re

import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure

from minisft.formats.files import replacing

DASHED, DOTTED, LONG = (0, (5, 2)), (0, (1, 1.2)), (0, (12, 2))
COLOURS = {"θ̂": "#012359", "θ_t": "#e39919", "θ̃": "#c31e15", "x": "#0185c7", "y": "#184c2a"}
LINES = {"θ̂": DASHED, "θ_t": DOTTED, "θ̃": "-", "x": (0, (6, 1.5, 1, 1.5)), "y": (0, (6, 1, 1, 1, 1, 1))}
OTHERS = [("#c17ac4", LONG), ("#525252", DOTTED), ("#7ec8b9", DASHED)]  # curves of other things
MATH = {"θ̂": r"$\hat{\theta}$", "θ̃": r"$\tilde{\theta}$", "θ_t": r"$\theta_t$"}
MONO, INK, PALE, LARGE, SMALL = "DejaVu Sans Mono", "#222222", "#dddddd", 19, 16  # sizes in points
SLANTED = {"rotation": 70, "rotation_mode": "anchor", "ha": "right", "va": "center"}


class Picture(Figure):
    """A matplotlib Figure, 1600 pixels wide, that a notebook shows by itself, without pyplot."""

    def __init__(self, width=12.0, height=6.75):
        super().__init__(figsize=(width, height), dpi=1600 / width, layout="constrained", facecolor="white")
        self.get_layout_engine().set(w_pad=0.12, h_pad=0.12)

    def _repr_png_(self):
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=self.dpi * 0.75)
        return buffer.getvalue()


def save(figure: Figure, path):
    """Write a PNG, whole or not at all. Raises MinisftError naming `path` if it cannot be written."""
    with replacing(path) as beside:
        figure.savefig(beside, format="png")


def typeset(text: str) -> str:
    """θ̂, θ̃ and θ_t as mathematics: fonts place a combining hat or tilde badly."""
    return re.sub("|".join(MATH), lambda found: MATH[found[0]], text)


def visible(text: str, length: int) -> str:
    """Data on one line, cut to `length` with …: a space at an end is ␣, a line break ↵, what the font lacks \\u6771."""
    text = re.sub("^ +| +$", lambda found: "␣" * len(found[0]), text).replace("\n", "↵")
    glyphs = font_manager.get_font(font_manager.findfont(MONO)).get_charmap()
    text = "".join(c if c.isprintable() and ord(c) in glyphs else ascii(c)[1:-1] for c in text)
    return text if len(text) <= length else text[: length - 1] + "…"


def colour_and_line(name: str, number: int) -> tuple:
    """Colour and line of the object a name begins with, as in "θ̃: joint"; of other names, number `number` of OTHERS."""
    symbol = re.match(r"(θ̂|θ_t|θ̃|x|y)(?!\w)", name)
    return (COLOURS[symbol[0]], LINES[symbol[0]]) if symbol else OTHERS[number % len(OTHERS)]


def dress(ax, title, xlabel, ylabel):
    """The same frame for every picture."""
    ax.set_title(typeset(title), fontsize=LARGE, color=INK, loc="left", pad=14)
    ax.set_xlabel(typeset(xlabel), fontsize=SMALL, color=INK)
    ax.set_ylabel(typeset(ylabel), fontsize=SMALL, color=INK)
    ax.tick_params(labelsize=SMALL, colors=INK, pad=6)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)


def colour_bar(ax, mappable, label, **options):
    bar = ax.figure.colorbar(mappable, ax=ax, pad=0.02, **options)
    bar.set_label(label, fontsize=SMALL, color=INK, labelpad=10)
    bar.ax.tick_params(labelsize=SMALL, colors=INK)


def spread(wanted: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Places of labels of these heights, each where wanted (ascending) or as far above as it must to clear those below.

    In units of the axes, so nothing goes above 1: there a whole column of labels is moved down.
    """
    offsets = np.cumsum(np.r_[0, (heights[1:] + heights[:-1]) / 2])
    return np.minimum(np.maximum.accumulate(wanted - offsets), 1 - offsets[-1]) + offsets


def every(labels: list, most: int) -> np.ndarray:
    """Which of many labels to write: all, or `most` of them, evenly, the first and the last included."""
    return np.linspace(0, len(labels) - 1, min(most, len(labels))).round().astype(int)
