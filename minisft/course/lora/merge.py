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
    return judge(answer, merged, cases, MISTAKES, "one matrix that does what W and the adapter did together")
