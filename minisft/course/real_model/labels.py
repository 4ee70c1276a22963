"""The labels of a padded batch whose padding is the end token."""

import numpy as np

from minisft.course.grading.comparison import judge
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict, run
from minisft.course.real_model.mistakes import MISTAKES, right_labels


def corners(rng, pad):
    """What stands beside conversations: a text that is all y, an answer that was cut off, one with a line break behind
    it, and a question that nobody has answered."""
    for first, n_x, n_y, after in ((True, 0, 5, 0), (False, 3, 4, 0), (True, 4, 3, 2), (True, 3, 0, 0)):
        ids = rng.integers(pad + 1, 90, n_x + n_y + after)
        if first and n_y:
            ids[n_x + n_y - 1] = pad  # the end token
        yield ids, np.repeat([False, True, False], (n_x, n_y, after))


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
        sequences.insert(1, sequences.pop())  # neither the first nor the last
        sequences.append(next(corners(rng, pad)))
        cases.append((sequences, pad))
    pad = int(rng.integers(2, 10))
    further = [([conversation(rng, pad), *corners(rng, pad)], pad)]
    praise = "every token of y has its label, its end token too, and nothing else has one: not x, not the padding"
    verdict = judged(answer, cases, praise)
    return judged(answer, further, praise) if verdict.right else verdict


def judged(answer, cases, praise) -> Verdict:
    for case in cases:
        try:
            given = np.asarray(run(answer, *case))
        except ValueError:
            return Verdict(False, "the rows are of different lengths: each is to be as long as the longest sequence")
        if given.dtype.kind not in "iu":
            return Verdict(False, f"labels are ids of tokens, whole numbers; these are of the type {given.dtype}")
    return judge(answer, right_labels, cases, MISTAKES, praise)
