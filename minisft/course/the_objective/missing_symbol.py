"""Which symbol does an objective lack? It is told by what a small change of one term does to it."""

import numpy as np

from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict, run
from minisft.errors import MinisftError

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
    numbers, ones = (
        iter(rng.permutation([3, 4, 5, 6, 7] * 3).tolist()),
        iter(rng.permutation(["first", "inner", "last"])),
    )
    for name in rng.permutation([*LACKING] * 3):
        n = next(numbers)
        one = {"first": 0, "inner": n // 2, "last": n - 1}[next(ones)] if name == "Σ" else int(rng.integers(n))

        def f(log_x, log_y, name=name, n=n, one=one):
            pairs = [np.asarray(values, float) for values in (log_x, log_y)]
            if any(values.shape != (n,) for values in pairs):
                raise MinisftError(f"f takes two arrays of {n} numbers; these have {[v.shape for v in pairs]}")
            return float(LACKING[name](*pairs, one))

        said.append(run(answer, f, n))
        if not isinstance(said[-1], str) or said[-1] not in LACKING:
            return Verdict(False, f"{said[-1]!r} is none of {', '.join(LACKING)}")
        if said[-1] != name:
            log_x, log_y = -3 * rng.random(n) - 1, -3 * rng.random(n) - 1
            text = f"you say {said[-1]!r}, it is {str(name)!r}: {evidence(name, f, log_x, log_y, one)}"
            return Verdict(False, text)
    return Verdict(True, f"{len(said)} objectives, each known by what it does to a small change of one term")
