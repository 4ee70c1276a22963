"""Notebook 09: three jobs, one formula. What are x, y and D in each, and how does one see that an objective is wrong?

A shop, a help desk and a math tutor; five wrong objectives; and a loop that trains by any of them.
"""

from minisft.course.grading.cases import case
from minisft.course.three_tutors import desk, math_tutor, stories
from minisft.course.three_tutors.by_weights import by_weights
from minisft.course.three_tutors.help_desk import probabilities
from minisft.course.three_tutors.math_tutor import target, tutor
from minisft.course.three_tutors.quizzes import band, best, falling, nearest_shares, spread
from minisft.course.three_tutors.shop import plain, weights
from minisft.course.three_tutors.wrong_objectives import repaired

__all__ = [
    "band",
    "best",
    "by_weights",
    "case",
    "desk",
    "falling",
    "math_tutor",
    "nearest_shares",
    "plain",
    "probabilities",
    "repaired",
    "spread",
    "stories",
    "target",
    "tutor",
    "weights",
]
