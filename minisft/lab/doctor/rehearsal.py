"""A rehearsal: 30 steps on 8 rows, which a healthy run learns by heart; and a look at whether it then stops.

The least that the loss can be is the entropy of these rows (`sameness.entropy`). "Near it" is: a tenth of the way from
the first loss is left. Where it does not get there, the same at lower and at higher rates says whose fault it is.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from minisft import evaluate, train
from minisft.config import TrainConfig
from minisft.data import Sequence
from minisft.errors import MinisftError
from minisft.lab.doctor.case import Case
from minisft.lab.doctor.findings import Found
from minisft.lab.doctor.sameness import entropy, questions
from minisft.params import Params

ROWS, STEPS = 8, 30
OTHERS = ((0.1, "lower"), (10.0, "higher"), (0.01, "lower"), (100.0, "higher"))  # × the rate
NEAR, HALF = 0.1, 0.5  # of the way from the first loss to the entropy that is left; of the answers that end


@dataclass
class Rehearsal:
    """The runs of a case, each made when it is asked for."""

    case: Case
    rows: list[int]

    @cached_property
    def rate(self) -> float:
        assert self.case.model.theta is not None
        return self.case.learning_rate or train.default_learning_rate(self.case.model.theta)

    @cached_property
    def sequences(self) -> list[Sequence]:
        """The rows in tokens, cut as a run cuts them."""
        return [self.case.sequences[i].part(slice(self.case.max_length)) for i in self.rows]

    @cached_property
    def floor(self) -> float:
        """The entropy of the rows, in nats per token of y."""
        examples = [self.case.data.examples[i] for i in self.rows]
        tokens = sum(int(sequence.is_y[1:].sum()) for sequence in self.sequences)
        return entropy(questions(examples)) / max(tokens, 1)

    def run(self, factor: float) -> tuple[list[float], Params]:
        """The losses of STEPS steps at `factor` times the rate, and θ after them; the last is inf if they diverge."""
        theta, config = self.case.model.theta, self.case.model.config
        assert theta is not None and config is not None
        settings = TrainConfig(
            batch_size=len(self.rows), max_steps=STEPS, learning_rate=self.rate * factor, lr_scheduler_type="constant"
        )
        losses, last = list[float](), theta
        try:
            for state in train.finetune(theta, config, self.sequences, settings):
                losses.append(state.metrics["loss"])
                last = state.theta
        except MinisftError:  # a loss that is not finite
            losses.append(float("inf"))
        return losses, last

    @cached_property
    def first(self) -> tuple[list[float], Params]:
        return self.run(1.0)

    def left(self, losses: list[float]) -> float:
        """How much of the way to the entropy is left at the end."""
        return (losses[-1] - self.floor) / max(losses[0] - self.floor, 1e-9)

    @cached_property
    def learns(self) -> bool:
        return self.first[0][0] - self.floor < 0.1 or self.left(self.first[0]) < NEAR

    @cached_property
    def better(self) -> str:
        """Which other rate gets there, "lower" or "higher", if this one does not; or nothing."""
        rates = () if self.learns else OTHERS
        return next((name for factor, name in rates if self.left(self.run(factor)[0]) < NEAR), "")


def rehearse(case: Case) -> Rehearsal | None:
    """Draws the rows; None without θ̂, or with no row that fits."""
    usable = [i for i, s in enumerate(case.sequences) if s.is_y[1 : case.max_length].any()]
    if case.model.theta is None or not usable:
        return None
    chosen = np.random.default_rng(0).choice(usable, min(ROWS, len(usable)), replace=False)
    return Rehearsal(case, sorted(chosen.tolist()))


def story(case: Case) -> str:
    run = case.rehearsal
    losses = run.first[0]
    return (
        f"{len(losses)} steps at rate {run.rate:.3g} on {len(run.rows)} rows: loss (token_mean) {losses[0]:.3g} to "
        f"{losses[-1]:.3g}, their entropy {run.floor:.3g}."
    )


def place(case: Case, wrong: bool) -> Found:
    if not wrong:
        return Found([])
    return Found([case.data.examples[i].where for i in case.rehearsal.rows], story(case))


def does_not_overfit(case: Case) -> Found:
    run = case.rehearsal
    return place(case, bool(run) and not run.learns and not run.better)


def rate_too_high(case: Case) -> Found:
    run = case.rehearsal
    return place(case, bool(run) and run.better == "lower")


def rate_too_low(case: Case) -> Found:
    run = case.rehearsal
    return place(case, bool(run) and run.better == "higher")


def does_not_stop(case: Case) -> Found:
    """Answers of the rows that were just learned, half or more of which do not end by themselves."""
    run, model = case.rehearsal, case.model
    if not run or not run.learns or model.config is None:
        return Found([])
    examples = [case.data.examples[i] for i in run.rows]
    longest = max(int(sequence.is_y.sum()) for sequence in run.sequences)
    given = evaluate.answers(run.first[1], model.config, case.tokenizer, examples, 2 * longest + 8)
    asked = [(e, a) for e, a in zip(examples, given) if a]
    endless = [e.where for e, a in asked if not a["stopped"]]
    said = f"{len(endless)} of {len(asked)} answers did not end."
    return Found(endless if asked and len(endless) >= HALF * len(asked) else [], said)
