"""Notebook 04: how does a weight deep inside the model learn what the answer at the end should have been?

The backward of each layer, of the objective, and of LayerNorm, a layer that the library does not have.
"""

from minisft.course.backprop_by_hand import layernorm
from minisft.course.backprop_by_hand.figures import error_against_step
from minisft.course.backprop_by_hand.layers import embedding, layer_norm, linear, objective, rmsnorm, swiglu
from minisft.course.backprop_by_hand.quizzes import best_step
from minisft.course.backprop_by_hand.step_errors import COMPLEX_STEPS, DIFFERENCES, errors_by_step
from minisft.course.grading.cases import case
from minisft.course.graph import model_graph
from minisft.course.oracles import both
from minisft.course.own_layers import mine

__all__ = [
    "COMPLEX_STEPS",
    "DIFFERENCES",
    "best_step",
    "both",
    "case",
    "embedding",
    "error_against_step",
    "errors_by_step",
    "layer_norm",
    "layernorm",
    "linear",
    "mine",
    "model_graph",
    "objective",
    "rmsnorm",
    "swiglu",
]
