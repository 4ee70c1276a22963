"""The labels of a padded batch whose padding is the end token."""

import numpy as np

from minisft.course.grading.comparison import judge
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict, run
from minisft.course.real_model.mistakes import MISTAKES, right_labels


def conversation(rng, pad):
    """(ids, mask) of a conversation of one or two rounds: every turn ends with `pad`, only those of y count."""
    pieces, mask = [], []
    for is_y in [False, True] * rng.integers(1, 3):
        turn = np.append(rng.integers(pad + 1, 90, rng.integers(2, 6)), pad)
        pieces.append(turn)
        mask.append(np.full(len(turn), is_y))
    return np.concatenate(pieces), np.concatenate(mask)


@exercise
def labels(answer, seed=None):
    """Judge labels(sequences, pad) -> (S, longest) int."""
    rng = np.random.default_rng(seed)
    cases = []
    for count in (3, 4, 2):
        pad = int(rng.integers(2, 10))
        sequences = [conversation(rng, pad) for _ in range(count)]
        ids, mask = conversation(rng, pad)
        sequences.append((np.append(ids, [*ids, pad + 1, pad]), np.append(mask, [*mask, True, True])))  # the longest
        cases.append((sequences, pad))
    for case in cases:
        try:
            np.shape(run(answer, *case))
        except ValueError:
            return Verdict(False, "the rows are of different lengths: each is to be as long as the longest sequence")
    praise = "every token of y has its label, its end token too, and nothing else has one: not x, not the padding"
    return judge(answer, right_labels, cases, MISTAKES, praise)
