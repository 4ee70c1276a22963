"""Notebook 02: what exactly does supervised fine-tuning maximise, and what is each symbol of it for?

J(θ) from the model alone, symbols matched with things, a symbol that is missing, the optimum of a small data set, and a
loss of the student's own.
"""

from minisft.course.grading.cases import case
from minisft.course.the_objective.figures import matrix, panels
from minisft.course.the_objective.match_symbols import boxes, kind, match, symbols, toy, which_argmax
from minisft.course.the_objective.missing_symbol import missing
from minisft.course.the_objective.objective import J
from minisft.course.the_objective.optimum import one_step, optimum
from minisft.course.the_objective.own_log_pr import log_pr_table
from minisft.course.the_objective.own_loss import own_loss
from minisft.course.the_objective.quizzes import helped_most, least_harm

__all__ = [
    "J",
    "boxes",
    "case",
    "helped_most",
    "kind",
    "least_harm",
    "log_pr_table",
    "match",
    "matrix",
    "missing",
    "one_step",
    "optimum",
    "own_loss",
    "panels",
    "symbols",
    "toy",
    "which_argmax",
]
