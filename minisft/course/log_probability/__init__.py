"""Notebook 01: how probable does a model find an answer y to a question x, and how is that number computed?

log Pr(y|x) and the perplexity from logits, all answers of a small vocabulary, and drawing one of them.
"""

from minisft.course.grading.cases import case
from minisft.course.log_probability.enumeration import answers, draw
from minisft.course.log_probability.likelihood import log_pr, perplexity
from minisft.course.log_probability.paper import on_paper
from minisft.course.log_probability.quizzes import hardest, reach, underflow
from minisft.course.log_probability.tiny import TINY, all_answers, as_sequence, pr, shown, strings, tiny_theta

__all__ = [
    "TINY",
    "all_answers",
    "answers",
    "as_sequence",
    "case",
    "draw",
    "hardest",
    "log_pr",
    "on_paper",
    "perplexity",
    "pr",
    "reach",
    "shown",
    "strings",
    "tiny_theta",
    "underflow",
]
