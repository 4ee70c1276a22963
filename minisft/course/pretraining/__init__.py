"""Notebook 06: where does θ̂ come from, what does it know, and why can it not answer a question?

What a loss of pre-training can be compared with, how many parameters a model has; n-grams of a text, and a synthetic
corpus that is pre-trained on in a few seconds.
"""

from minisft.course.grading.cases import case
from minisft.course.pretraining import ngrams, synthetic_corpus
from minisft.course.pretraining.baselines import entropies, nats_per_character, uniform_loss
from minisft.course.pretraining.continued import continued, cut, percent_by_fact
from minisft.course.pretraining.layouts import LAYOUTS, read_and_asked
from minisft.course.pretraining.parameters import count_parameters
from minisft.course.pretraining.quizzes import better_tokenizer, where_the_curve_ends, which_text

__all__ = [
    "LAYOUTS",
    "better_tokenizer",
    "case",
    "continued",
    "count_parameters",
    "cut",
    "entropies",
    "nats_per_character",
    "ngrams",
    "percent_by_fact",
    "read_and_asked",
    "synthetic_corpus",
    "uniform_loss",
    "where_the_curve_ends",
    "which_text",
]
