"""Every picture: one style for all of them, and the figures that the demo and several notebooks use."""

from minisft.plots import backend as backend  # before all others
from minisft.plots.figures import (
    bars,
    curves,
    demo_picture,
    grouped_bars,
    heat_map,
    position_bars,
    token_bars,
    token_rows,
)
from minisft.plots.style import COLOURS, LINES, save, typeset, visible

__all__ = [
    "COLOURS",
    "LINES",
    "bars",
    "curves",
    "demo_picture",
    "grouped_bars",
    "heat_map",
    "position_bars",
    "save",
    "token_bars",
    "token_rows",
    "typeset",
    "visible",
]
