"""The predictions of notebook 03: the gradient at the prompt, and what the end token in y is for."""

import numpy as np

from minisft.course.grading.exercise import quiz
from minisft.course.grading.verdict import settle


@quiz
def prompt_gradient(prediction, received, mask):
    """Quiz: is the gradient at the embedding rows of x zero? `received` of `at_each_position`, mask of the batch."""
    x = slice(0, int(np.argmax(mask)))
    logits, embedding = received["logits"][x].max(), received["embedding"][x].min()
    happened = (
        f"On the {x.stop} rows of x before the answer, the gradient at the logits is at most {logits:g}; at their "
        f"embedding rows its norm is at least {embedding:.2g}. y is predicted from x, through its keys and values."
    )
    return settle(prediction, ("zero", "not zero"), "zero" if embedding == 0 else "not zero", happened)


@quiz
def end_token(prediction, with_end, without_end):
    """Quiz: stop rates, one a seed, after fine-tuning with the end token as a target, and without."""
    a, b = np.mean(with_end), np.mean(without_end)
    outcome = "it stops as often" if abs(a - b) < 0.1 else "it hardly stops" if b < a / 2 else "it stops less often"
    seeds = [", ".join(f"{100 * rate:.0f}" for rate in rates) for rates in (with_end, without_end)]
    happened = f"Stop rate in %, one number a seed: {seeds[0]} with the end token in y, {seeds[1]} without it."
    return settle(prediction, ("it stops as often", "it stops less often", "it hardly stops"), outcome, happened)
