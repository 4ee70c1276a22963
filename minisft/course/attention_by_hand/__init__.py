"""Notebook 05: how do the tokens of a sequence learn from one another, and can you trust the test of your gradient?

Attention and its backward by hand, what stands around a head, and tests of gradients that see nothing.
"""

from minisft.course.attention_by_hand.around_a_head import rotary, shared
from minisft.course.attention_by_hand.blind_tests import blind, gain_gap, gap, mean_gap
from minisft.course.attention_by_hand.figures import attention_map, rotations
from minisft.course.attention_by_hand.head import attention, attention_backward, delta, softmax
from minisft.course.attention_by_hand.quizzes import changed_rows, restart
from minisft.course.grading.cases import case
from minisft.course.own_layers import mine

__all__ = [
    "attention",
    "attention_backward",
    "attention_map",
    "blind",
    "case",
    "changed_rows",
    "delta",
    "gain_gap",
    "gap",
    "mean_gap",
    "mine",
    "restart",
    "rotary",
    "rotations",
    "shared",
    "softmax",
]
