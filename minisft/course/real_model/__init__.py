"""Notebook 11: do the formulas of this course hold for a model that people use?

The labels of a padded batch whose padding is the end token, and two predictions.
"""

from minisft.course.grading.cases import case
from minisft.course.real_model.labels import labels
from minisft.course.real_model.quizzes import ENDS, PAYS, who_pays, without_ends

__all__ = [
    "ENDS",
    "PAYS",
    "case",
    "labels",
    "who_pays",
    "without_ends",
]
