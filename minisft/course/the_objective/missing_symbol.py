"""Which symbol does an objective lack? It is told by what a small change of one term does to it."""

import numpy as np

from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict, run

LACKING = {
    "nothing": lambda log_x, log_y, one: log_y.sum(),
    "Σ": lambda log_x, log_y, one: log_y[one],
    "log": lambda log_x, log_y, one: np.exp(log_y).sum(),
    "y|x": lambda log_x, log_y, one: log_x.sum(),
    "argmax": lambda log_x, log_y, one: -log_y.sum(),
}


def evidence(name, f, log_x, log_y, one):
    """A measurement that shows what f lacks."""

    def moved(which, k):
        a, b = log_x.copy(), log_y.copy()
        (a if which == "x" else b)[k] += 0.1
        return f(a, b) - f(log_x, log_y)

    other = (one + 1) % len(log_y)
    mine, others, of_x = moved("y", one), moved("y", other), moved("x", one)
    return (
        "0.1 more in "
        + {
            "nothing": f"log Pr(y|x) of any pair raises it by {mine:.3f}",
            "Σ": f"log Pr(y|x) of pair {one} raises it by {mine:.3f}, of pair {other} by {others:g}",
            "log": f"log Pr(y|x) raises it by {mine:.1e} for pair {one}, {others:.1e} for pair {other}: not the same",
            "y|x": f"log Pr(x) raises it by {of_x:.3f}, 0.1 more in log Pr(y|x) by {mine:g}",
            "argmax": f"log Pr(y|x) of any pair changes it by {mine:.3f}: maximised, it lowers them all",
        }[str(name)]
    )


@exercise
def missing(answer, seed=None) -> Verdict:
    """answer(f, n) -> what f lacks, a name of LACKING; f(log_pr_x, log_pr_y) is what a run maximises, over n pairs."""
    rng = np.random.default_rng(seed)
    said = []
    for name in rng.permutation([*LACKING, *LACKING]):
        n = int(rng.integers(3, 7))
        one = int(rng.integers(n))

        def f(log_x, log_y, name=name, one=one):
            return float(LACKING[name](np.asarray(log_x, float), np.asarray(log_y, float), one))

        said.append(run(answer, f, n))
        if not isinstance(said[-1], str) or said[-1] not in LACKING:
            return Verdict(False, f"{said[-1]!r} is none of {', '.join(LACKING)}")
        if said[-1] != name:
            log_x, log_y = -3 * rng.random(n) - 1, -3 * rng.random(n) - 1
            text = f"you say {said[-1]!r}, it is {str(name)!r}: {evidence(name, f, log_x, log_y, one)}"
            return Verdict(False, text)
    return Verdict(True, f"{len(said)} objectives, each known by what it does to a small change of one term")
