"""How far two tensors are apart; the largest distances of a run are remembered for the table at its end."""

import numpy as np

WORST: dict[tuple[str, str], tuple[float, float]] = {}  # (beside, quantity): (distance, tolerance)


def distance(ours, theirs) -> float:
    """max |ours − theirs| / max |theirs|: both of one tensor, so that small tensors count as much as large ones."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    off, size = np.abs(ours - theirs.astype(float)).max(initial=0), np.abs(theirs).max(initial=0)
    return float(off / size) if size else float(off and np.inf)


def assert_close(beside, quantity, ours, theirs, tolerance, where=""):
    """Compare with another library, and remember (beside, quantity) for the table."""
    off = distance(ours, theirs)
    WORST[beside, quantity] = max(WORST.get((beside, quantity), (0.0,))[0], off), tolerance
    assert off <= tolerance, f"{quantity} {where}: {off:.1e} apart from {beside}, {tolerance:.0e} is allowed"
