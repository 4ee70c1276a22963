"""The film of a run: the step from which an answer is right to the end."""

import numpy as np

from minisft.course.grading.comparison import judge
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict, no_answer


@no_answer
def flip_steps(right: np.ndarray) -> np.ndarray:
    """The first step from which on each answer is right to the end, (n,); T + 1 for those that are wrong at T.

    right  (T + 1, n) bool: is answer j right at step t?
    """
    return len(right) - np.cumprod(right[::-1], axis=0).sum(0)


@exercise
def flip_step(answer, seed=None) -> Verdict:
    rng = np.random.default_rng(seed)
    cases = []
    for _ in range(4):
        T, n = rng.integers(6, 10), rng.integers(11, 15)
        right = np.arange(T + 1)[:, None] >= rng.integers(1, T, n)
        right[:, :4] ^= rng.random((T + 1, 4)) < 0.4
        right[0, 4:6], right[1:3, 4:6] = True, False  # right, then wrong, then right
        right[:, 6], right[-1, 7], right[:, 8] = False, False, True  # never, lost at the end, always
        cases.append((right,))
    mistakes = {
        "it gives the first step at which an answer is right, even if it turns wrong again: look from the end": (
            lambda right: np.where(right.any(0), right.argmax(0), len(right))
        ),
        "it gives the first right step, and 0 where there is none: argmax over nothing but False is 0, too": (
            lambda right: right.argmax(0)
        ),
        "it gives T + 1 where an answer is right from the beginning: argmin over nothing but True is 0": (
            lambda right: len(right) - right[::-1].argmin(0)
        ),
        "it gives the last wrong step: the flip is the step after it": lambda right: flip_steps(right) - 1,
        "it counts the wrong steps, wherever they are: an answer may be right, wrong, and right again": (
            lambda right: (~right).sum(0)
        ),
        "it counts the right steps: the flip is a step t": lambda right: right.sum(0),
        "it counts how long the answer has been right at the end: the flip is the step where that began": (
            lambda right: len(right) - flip_steps(right)
        ),
        "rows and columns are exchanged: row t holds all answers at step t": lambda right: flip_steps(right.T),
        "an answer that is wrong at the end gets T: no step of the run is its flip, so T + 1": (
            lambda right: np.minimum(flip_steps(right), len(right) - 1)
        ),
    }
    return judge(answer, flip_steps, cases, mistakes, "the step from which each answer stays right, in four films")
