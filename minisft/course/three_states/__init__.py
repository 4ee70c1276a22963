"""Notebook 07: which object in the code is θ̂, which θ_t and which θ̃, and what changes on the way?

The film of a run, its divergence from θ̂, arrays whose names were lost, a run whose names were mixed up, and a run that
is stopped and resumed.
"""

from minisft.course.grading.cases import case
from minisft.course.own_layers import mine
from minisft.course.three_states.climb import climb
from minisft.course.three_states.divergence import divergence
from minisft.course.three_states.figures import cells, film, path_plane
from minisft.course.three_states.flips import flip_step, flip_steps
from minisft.course.three_states.match_arrays import SMALL, World, identify, match, measurements, toy, world
from minisft.course.three_states.quizzes import first_to_flip, from_scratch
from minisft.course.three_states.resume import stop_and_go

__all__ = [
    "SMALL",
    "World",
    "case",
    "cells",
    "climb",
    "divergence",
    "film",
    "first_to_flip",
    "flip_step",
    "flip_steps",
    "from_scratch",
    "identify",
    "match",
    "measurements",
    "mine",
    "path_plane",
    "stop_and_go",
    "toy",
    "world",
]
