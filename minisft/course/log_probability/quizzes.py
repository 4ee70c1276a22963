"""The predictions of notebook 01: the least expected token, what a replaced token reaches, and underflow."""

import numpy as np

from minisft.course.grading.exercise import quiz
from minisft.course.grading.verdict import Verdict, settle


@quiz
def hardest(prediction, token_texts, log_probs) -> Verdict:
    """Which token of y has the smallest log Pr? token_texts and log_probs are those of y, in order."""
    worst, last = int(np.argmin(log_probs)), len(log_probs) - 1
    options = ("the first", "one in the middle", "the last")
    outcome = options[0 if worst == 0 else 2 if worst == last else 1]
    part = log_probs[worst] / np.sum(log_probs)
    happened = (
        f"The least expected token of y is number {worst + 1} of {last + 1}, {token_texts[worst]!r}: "
        f"{log_probs[worst]:.2f} nats, {part:.0%} of log Pr(y|x) = {np.sum(log_probs):.2f} nats."
    )
    return settle(prediction, options, outcome, happened)


@quiz
def reach(prediction, before, after, row) -> Verdict:
    """Which rows change if the target of `row` is replaced? before, after: log Pr of every row (n,)."""
    difference = np.abs(after - before)
    moved = np.flatnonzero(difference > 1e-9)
    options = ("its own row only", "its own row and later ones", "all rows", "no row")
    kind = 3 if not len(moved) else 2 if moved[0] < row else 0 if moved[-1] == row else 1
    happened = (
        f"{len(moved)} of {len(before)} rows change: {', '.join(map(str, moved)) or 'none'}. The token is the "
        f"target of row {row} and an input of the rows behind it; the rows before it differ by "
        f"{difference[:row].max(initial=0):.0e}."
    )
    return settle(prediction, options, options[kind], happened)


@quiz
def underflow(prediction, count) -> Verdict:
    """After how many tokens is the product 0? count: as it came out."""
    sizes = {"about 20": 20, "about 100": 100, "about 1000": 1000, "about 10000": 10000}
    outcome = min(sizes, key=lambda name: abs(np.log(count / sizes[name])))
    happened = f"The product is 0 from {count} tokens on."
    return settle(prediction, tuple(sizes), outcome, happened)
