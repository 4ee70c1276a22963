"""θ_t of one run: one step on, and back to any t. It is `train.train`, so θ̃ is that of `minisft sft`, bit for bit.

Some states are kept whole, with what the optimiser remembers. To go back to t is to take the nearest kept state before
t and to make the same steps again: the order of the examples depends on seed and step alone, so they are the same, bit
for bit.
"""

import copy
import math
from collections.abc import Iterator
from dataclasses import replace

from minisft import train
from minisft.config import ModelConfig, TrainConfig
from minisft.data import Sequence
from minisft.errors import MinisftError
from minisft.params import Params
from minisft.train import State

MOST_KEPT = 32  # states: with AdamW each is three vectors like θ


class Run:
    """A run that can be stopped, looked at, gone back in, and continued."""

    def __init__(
        self,
        start: Params,
        config: ModelConfig,
        sequences: list[Sequence],
        settings: TrainConfig,
        keep: bool = True,  # False: one can go on, but not back
    ) -> None:
        self.config, self.sequences, self.settings = config, sequences, settings
        self.total = train.steps_in(sequences, settings)
        self.state = train.start(start.copy(), settings)
        self.keep, self.kept = keep, {0: twin(self.state)}
        self.apart = max(1, math.ceil(self.total / (MOST_KEPT - 2)))  # steps from one kept state to the next
        self.steps = self.steps_from(self.state)
        self.trained = train.trained(self.state.theta, settings)  # the names of the tensors that move

    def steps_from(self, state: State) -> Iterator[State]:
        """The steps after a state, which they change in place; beyond the planned ones if the schedule is constant."""
        if state.step < self.total:
            yield from train.train(state, self.config, self.sequences, self.settings)
        while not self.refusal(state.step):
            longer = replace(self.settings, max_steps=state.step + 1)
            yield from train.train(state, self.config, self.sequences, longer)

    def refusal(self, step: int) -> str:
        """Why there is no step after this one; empty if there is."""
        if step < self.total or self.settings.lr_scheduler_type == "constant":
            return ""
        kind = self.settings.lr_scheduler_type
        return f"the {kind} schedule has brought the learning rate to 0 at step {self.total}; choose constant to go on"

    def advance(self) -> State:
        """θ_t → θ_{t+1}. Raises MinisftError if the loss is not finite, or if the schedule has ended."""
        if wrong := self.refusal(self.state.step):
            raise MinisftError(wrong)
        try:
            next(self.steps)
        except MinisftError:
            self.steps = self.steps_from(self.state)  # at the last good θ
            raise
        if self.keep and self.state.step % self.apart == 0:
            self.kept[self.state.step] = twin(self.state)
        if len(self.kept) > MOST_KEPT:
            self.apart *= 2
            self.kept = {t: state for t, state in self.kept.items() if t % self.apart == 0}
        return self.state

    def at(self, step: int) -> State:
        """A copy of the state after `step` steps, of those made so far."""
        if step == self.state.step:
            return twin(self.state)
        state = twin(self.kept[max(t for t in self.kept if t <= step)])
        steps = self.steps_from(state)
        while state.step < step:
            next(steps)
        return state


def twin(state: State) -> State:
    """A state with vectors of its own."""
    optimizer = copy.copy(state.optimizer)
    optimizer.moments = {name: vector.copy() for name, vector in state.optimizer.moments.items()}
    return State(state.step, state.theta.copy(), optimizer, state.num_tokens, dict(state.metrics))
