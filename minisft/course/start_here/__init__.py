"""Notebook 00: how does a model that has only read plain text learn to answer questions?

A prediction, what forty steps of fine-tuning do, and an exercise, exact match.
"""

from minisft.course.grading.cases import case
from minisft.course.start_here.exact_match import exact_match
from minisft.course.start_here.quizzes import STEPS_DO, forty_steps

__all__ = [
    "STEPS_DO",
    "case",
    "exact_match",
    "forty_steps",
]
