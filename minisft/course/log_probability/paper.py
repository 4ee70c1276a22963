"""The model on the first page of notebook 01, three tokens and nine numbers, and what is worked out from it by hand.

In a copy of the course that differs from others the numbers are dealt by a seed, from all tables in tenths in which

    the likeliest token at each step leads to `yes please end`, the greedy answer, but another answer is likelier,
    and no column has the sum 1, as the page asks why rows do and columns do not.
"""

from functools import cache
from itertools import product

import numpy as np

from minisft.course.grading.verdict import Verdict, kindly

TOKENS = "yes", "please", "end"
ANSWERS = ("end",), ("yes", "end"), ("yes", "please", "end")
NAMES = tuple(map(" ".join, ANSWERS))
PRINTED = (6, 1, 3), (1, 6, 3), (1, 1, 8)  # tenths: a row for x, one for x yes, one for x yes please
CLOSE = 0.005  # two digits after the point are enough
Table = tuple[tuple[int, ...], ...]


def factors(table: Table) -> list[list[float]]:
    """Pr(y_i | x, y_<i) for the tokens of each of ANSWERS: row i of the table is asked about token i."""
    return [[table[i][TOKENS.index(token)] / 10 for i, token in enumerate(y)] for y in ANSWERS]


def products(table: Table) -> tuple[float, ...]:
    """Pr(y|x) for each of ANSWERS; in tenths no product has more than three digits."""
    return tuple(round(float(np.prod(several)), 3) for several in factors(table))


@cache
def tables() -> list[Table]:
    """All of them that differ in their answers, in an order in which neighbours have little in common."""
    rows = [(a, b, 10 - a - b) for a, b in product(range(1, 9), repeat=2) if a + b < 10]
    leading = [[row for row in rows if row.index(max(row)) == k and sorted(row)[1] < max(row)] for k in range(3)]
    found = {}
    for table in product(*leading):
        second, best = sorted(products(table))[1:]
        if best - second > 0.015 and best != products(table)[2] and 10 not in map(sum, zip(*table)):
            found[products(table)] = table  # one of each: other tables, other answers
    several = list(found.values())
    return [several[i] for i in np.random.default_rng(0).permutation(len(several))]


def table_of(seed: int | None) -> Table:
    """The table of a copy; None: the printed one."""
    return PRINTED if seed is None else tables()[seed % len(tables())]


def lines(table: Table) -> list[str]:
    """What the page says with these numbers in it."""
    several, pr = factors(table)[2], products(table)[2]
    said, (a, b, c) = ["$x$", "$x$ `yes`", "$x$ `yes` `please`"], np.log(several)
    return [
        *(f"| {x} | {' | '.join(f'{n / 10}' for n in row)} |" for x, row in zip(said, table)),
        f"Pr          {several[0]:.1f}       {several[1]:.1f}        {several[2]:.1f}      multiply:  {pr:.3f}",
        f"log Pr    {a:.3f}    {b:.3f}     {c:.3f}     add:      {a + b + c:.3f}",
        rf"$\Pr(y \mid x) = {pr:.3f}$",
    ]


@kindly
def on_paper(answer, seed=None) -> Verdict:
    """By hand: {"end": Pr, "yes end": Pr, "yes please end": Pr}, by the table and the chain rule."""
    if not isinstance(answer, dict) or set(answer) != set(NAMES):
        return Verdict(False, f"a dict with the keys {', '.join(NAMES)} is wanted, a probability for each")
    empty = [name for name in NAMES if answer[name] is None]
    if empty:
        return Verdict(None, f"no number yet for {', '.join(empty)}")
    table = table_of(seed)
    for name, several in zip(NAMES, factors(table)):
        wrong = mistaken(float(answer[name]), np.array(several))
        if wrong:
            return Verdict(False, f"{name}: {wrong}")
    worked = [
        f"{name}: {' · '.join(map(str, f))} = {pr}" for name, f, pr in zip(NAMES, factors(table), products(table))
    ]
    best = NAMES[int(np.argmax(products(table)))]
    greedy = f"The likeliest token at each step leads to {NAMES[2]!r}, but the likeliest answer is {best!r}"
    return Verdict(True, f"{'; '.join(worked)}. {greedy}")


def mistaken(said: float, several: np.ndarray) -> str:
    """What is wrong with a number, "" if it is the product up to rounding to two digits."""
    pr = several.prod()
    kinds = [
        (np.log(pr), "this is the logarithm; here the probability itself is wanted"),
        (100 * pr, "this is in percent; a probability is a number from 0 to 1"),
    ]
    if len(several) > 1:
        kinds += [
            (
                several[:-1].prod(),
                "the end token is left out: it is a token of y like the others, with a factor of its own",
            ),
            (several.sum(), "these are added; probabilities of tokens that follow one another are multiplied"),
            (several[-1], "this is the factor of the last token alone; each token of y has one"),
            (several.mean(), "this is the mean of the factors; what is wanted is their product"),
        ]
    if abs(said - pr) <= CLOSE:
        return ""
    known = [sentence for value, sentence in kinds if abs(said - value) <= CLOSE]
    return (
        known[0]
        if known
        else "another number comes out: a factor for each token of y, each from its own row, multiplied"
    )
