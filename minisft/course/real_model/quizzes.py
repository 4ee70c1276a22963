"""The predictions of notebook 11: which part of the joint loss is the larger, and training without end tokens."""

from minisft.course.grading.exercise import quiz
from minisft.course.grading.verdict import settle

PAYS = ("x", "y")


@quiz
def who_pays(prediction, nats_x, nats_y):
    """Which part of the joint loss of real conversations is the larger one. Both in nats, as measured."""
    share = nats_x / (nats_x + nats_y)
    happened = f"Of −log Pr(x, y), {share:.0%} is −log Pr(x) and {1 - share:.0%} is −log Pr(y|x)."
    return settle(prediction, PAYS, "x" if nats_x > nats_y else "y", happened)


ENDS = ("as before", "never")


@quiz
def without_ends(prediction, stopped_hat, stopped_tilde, end_hat, end_tilde):
    """What training without end tokens does to a model that knew how to stop.

    Stop rates and mean Pr(end token | x, y) of θ̂ and of θ̃, trained without end tokens: numbers from 0 to 1.
    """
    happened = (
        f"θ̂ stopped by itself in {stopped_hat:.0%} of its answers, θ̃ without end tokens in {stopped_tilde:.0%}; "
        f"Pr(end) after the right answer was {end_hat:.2f} and is {end_tilde:.1e}."
    )
    return settle(prediction, ENDS, "never" if stopped_tilde < stopped_hat / 4 else "as before", happened)
