"""Notebook 12: what does LoRA let move, what is its gradient, and what does it learn and forget?

The gradient by hand, merging, the ways to begin, the rank of a full change, and a table of runs at tuned rates.
"""

from minisft.course.grading.cases import case
from minisft.course.lora import experiment, long_table, spectrum, starts
from minisft.course.lora.backward import lora_backward
from minisft.course.lora.choose import adapt
from minisft.course.lora.figures import computed_once, exchange, spectra
from minisft.course.lora.merge import merge
from minisft.course.lora.quizzes import forgets_more, how_many_move, never_moves

__all__ = [
    "adapt",
    "case",
    "computed_once",
    "exchange",
    "experiment",
    "forgets_more",
    "how_many_move",
    "long_table",
    "lora_backward",
    "merge",
    "never_moves",
    "spectra",
    "spectrum",
    "starts",
]
