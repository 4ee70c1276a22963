"""One whole matrix again: W and its adapter, merged."""

import numpy as np

from minisft.course.grading.comparison import judge
from minisft.course.grading.exercise import exercise


def merged(W, A, B, alpha):
    return W + alpha / len(A) * B @ A


MISTAKES = {
    "s is missing: s = α / r": lambda W, A, B, alpha: W + B @ A,
    "α stands where s belongs: s = α / r": lambda W, A, B, alpha: W + alpha * B @ A,
    "B A is divided by r, but not multiplied by α": lambda W, A, B, alpha: W + B @ A / len(A),
    "s is turned over: it is α / r, not r / α": lambda W, A, B, alpha: W + len(A) / alpha * B @ A,
    "r is taken from the wrong side of A: A is (r, in)": lambda W, A, B, alpha: W + alpha / A.shape[1] * B @ A,
    "r is taken from the wrong side of B: B is (out, r)": lambda W, A, B, alpha: W + alpha / len(B) * B @ A,
    "s = α / √r is that of rsLoRA": lambda W, A, B, alpha: W + alpha / np.sqrt(len(A)) * B @ A,
    "ΔW is taken off: it is added": lambda W, A, B, alpha: W - alpha / len(A) * B @ A,
    "this is ΔW alone: W is still there": lambda W, A, B, alpha: alpha / len(A) * B @ A,
    "W is multiplied by s as well": lambda W, A, B, alpha: alpha / len(A) * (W + B @ A),
    "r is the number of rows of A, not the rank of B A": lambda W, A, B, alpha: (
        W + alpha / max(np.linalg.matrix_rank(B @ A), 1) * B @ A
    ),
    "α / r is cut to a whole number": lambda W, A, B, alpha: W + alpha // len(A) * B @ A,
    "W̃ is turned: it is (out, in), as W is": lambda W, A, B, alpha: merged(W, A, B, alpha).T,
    "this is W as it was": lambda W, A, B, alpha: W,
    "ΔW is added twice: is the adapter merged into a W that holds it already?": (
        lambda W, A, B, alpha: W + 2 * alpha / len(A) * B @ A
    ),
}


@exercise
def merge(answer, seed=None):
    rng = np.random.default_rng(seed)
    cases = [
        (*(rng.standard_normal(shape) for shape in ((out, into), (r, into), (out, r))), float(rng.uniform(3, 20)))
        for out, into, r in ((5, 4, 2), (3, 7, 3), (6, 6, 1))
    ]
    W, A, B, alpha = cases[0]
    cases += [(W, A, 0 * B, alpha), (W, np.repeat(A[:1], 2, 0), B, 16)]  # the start of LoRA, and B A of a lower rank
    return judge(answer, merged, cases, MISTAKES, "one matrix that does what W and the adapter did together")
