"""A mistake of fine-tuning as a switch around an unchanged library: `with mistake.on(): …`.

A mistake is a function from the right function of the library to the wrong one. While it is on, the wrong one stands in
the place of the right one; afterwards, and after an error too, the right one is back. It is for one thread at a time.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

WHERE = (
    "data",
    "mask",
    "weights",
    "objective",
    "forward",
    "backward",
    "optimiser",
    "schedule",
    "generation",
    "evaluation",
)


@dataclass(frozen=True)
class Mistake:
    """One mistake.

    name   in the words of the field, such as "no-shift"
    where  one of WHERE: where it bites
    wrong  the line with the mistake, as it is written elsewhere; `right` is the line as it should be
    seen   public threads about it, "owner/repository#number"; empty where none was found
    about  what it does, in a sentence or two
    """

    name: str
    where: str
    wrong: str
    right: str
    seen: tuple[str, ...]
    about: str
    places: tuple[tuple[Any, str], ...]  # (module or class, name) of every function that it replaces
    mistaken: Callable[..., Any]  # the right functions -> the wrong ones

    @contextmanager
    def on(self) -> Iterator[None]:
        """Make the mistake until the block ends, however it ends."""
        right = [vars(owner)[name] for owner, name in self.places]
        wrong = self.mistaken(*right)
        with ExitStack() as stack:
            for place, function in zip(self.places, wrong if len(right) > 1 else (wrong,)):
                stack.enter_context(replaced(*place, function))
            yield


@contextmanager
def replaced(owner: Any, name: str, function: Any) -> Iterator[None]:
    """Something else stands at a place of a module or a class until the block ends."""
    right = vars(owner)[name]
    setattr(owner, name, function)
    try:
        yield
    finally:
        setattr(owner, name, right)


def mistake(
    where: str, *places: tuple[Any, str], wrong: str, right: str, seen: tuple[str, ...] = ()
) -> Callable[[Callable[..., Any]], Mistake]:
    """Decorates a function that is given the right functions at these places and returns the wrong ones."""

    def made(mistaken: Callable[..., Any]) -> Mistake:
        name = mistaken.__name__.replace("_", "-")
        about = " ".join((mistaken.__doc__ or "").split())
        return Mistake(name, where, wrong, right, seen, about, places, mistaken)

    return made
