"""The runs of the long table: which objectives, in which world, with which settings, for how many seeds."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from minisft.config import TrainConfig
from minisft.course.conditional_versus_joint.experiment import SETTINGS, last_token, weighted

STEPS, RATES = (40, 160, 320), (2.5e-4, 5e-4, 1e-3)
ENDS = {"λ = 0": weighted(0.0), "λ = 1": weighted(1.0)}


class Part(NamedTuple):
    """One comparison: every rule with every seed from 0 on; θ_t is measured at the looks too, and θ̃ at the end."""

    world: str
    rules: dict[str, Callable]
    seeds: int
    settings: TrainConfig = SETTINGS
    looks: tuple = ()


LOOKS = (25, 50, 100)
LAMBDAS = {f"λ = {value:g}": weighted(value) for value in (0, 0.1, 1)}
PLAN = {
    "main": Part("paragraphs", LAMBDAS, 10, looks=LOOKS),
    "documents": Part("documents", {"λ = 0, and documents": weighted(0.0)}, 10, looks=LOOKS),
    "polite y": Part("polite y", ENDS, 5),
    "wordy x": Part("wordy x", ENDS, 3),
    "last token": Part("paragraphs", {"last token of y": last_token}, 3),
    "many countries": Part("many countries", {"λ = 0": weighted(0.0)}, 3, replace(SETTINGS, max_steps=300)),
}


def cell(steps: int, rate: float) -> str:
    """The name of one cell of the grid."""
    return f"{steps} steps at {rate:g}"


GRID = {
    cell(s, r): Part("atlas", ENDS, 3, replace(SETTINGS, max_steps=s, learning_rate=r)) for s in STEPS for r in RATES
}
PLAN |= GRID
