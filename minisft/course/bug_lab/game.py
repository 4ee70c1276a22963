"""The detective game: a run with one mistake in it, drawn by seed. Measurements cost points, and so does a wrong guess.

The curve of the training loss is free, since everybody has it.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from minisft import data
from minisft.config import TrainConfig
from minisft.course.bug_lab import evidence
from minisft.course.bug_lab.figures import curve
from minisft.course.display import table
from minisft.course.grading.verdict import Verdict
from minisft.data import Sequence
from minisft.errors import MinisftError, quoted
from minisft.formats import resources
from minisft.lab import experiment
from minisft.lab.mistakes import MISTAKES, Mistake
from minisft.params import Params

PRICES = {  # measurement: points
    "answers": 1,
    "rates": 1,
    "other questions": 2,
    "rows": 2,
    "batch row": 2,
    "question": 1,
    "judging": 1,
    "schedule": 1,
    "update": 2,
    "first loss": 1,
    "gradcheck": 1,
    "invariances": 2,
    "enumeration": 1,
    "overfitted": 1,
}
MADE = {name: getattr(evidence, name.replace(" ", "_")) for name in PRICES}
WRONG = 3  # points for a wrong name
HARMLESS = {"positions-not-restarted"}  # no measurement shows it, as nothing comes of it
SUSPECTS = [mistake.name for mistake in MISTAKES if mistake.name not in HARMLESS]
TWINS = ({"end-token-masked", "pad-is-end"},)  # with one turn a row, what they do is the same


class Run(NamedTuple):
    """What is left of a run when it has ended."""

    theta: Params
    settings: TrainConfig
    sequences: list[Sequence]
    metrics: list[dict]
    truth: dict[str, float]


class Game:
    """One run, one mistake. `ask` for measurements, and `accuse`."""

    def __init__(self, mistake: Mistake, settings: TrainConfig) -> None:
        def made(function):
            with mistake.on():
                return function()

        self.world, self.verdict = made, lambda name: accused(name, mistake)
        self.known: dict[str, object] = {}
        self.points = 0
        experiment.questions(True), experiment.questions(False)
        state, metrics = made(lambda: experiment.finetuned(settings))
        sequences = made(training_rows)
        self.run = Run(state.theta, settings, sequences, metrics, experiment.judged(state.theta, shown=False))

    def curve(self):
        """The training loss of every step, in the band of runs without a mistake."""
        return curve([row["loss"] for row in self.run.metrics])

    def ask(self, name: str):
        """A measurement, one of PRICES. It costs its points once; asked again it is free."""
        if name not in MADE:
            raise MinisftError(f"ask: {quoted(name)} is no measurement; choose one of {', '.join(MADE)}")
        if name not in self.known:
            self.points += PRICES[name]
            self.known[name] = self.world(lambda: MADE[name](self.run))
        return self.known[name]

    def accuse(self, name: str | None) -> Verdict:
        """Name the mistake. A wrong name costs points; the right one shows its two lines."""
        right, text = self.verdict(name)
        if right is None:
            return Verdict(right, text)
        if not right:
            self.points += WRONG
        return Verdict(right, f"{text} You have paid {self.points} points.")


def price_list():
    """What can be asked, what it costs, and what it shows."""
    return table(["measurement", "points", "what it shows"], [[n, PRICES[n], MADE[n].__doc__] for n in PRICES])


def training_rows() -> list[Sequence]:
    _, config, tokenizer = experiment.world()
    examples = data.read([resources.path("atlas_train.jsonl")])
    return data.fit([data.encode(e, tokenizer) for e in examples], config.max_position_embeddings)[0]


def judged(mistake: Mistake, name: str) -> tuple[bool, str]:
    if name == mistake.name or {name, mistake.name} in TWINS:
        other = "" if name == mistake.name else f" (here it came as {mistake.name}, which does the same to such rows)"
        return True, f"{name} it is{other}.\nwrong: {mistake.wrong}\nright: {mistake.right}\n{mistake.about}"
    return False, f"it is not {name}; {WRONG} points. Which measurement would have told the two apart?"


def deal(seed: int, among: list[str] | None = None) -> Game:
    """A run with one of the suspects in it, drawn by the seed: the same seed deals the same run to a whole class.

    among  the names of the suspects to draw from; all, if it is not given
    """
    mistake, rng = drawn(seed, SUSPECTS if among is None else among)
    return Game(mistake, replace(experiment.SETTINGS, seed=int(rng.integers(1000))))


def drawn(seed: int, names: list[str]) -> tuple[Mistake, np.random.Generator]:
    """The mistake that a seed draws, and the generator that drew it."""
    rng = np.random.default_rng(seed)
    name = names[int(rng.integers(len(names)))]
    [mistake] = [mistake for mistake in MISTAKES if mistake.name == name]
    return mistake, rng


def accused(name: str | None, mistake: Mistake) -> Verdict:
    """What is said of a name; None: nobody is accused."""
    if name is None:
        return Verdict(None, "nobody is accused yet: set it to one of check.SUSPECTS")
    if name not in SUSPECTS:
        return Verdict(None, f"no suspect is called {quoted(str(name))}; choose one of {', '.join(SUSPECTS)}")
    return Verdict(*judged(mistake, name))
