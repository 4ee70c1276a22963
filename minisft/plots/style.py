"""What all pictures have in common. Each object has one colour and one kind of line in the whole course:

    θ̂  dashed, nearly black    θ_t  dotted, amber    θ̃  solid, red    x  dash-dot, blue    y  dash-dot-dot, green

They differ in lightness too, for weak projectors and grey printers, and no letter is smaller than 16 points on a
16-inch slide. In titles and names, $…$ is mathematics, and θ̂, θ̃ and θ_t are set as mathematics; tokens, questions and
answers are data, and shown as they are.
"""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.typing import LineStyleType

from minisft.formats.files import replacing

DASHED: LineStyleType = (0, (5, 2))
DOTTED: LineStyleType = (0, (1, 1.2))
LONG: LineStyleType = (0, (12, 2))
COLOURS = {"θ̂": "#012359", "θ_t": "#e39919", "θ̃": "#c31e15", "x": "#0185c7", "y": "#184c2a"}
LINES: dict[str, LineStyleType] = {
    "θ̂": DASHED,
    "θ_t": DOTTED,
    "θ̃": "-",
    "x": (0, (6, 1.5, 1, 1.5)),
    "y": (0, (6, 1, 1, 1, 1, 1)),
}
OTHERS = [("#c17ac4", LONG), ("#525252", DOTTED), ("#7ec8b9", DASHED)]  # for curves of anything else
MATH = {"θ̂": r"$\hat{\theta}$", "θ̃": r"$\tilde{\theta}$", "θ_t": r"$\theta_t$"}
MONO, INK, PALE, LARGE, SMALL = "DejaVu Sans Mono", "#222222", "#dddddd", 19, 16  # sizes in points
SLANTED: dict[str, Any] = {"rotation": 70, "rotation_mode": "anchor", "ha": "right", "va": "center"}


def slanted(count: int) -> dict[str, Any]:
    """How so many labels stand below an axis without touching; the smaller letters have 16 points on a slide, too."""
    return SLANTED | {"fontsize": SMALL if count <= 30 else 12}


class Picture(Figure):
    """A matplotlib Figure, 1600 pixels wide, that a notebook shows by itself, without pyplot; sizes in inches."""

    alt = ""

    def __init__(self, width: float = 12.0, height: float = 6.75) -> None:
        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
        super().__init__(figsize=(width, height), dpi=1600 / width, layout=layout, facecolor="white")

    def described(self, alt: str) -> "Picture":
        """Itself, with a text alternative: one or two sentences that say what a reader should see."""
        self.alt = alt
        return self

    def _repr_png_(self) -> tuple[bytes, dict[str, str]]:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=self.dpi * 0.75)
        return buffer.getvalue(), {"alt": self.alt}


def save(figure: Figure, path: str | Path) -> None:
    """Write a PNG, the whole of it or nothing. Raises MinisftError naming `path` if it cannot be written."""
    with replacing(path) as beside:
        figure.savefig(beside, format="png")


def typeset(text: str) -> str:
    """The text with θ̂, θ̃ and θ_t as mathematics, since fonts place a combining hat or tilde badly."""
    return re.sub("|".join(MATH), lambda found: MATH[found[0]], text)


def visible(text: str, length: int) -> str:
    """Data on one line, cut to `length` with …: a space at either end becomes ␣, a line break ↵, a character that the
    font lacks \\u6771."""
    text = re.sub("^ +| +$", lambda found: "␣" * len(found[0]), text).replace("\n", "↵")
    glyphs = font_manager.get_font(font_manager.findfont(MONO)).get_charmap()
    text = "".join(c if c.isprintable() and ord(c) in glyphs else ascii(c)[1:-1] for c in text)
    return text if len(text) <= length else text[: length - 1] + "…"


def colour_and_line(name: str, number: int) -> tuple[str, LineStyleType]:
    """Colour and line of the object that a name begins with, as in "θ̃: joint"; for any other name, OTHERS[number]."""
    symbol = re.match(r"(θ̂|θ_t|θ̃|x|y)(?!\w)", name)
    return (COLOURS[symbol[0]], LINES[symbol[0]]) if symbol else OTHERS[number % len(OTHERS)]


def dress(ax: Axes, title: str, xlabel: str, ylabel: str) -> None:
    """Give the axes the frame and the letters of every picture."""
    ax.set_title(typeset(title), fontsize=LARGE, color=INK, loc="left", pad=14)
    ax.set_xlabel(typeset(xlabel), fontsize=SMALL, color=INK)
    ax.set_ylabel(typeset(ylabel), fontsize=SMALL, color=INK)
    ax.tick_params(labelsize=SMALL, colors=INK, pad=6)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)


def colour_bar(ax: Axes, mappable: ScalarMappable, label: str, **options: Any) -> None:
    """Draw the scale of the colours of `mappable` beside the axes; `label` says the unit."""
    bar = ax.figure.colorbar(mappable, ax=ax, pad=0.02, **options)
    bar.set_label(label, fontsize=SMALL, color=INK, labelpad=10)
    bar.ax.tick_params(labelsize=SMALL, colors=INK)


def spread(wanted: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Places (n,) for labels of these heights, each where it is wanted, or just far enough above to clear those below.

    wanted is ascending. All are in units of the axes, so nothing may go above 1: a column of labels that would is moved
    down as a whole.
    """
    offsets = np.cumsum(np.r_[0, (heights[1:] + heights[:-1]) / 2])
    return np.minimum(np.maximum.accumulate(wanted - offsets), 1 - offsets[-1]) + offsets


def every(labels: list, most: int) -> np.ndarray:
    """Indices of the labels to write: all, or `most` of them, evenly spaced, the first and the last included."""
    return np.linspace(0, len(labels) - 1, min(most, len(labels))).round().astype(int)
