"""The classic mistakes of supervised fine-tuning, each made in public by somebody; see mistake.py for what one is."""

from minisft.errors import MinisftError, quoted
from minisft.lab.mistakes import answers, layers, mask, optimiser, rows, weights
from minisft.lab.mistakes.mistake import WHERE, Mistake

__all__ = ["MISTAKES", "WHERE", "Mistake", "by_name"]

MISTAKES: list[Mistake] = [
    value
    for module in (rows, mask, weights, layers, optimiser, answers)
    for value in vars(module).values()
    if isinstance(value, Mistake)
]
MISTAKES.sort(key=lambda mistake: WHERE.index(mistake.where))


def by_name(name: str) -> Mistake:
    """The mistake of this name. Raises MinisftError if there is none."""
    for mistake in MISTAKES:
        if mistake.name == name:
            return mistake
    raise MinisftError(f"mistake: {quoted(name)} is unknown; choose one of {', '.join(m.name for m in MISTAKES)}")
