"""Notebook 10: a run looks as it should, and something in it is wrong. What, and how would one have seen it?

The detective game, drawn by seed; the picture of all symptoms; three mistakes to find, to repair, and to guard against.
"""

from minisft.course.bug_lab.figures import found_by, unseen
from minisft.course.bug_lab.find import find
from minisft.course.bug_lab.game import PRICES, SUSPECTS, Game, deal, price_list
from minisft.course.bug_lab.leaks import leaks
from minisft.course.bug_lab.quizzes import best_check, looks_healthy
from minisft.course.bug_lab.repaired import repaired
from minisft.course.bug_lab.tables import shown_and_true
from minisft.course.grading.cases import case

__all__ = [
    "PRICES",
    "SUSPECTS",
    "Game",
    "best_check",
    "case",
    "deal",
    "find",
    "found_by",
    "leaks",
    "looks_healthy",
    "price_list",
    "repaired",
    "shown_and_true",
    "unseen",
]
