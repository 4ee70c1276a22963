"""The world of the small tutor: stories of numbers from 1 to 9, the text that it reads, and the sums that are held out.

`more` adds, `away` takes away. The sides of a story are those of the equation that works it out, moving one after one:
5 + 3, 6 + 2, 7 + 1, 8.
"""

from collections.abc import Callable
from typing import NamedTuple

PEOPLE = ["Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Hugo"]
THINGS = ["apples", "books", "cards", "coins", "cups", "eggs", "pens", "stones"]
QUESTION = "{} How many {} does {} have now?\n"


class Story(NamedTuple):
    """kind: `more` or `away`; names: who, and of what; numbers: what there is, and what comes or goes."""

    kind: Callable
    names: tuple[str, str]
    numbers: tuple[int, int]


def more(who, things, a, b):
    """A story of adding: who has a, and gets b. Returns the story, and the sides of its equation."""
    sides = [f"{a + i} + {b - i}" for i in range(b)] + [f"{a + b}"]
    return f"{who} has {a} {things} and gets {b} more.", sides


def away(who, things, has, gives):
    """A story of taking away."""
    sides = [f"{has - i} - {gives - i}" for i in range(gives)] + [f"{has - gives}"]
    return f"{who} has {has} {things} and gives {gives} away.", sides


def draw(rng, kind, a, b):
    """One story about the numbers a, b and a + b."""
    names = str(rng.choice(PEOPLE)), str(rng.choice(THINGS))
    return Story(kind, names, (a, b) if kind is more else (a + b, a))


def page(rng, taught, every):
    """A page of the text: a story, and beneath it its sum: worked out, at once or in steps, or only written."""
    kind = (more, away)[int(rng.random() < 0.5)]
    only_written = rng.random() < 0.4
    kind, names, numbers = draw(rng, kind, *(rng.choice(every) if only_written else rng.choice(taught)))
    story, sides = kind(*names, *numbers)
    if only_written:
        return f"{story}\n{sides[0]}"
    return f"{story}\n" + " = ".join(sides if rng.random() < 0.5 else [sides[0], sides[-1]]) + "."


def divided(rng):
    """(held out, taught): the pairs of numbers from 1 to 9, a third of them held out; a + b and b + a stay together."""
    unordered = rng.permutation([(a, b) for a in range(1, 10) for b in range(a, 10)])
    both = [sorted({(int(a), int(b)), (int(b), int(a))}) for a, b in unordered]
    return tuple([ab for pair in part for ab in pair] for part in (both[:15], both[15:]))


def passed(taught):
    """The sums, as "a + b", that are a step on the way of a taught one."""
    return {side for a, b in taught for side in more("", "", a, b)[1][1:-1]}


def asked_of(kind, names, numbers):
    """x: the story and the question."""
    return QUESTION.format(kind(*names, *numbers)[0], names[1], names[0])


def result(kind, names, numbers) -> int:
    return int(kind(*names, *numbers)[1][-1])
