"""What backward does not reach, forward need not repeat: below the lowest trained block nothing ever changes.

    x_l = block_{l−1}(… block_0(E[ids]))          l: the lowest block with a tensor that moves

For the same tokens x_l is the same in every epoch, so its rows are computed once, before the first step, and kept:
(n − 1, C) for a sequence of n tokens. They are computed in groups, which depend on settings and data alone, so a run
that is resumed makes the same rows again, bit for bit. Without them θ̃ is the same to rounding: the last bit of a
product's row depends on how many rows are multiplied.
"""

from collections.abc import Iterator

import numpy as np

from minisft import model
from minisft.config import ModelConfig
from minisft.data import Batch, Sequence, collate
from minisft.model import Below
from minisft.parallel import ALONE, Ranks
from minisft.params import Params

GROUP = 1024  # rows computed at a time, or one longer sequence


def remember(
    theta: Params, config: ModelConfig, sequences: list[Sequence], block: int, kept: list[int], ranks: Ranks = ALONE
) -> list[Sequence]:
    """The sequences, of which those kept know their rows that enter a block. The ranks divide the work."""
    ends = np.cumsum([0] + [len(sequences[i].ids) - 1 for i in kept])
    every = np.zeros((ends[-1], config.hidden_size), theta.flat.dtype)
    with np.errstate(all="ignore"):  # what is not finite is said by the first loss
        for number, part in enumerate(groups(ends)):
            if number % ranks.size == ranks.rank:
                batch = collate([sequences[i] for i in kept[part]], dtype=theta.flat.dtype)
                x = model.rows_entering(theta, config, batch.ids, batch.starts, block)
                every[ends[part.start] : ends[part.stop]] = x
    ranks.sum(every)  # each row is 0 in all ranks but one
    rows = {i: Below(block, every[first:last]) for i, first, last in zip(kept, ends, ends[1:])}
    return [sequence._replace(below=rows.get(i)) for i, sequence in enumerate(sequences)]


def groups(ends: np.ndarray) -> Iterator[slice]:
    """Sequences in order, as many at a time as have GROUP rows together; ends (S + 1,): where each begins and ends."""
    first = 0
    while first < len(ends) - 1:
        last = max(first + 1, int(np.searchsorted(ends, ends[first] + GROUP, "right")) - 1)
        yield slice(first, last)
        first = last


def fitting(theta: Params, config: ModelConfig, sequences: list[Sequence], again: np.ndarray, room: float) -> list[int]:
    """Which sequences are kept: in their order, those that are read again (S,), as many as fit into `room`, in MB."""
    kept = np.flatnonzero(again)
    ends = np.cumsum([len(sequences[i].ids) - 1 for i in kept])
    return kept[: np.searchsorted(ends * row(theta, config), room, "right")].tolist()


def row(theta: Params, config: ModelConfig) -> float:
    """What a row takes, in MB."""
    return config.hidden_size * theta.flat.itemsize / 1e6


def below(theta: Params, config: ModelConfig, batch: Batch) -> Below | None:
    """What the blocks below one of them compute of a batch: known, or computed now. None if nothing of it is known."""
    known = [one for one in batch.below if one]
    if not known:
        return None
    block = known[0].block
    unknown = [one is None for one in batch.below]
    x = np.empty((len(batch.ids), config.hidden_size), theta.flat.dtype)
    new = np.repeat(unknown, np.diff(batch.starts))
    x[~new] = np.concatenate([one.x for one in known])
    if any(unknown):
        others = batch.only(unknown)
        x[new] = model.rows_entering(theta, config, others.ids, others.starts, block)
    return Below(block, x)
