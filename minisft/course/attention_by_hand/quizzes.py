"""The predictions of notebook 05: positions that do not restart, and which rows see a replaced token."""

import numpy as np

from minisft.course.grading.exercise import quiz
from minisft.course.grading.verdict import settle


@quiz
def restart(prediction, off):
    """Positions count on through the batch instead of restarting at 0: how far does the output of attention move?"""
    outcome = "only by rounding" if off < 1e-9 else "a lot"
    happened = (
        f"The outputs differ by {off:.0e} of their size. Counting on moves all positions of a sequence by one number, "
        "and q·k depends on distances only."
    )
    return settle(prediction, ("a lot", "only by rounding"), outcome, happened)


@quiz
def changed_rows(prediction, changes):
    """One token in the middle of a sequence is replaced: which rows of the logits change?

    changes  (T,) largest change of each row's logits, row `place` being that of the token
    """
    moved = np.flatnonzero(changes)
    first, last = int(moved[0]), int(moved[-1])
    place = len(changes) // 2
    outcome = {
        (place, len(changes) - 1): "its own and the later ones",
        (place, place): "its own only",
        (0, len(changes) - 1): "all",
    }.get((first, last), "others")
    still = len(changes) - len(moved)
    happened = f"Rows {first} to {last} of {len(changes)} changed; the {still} others are equal bit for bit."
    return settle(prediction, ("its own only", "its own and the later ones", "all"), outcome, happened)
