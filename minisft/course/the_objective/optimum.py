"""The optimum of a small data set: where Σ n log π is largest, and one step uphill towards it."""

import numpy as np

from minisft.course.grading.comparison import imprecise, judge
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict, run, same
from minisft.course.the_objective.own_loss import softmax

OPTIMA = {
    "all answers are equally likely: this is the distribution before anything was counted": lambda n: (
        np.ones(len(n)) / len(n)
    ),
    "all mass is on the commonest answer: then log Pr of the others is −∞, and so is the sum": lambda n: np.eye(len(n))[
        n.argmax()
    ],
    "these are the counts; probabilities sum to 1": lambda n: n,
    "softmax of the counts: the counts are no logits (their logarithms would be)": lambda n: softmax(n.astype(float)),
    "one was added to each count: that is a prior belief, not in the formula": lambda n: (n + 1) / (n + 1).sum(),
    "squares of the counts: too sharp": lambda n: n**2 / (n**2).sum(),
    "roots of the counts: too flat": lambda n: np.sqrt(n) / np.sqrt(n).sum(),
    "one over the counts: the rarest answer would be the likeliest": lambda n: (1 / n) / (1 / n).sum(),
    "logarithms of the counts, made to sum to 1: log stands on Pr, not on n": lambda n: np.log(n) / np.log(n).sum(),
    "this is divided by the largest count; probabilities sum to 1": lambda n: n / n.max(),
    "this is log Pr of the optimum; Pr is wanted": lambda n: np.log(n / n.sum()),
}


@exercise
def optimum(answer, seed=None) -> Verdict:
    """answer(counts (K,)) -> the π (K,) at which Σ_k counts_k log π_k is largest."""
    rng = np.random.default_rng(seed)
    cases = [rng.permutation(rng.choice(np.arange(2, 12), K, replace=False)) for K in (3, 4, 5)]
    theirs = [np.asarray(run(answer, counts)) for counts in cases]
    for counts, pi in zip(cases, theirs):
        if pi.shape != counts.shape or pi.dtype.kind not in "fiu":
            return Verdict(False, f"a probability for each of the {len(counts)} answers is wanted, not {pi!r}")
    for sentence, mistake in OPTIMA.items():
        if all(same(mistake(counts), pi) for counts, pi in zip(cases, theirs)):
            return Verdict(False, sentence)
    right = [counts / counts.sum() for counts in cases]
    if not same(theirs, right) and (rounded := imprecise(theirs, right)):
        return Verdict(False, rounded)
    for counts, pi in zip(cases, theirs):
        if not (pi >= 0).all() or abs(pi.sum() - 1) > 1e-9:
            return Verdict(False, f"for {counts}: {np.round(pi, 4)} is no distribution, its sum is {pi.sum():.6g}")
        if not (pi > 0).all():
            return Verdict(False, f"for the counts {counts}: an answer of D has probability 0, so the sum is −∞")
        slopes = counts / pi  # at the optimum mass moved from any answer to any other gains nothing
        if np.ptp(slopes) > 1e-6 * slopes.max():
            up, down = int(slopes.argmax()), int(slopes.argmin())
            return Verdict(
                False,
                f"for the counts {counts}: at {np.round(pi, 4)} a little mass moved from answer {down} to answer {up} "
                f"raises the sum, by {slopes[up]:.4g} − {slopes[down]:.4g} for each unit of it",
            )
    return Verdict(True, "no mass moved from one answer to another raises the sum: this is its largest value")


def true_step(z, counts, eta):
    return z + eta * (counts / counts.sum() - softmax(z))


STEPS = {
    "it goes downhill: J is maximised, so the step has the sign of ∇J": lambda z, n, eta: (
        z - eta * (n / n.sum() - softmax(z))
    ),
    "the counts are taken as they are: divide them by their sum N, as π sums to 1": lambda z, n, eta: (
        z + eta * (n - softmax(z))
    ),
    "this is the step of J; the step of J/N is N times smaller": lambda z, n, eta: z + eta * (n - n.sum() * softmax(z)),
    "this is the derivative by π, counts / π; z moves all of π": lambda z, n, eta: z + eta * n / n.sum() / softmax(z),
    "the term −π is missing: the logits would grow without end": lambda z, n, eta: z + eta * n / n.sum(),
    "this is the gradient, not the z after the step": lambda z, n, eta: n / n.sum() - softmax(z),
    "this is η ∇J/N; add it to z": lambda z, n, eta: eta * (n / n.sum() - softmax(z)),
    "η is missing": lambda z, n, eta: z + n / n.sum() - softmax(z),
    "this is π after the step; z is wanted": lambda z, n, eta: softmax(true_step(z, n, eta)),
    "z is taken for π: the gradient needs softmax(z)": lambda z, n, eta: z + eta * (n / n.sum() - z),
}


@exercise
def one_step(answer, seed=None) -> Verdict:
    """answer(z (K,), counts (K,), eta) -> z + η ∇_z J(z)/N, one step uphill; then 1000 of them, from 0."""
    rng = np.random.default_rng(seed)
    cases = [(rng.standard_normal(K), rng.integers(1, 12, K), float(0.1 + rng.random())) for K in (3, 4, 5)]
    verdict = judge(answer, true_step, cases, STEPS, "")
    if not verdict.right:
        return verdict
    z, counts = np.zeros(3), cases[0][1]
    for _ in range(1000):
        z = np.asarray(run(answer, z, counts, 1.0), float)
    off = np.abs(softmax(z) - counts / counts.sum()).max()
    return Verdict(True, f"1000 such steps from z = 0 end within {off:.0e} of the frequencies of the counts {counts}")
