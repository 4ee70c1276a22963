"""Exercise: name the mistake in a run from five numbers, with the same numbers of a right run beside them."""

import numpy as np

from minisft.course.grading.comparison import judge
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict
from minisft.lab import prices

NUMBERS = ("loss", "held_out_loss", "true_held_out_loss", "exact_match", "stop_rate")
NAMES = ("none", "no-shift", "end-token-masked", "test-rows-in-training")


def between(rng, name: str) -> dict[str, float]:
    """The numbers of a run, drawn between those of the recorded runs."""
    seeds = prices.runs()["without" if name == "none" else name]["seeds"]
    share = rng.dirichlet(np.ones(len(seeds)))
    return {number: float(sum(a * seed[number] for a, seed in zip(share, seeds))) for number in NUMBERS}


@exercise
def find(answer, seed=None) -> Verdict:
    rng = np.random.default_rng(seed)
    names = rng.permutation([name for name in NAMES for _ in range(4)]).tolist()
    cases = [(between(rng, name), between(rng, "none")) for name in names]
    drawn = {run["loss"]: name for (run, _), name in zip(cases, names)}

    def suspect(run, right):
        return drawn[run["loss"]]

    mistakes = {
        "every run is called right: the training loss alone does not tell": lambda run, right: "none",
        "the two runs that never stop are taken for one another": lambda run, right: {
            "no-shift": "end-token-masked",
            "end-token-masked": "no-shift",
        }.get(suspect(run, right), suspect(run, right)),
        "every run that never stops is called end-token-masked: who repeats what it reads does not stop either": (
            lambda run, right: suspect(run, right).replace("no-shift", "end-token-masked")
        ),
        "every run that never stops is called no-shift: look at its held-out loss": (
            lambda run, right: suspect(run, right).replace("end-token-masked", "no-shift")
        ),
        "a run that has learned the test is called right: compare what is shown with what is true": (
            lambda run, right: suspect(run, right).replace("test-rows-in-training", "none")
        ),
        "a right run is accused of knowing the test": lambda run, right: suspect(run, right).replace(
            "none", "test-rows-in-training"
        ),
    }
    return judge(answer, suspect, cases, mistakes, f"{len(cases)} runs, and each has its name: " + ", ".join(NAMES))
