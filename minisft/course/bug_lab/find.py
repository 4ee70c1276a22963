"""Exercise: name the mistake in a run from five numbers, with the same numbers of a right run beside them."""

import numpy as np

from minisft.course.grading.cases import expected
from minisft.course.grading.comparison import judge
from minisft.course.grading.excerpts import described
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict, run
from minisft.lab import prices

NUMBERS = ("loss", "held_out_loss", "true_held_out_loss", "exact_match", "stop_rate")
DIGITS = dict.fromkeys(NUMBERS, 4) | {"exact_match": 2, "stop_rate": 2}  # as they are recorded, of 100 questions
NAMES = ("none", "no-shift", "end-token-masked", "test-rows-in-training")


def between(rng, name: str) -> dict[str, float]:
    """The numbers of a run, drawn between those of the recorded runs, and with as many digits: 1 stays 1."""
    seeds = prices.runs()["without" if name == "none" else name]["seeds"]
    part = rng.dirichlet(np.ones(len(seeds)))
    return {number: round(float(part @ [seed[number] for seed in seeds]), DIGITS[number]) for number in NUMBERS}


@exercise
def find(answer, seed=None) -> Verdict:
    rng = np.random.default_rng(seed)
    names = rng.permutation([name for name in NAMES for _ in range(4)]).tolist()
    cases = [(between(rng, name), between(rng, "none")) for name in names]
    for sign, at in zip((1, -1), np.flatnonzero(np.array(names) == "none")):  # a right run lies above another, or below
        while not sign * (cases[at][0]["loss"] - cases[at][1]["loss"]) > 0:
            cases[at] = between(rng, "none"), between(rng, "none")
    drawn = {tuple(case.values()): name for (case, _), name in zip(cases, names)}

    def suspect(run, right):
        return drawn[tuple(run.values())]

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
    for case in cases:
        named = run(answer, *case)
        if not isinstance(named, str) or named not in NAMES:
            expected(case, suspect(*case), named)
            return Verdict(False, f"{described(named)} is none of the names {', '.join(NAMES)}")
    return judge(answer, suspect, cases, mistakes, f"{len(cases)} runs, and each has its name: " + ", ".join(NAMES))
