"""The film of a notebook's own runs, played in the notebook itself, without a network.

A film makes its runs again, step by step: watched or not, a run has the same θ_t, bit for bit.
"""

from typing import Any, NamedTuple

from minisft.config import ModelConfig, TrainConfig
from minisft.data import Example
from minisft.params import Params
from minisft.playground import film
from minisft.playground.choice import Choice
from minisft.playground.record import Recorder
from minisft.tokenizer import Tokenizer


class Filming(NamedTuple):
    """All that decides what the film of one run shows; another process can make it. watched: the pairs shown whole."""

    theta_hat: Params
    config: ModelConfig
    tokenizer: Tokenizer
    settings: TrainConfig
    pairs: list[Example]
    asked: list[Example]
    watched: list[Example]


class Film:
    """Some runs, filmed. A notebook plays it in a frame."""

    def __init__(self, runs: list[list[dict[str, Any]]]) -> None:
        self.runs = runs

    def losses(self, run: int = 0) -> list[float]:
        """The loss that each step of a run has reported."""
        return [event["metrics"]["loss"] for event in self.runs[run] if event["event"] == "tokens" and event["t"]]

    def html(self) -> bytes:
        """The film as a page of its own."""
        return film.html(self.runs)

    def _repr_html_(self) -> str:
        return film.framed(self.html())

    def __repr__(self) -> str:
        steps = ", ".join(f"{len(self.losses(run))} steps" for run in range(len(self.runs)))
        return f"a film of {steps}: run this cell, and it plays here"


def take(filming: Filming) -> list[dict[str, Any]]:
    """The run, made once more, as the events of a film."""
    chosen = Choice("atlas", "pre-trained", filming.settings, filming.pairs, filming.asked)
    start, config, tokenizer = filming.theta_hat, filming.config, filming.tokenizer
    return film.record(Recorder(start, config, tokenizer, chosen, filming.watched, keep=False))


def filmed(pool, filmings: list[Filming]) -> Film:
    """The film of some runs, side by side. pool: from `side_by_side.processes()`."""
    return Film(list(pool.map(take, filmings)))
