"""Notebook 03: how does a question with its answer become one sequence, and where does the "given x" go?

From a conversation to ids, targets and weights; micro-batches, sequences laid end to end, one pass per turn; and what
each position receives from the loss.
"""

from minisft.course.concatenated_sequences.batches import layout, step_weights
from minisft.course.concatenated_sequences.build import build
from minisft.course.concatenated_sequences.by_position import at_each_position, value_and_gradient
from minisft.course.concatenated_sequences.experiments import (
    distance,
    fraction_of_the_head,
    log_pr_of_end,
    log_probs_from,
    padding,
    reading,
    rows_that_count,
    seams,
    stopping,
    timed,
)
from minisft.course.concatenated_sequences.figures import squares
from minisft.course.concatenated_sequences.passes import passes
from minisft.course.concatenated_sequences.quizzes import end_token, prompt_gradient
from minisft.course.grading.cases import case
from minisft.course.own_layers import mine

__all__ = [
    "at_each_position",
    "build",
    "case",
    "distance",
    "end_token",
    "fraction_of_the_head",
    "layout",
    "log_pr_of_end",
    "log_probs_from",
    "mine",
    "padding",
    "passes",
    "prompt_gradient",
    "reading",
    "rows_that_count",
    "seams",
    "squares",
    "step_weights",
    "stopping",
    "timed",
    "value_and_gradient",
]
