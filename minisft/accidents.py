"""What an accident leaves of θ: the loss is not finite, or Ctrl-C is pressed in the middle of an update.

    the loss at θ_t is not finite            θ_{t−1}, the last one whose loss is known to be finite
    the update leads to what is not finite   θ_t
    Ctrl-C                                   θ_t, never half of θ_{t+1}

One copy of the tensors in motion is enough for all three. It is made when the loss at θ_t is known and its update has
not begun. That is the moment at which `train.step` calls its optimiser, so the copy is made by an optimiser around it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from minisft.data import Sequence
from minisft.errors import MinisftError
from minisft.optim import SGD, AdamW
from minisft.params import Params


class NotFinite(MinisftError):
    """A loss, its gradient or an update is not finite: met in the same step by all ranks."""


class LastGood:
    """An optimiser that copies θ before every update, and puts it back after an accident."""

    def __init__(self, optimizer: SGD | AdamW, theta: Params, grad: Params) -> None:
        self.optimizer, self.theta, self.copy = optimizer, theta, grad.like()
        self.keep()

    def keep(self) -> None:
        """Copy the tensors in motion."""
        for name, kept in self.copy.named.items():
            kept[...] = self.theta.named[name]

    def put_back(self) -> None:
        """Write what was copied back into θ."""
        for name, kept in self.copy.named.items():
            self.theta.named[name][...] = kept

    def step(self, theta: Params, grad: Params, learning_rate: float) -> None:
        """One update. Raises FloatingPointError if it leads to what is not finite."""
        self.keep()
        self.updating = True
        self.optimizer.step(theta, grad, learning_rate)
        if not all(np.isfinite(theta.named[name].sum()) for name in grad.named):
            raise FloatingPointError("the update leads to parameters that are not finite")

    @contextmanager
    def watching(self, step: int, sequences: list[Sequence]) -> Iterator[None]:
        """Around step number `step`, on these sequences: raises NotFinite, which names them, for FloatingPointError."""
        self.updating = False
        try:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # what comes of it is said below
                yield
        except FloatingPointError as error:
            self.put_back()
            examples = ", ".join(sequence.where for sequence in sequences)
            raise NotFinite(f"step {step}: {error}, on {examples}; try a smaller --learning-rate") from None
        except KeyboardInterrupt:
            if self.updating:
                self.put_back()
            raise
