"""Notebook 00: how does a model that has only read plain text learn to answer questions?

A prediction, what forty steps of fine-tuning do, and an exercise, exact match.
"""

from minisft.course.grading.cases import case
from minisft.course.start_here.exact_match import exact_match
from minisft.course.start_here.quizzes import STEPS_DO, forty_steps
from minisft.course.start_here.story import (
    ask,
    beginning_and_fact,
    continuations,
    ended_by,
    score_table,
    token_table,
    x_and_y,
)

__all__ = [
    "STEPS_DO",
    "ask",
    "beginning_and_fact",
    "case",
    "continuations",
    "ended_by",
    "exact_match",
    "forty_steps",
    "score_table",
    "token_table",
    "x_and_y",
]
