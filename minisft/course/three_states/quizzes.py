"""The predictions of notebook 07: the first answer to turn right, and what fine-tuning could do without."""

import numpy as np

from minisft.course.grading.exercise import quiz
from minisft.course.grading.verdict import Verdict, settle


@quiz
def first_to_flip(prediction, flips: dict[str, list[int]], log_prs: dict[str, float], last: int) -> Verdict:
    """Which answer turns right first?

    flips    {question: [step of the flip, for each seed]}; later than `last`: not within the run
    log_prs  {question: log Pr(y|x) under θ̂, in nats}
    """
    outcome = min(flips, key=lambda question: np.mean(flips[question]))
    likeliest = max(log_prs, key=lambda question: log_prs[question])
    steps = "; ".join(
        f"{question} {', '.join(str(step) if step <= last else 'never' for step in steps)}"
        for question, steps in flips.items()
    )
    also = "" if likeliest == outcome else f"; the likeliest under θ̂ was {likeliest}"
    happened = f"Steps of the flip, by seed: {steps}. The first, on average, is {outcome}{also}."
    return settle(prediction, list(flips), outcome, happened)


@quiz
def from_scratch(prediction, exact: dict[tuple, list]) -> Verdict:
    """True or false: it takes new parameters from random initialisation, and the pre-training data?

    exact  {(start, data): [fraction of held-out questions answered, for each seed]}; start: "θ̂" or "random",
           data: "D" or "text"
    """
    best = max(exact, key=lambda cell: np.mean(exact[cell]))
    cells = "; ".join(f"{a} on {b} {', '.join(f'{v:.0%}' for v in values)}" for (a, b), values in exact.items())
    happened = f"Held-out answers, by seed: {cells}. What answers is the run from {best[0]} on {best[1]}."
    return settle(prediction, ["true", "false"], "true" if best == ("random", "text") else "false", happened)
