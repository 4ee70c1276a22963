"""One setting: the values that it may have, its flag, its help, and its line on the model card, said in one place."""

import dataclasses
import math
import sys
from typing import Any, NamedTuple


def is_whole(value: object) -> bool:
    """Whether it is a whole number; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether it is a finite number; True and False are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


class Numbers(NamedTuple):
    """The numbers a setting may be, whole or any: low ≤ number ≤ high, above < number < below; 0 too, if `zero`."""

    whole: bool
    low: float = -math.inf
    above: float = -math.inf
    high: float = math.inf
    below: float = math.inf
    zero: bool = False

    def complaint(self, value: Any, unset: Any = None) -> str:
        """What is wrong with a value, in words that can follow it; empty if nothing is, or if the value is `unset`."""
        known = is_whole(value) if self.whole else is_number(value)
        if known and value > self.high:
            return f"is too large; at most {self.high} is allowed"
        inside = known and self.low <= value and self.above < value < self.below
        if inside or (known and (value == unset or (self.zero and value == 0))):
            return ""
        limits = {"of at least": self.low, "above": self.above, "below": self.below}
        words = " and ".join(f"{word} {limit}" for word, limit in limits.items() if math.isfinite(limit))
        return f"is not a {'whole' if self.whole else 'finite'} number {words}{', or 0' if self.zero else ''}"


def whole(low: int, high: int = 2**63 - 1) -> Numbers:
    """Whole numbers from low to high, by default to the largest 64-bit integer."""
    return Numbers(True, low=low, high=high)


def number(zero: bool = False, **limits: float) -> Numbers:
    """All finite numbers within the limits: low, above, high, below; and 0, if `zero`."""
    return Numbers(False, zero=zero, **limits)


def setting(
    default: Any,
    allowed: Numbers | tuple[str, ...] | None,
    help: str,
    metavar: str | None = None,
    model_card: str = "changed",
    flag: str | None = None,
) -> Any:
    """A field of TrainConfig with everything there is to say about it: its check, its flag, its line on the model card.

    allowed     Numbers, a tuple of names to choose from, or None where the type says enough. The default is always
                allowed; if it is not one of the Numbers, it stands for "not given"
    help        of the flag; metavar stands for the value there
    model_card  when the model card shows it: "always", if it is "changed", or "never"
    flag        its spelling, if that is not the name with hyphens
    """
    about = {"allowed": allowed, "help": help, "metavar": metavar, "model_card": model_card, "flag": flag}
    return dataclasses.field(default=default, metadata=about)
