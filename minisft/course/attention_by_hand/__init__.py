"""Notebook 05: how do the tokens of a sequence learn from one another, and can you trust the test of your gradient?

Attention and its backward by hand, what stands around a head, and tests of gradients that see nothing.
"""

from minisft.course.attention_by_hand.around_a_head import rotary, shared
from minisft.course.attention_by_hand.blind_spots import blind_and_honest, mean_for_delta
from minisft.course.attention_by_hand.blind_tests import blind, gain_gap, gap, mean_gap
from minisft.course.attention_by_hand.figures import attention_map, rotations
from minisft.course.attention_by_hand.head import attention, attention_backward, delta, softmax
from minisft.course.attention_by_hand.pairs import angles, halves, neighbours, side_by_side
from minisft.course.attention_by_hand.quizzes import changed_rows, restart
from minisft.course.attention_by_hand.scale import SIZES, by_size, gradients, sharpness
from minisft.course.grading.cases import case
from minisft.course.graph import model_graph
from minisft.course.oracles import both
from minisft.course.own_layers import mine

__all__ = [
    "SIZES",
    "angles",
    "attention",
    "attention_backward",
    "attention_map",
    "blind",
    "blind_and_honest",
    "both",
    "by_size",
    "case",
    "changed_rows",
    "delta",
    "gain_gap",
    "gap",
    "gradients",
    "halves",
    "mean_for_delta",
    "mean_gap",
    "mine",
    "model_graph",
    "neighbours",
    "restart",
    "rotary",
    "rotations",
    "shared",
    "sharpness",
    "side_by_side",
    "softmax",
]
