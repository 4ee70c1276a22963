"""Notebook 08: should fine-tuning maximise log Pr(y|x), or log Pr(x, y)? What does the second buy, and what does it
cost?

The two gradients, λ and the normaliser, who wins where, and an objective of the student's own; and the experiment that
runs objectives side by side.
"""

from minisft.course.conditional_versus_joint import experiment, long_table, outcomes, worlds
from minisft.course.conditional_versus_joint.figures import contest, exchange, twins
from minisft.course.conditional_versus_joint.my_objective import my_objective
from minisft.course.conditional_versus_joint.predict_winner import predict_winner
from minisft.course.conditional_versus_joint.quizzes import (
    best_weight,
    follows_the_ratio,
    forgets_least,
    last_token_learns,
    learns_to_read,
    pulls_harder,
)
from minisft.course.conditional_versus_joint.reductions import completion_share, weigh
from minisft.course.conditional_versus_joint.two_gradients import two_gradients
from minisft.course.grading.cases import case

__all__ = [
    "best_weight",
    "case",
    "completion_share",
    "contest",
    "exchange",
    "experiment",
    "follows_the_ratio",
    "forgets_least",
    "last_token_learns",
    "learns_to_read",
    "long_table",
    "my_objective",
    "outcomes",
    "predict_winner",
    "pulls_harder",
    "twins",
    "two_gradients",
    "weigh",
    "worlds",
]
