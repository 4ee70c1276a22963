"""The predictions of notebook 02: which symbol is missed least, and which pair a step on another helps most.

A third one, which of the things is argmax, stands with the things, in match_symbols.
"""

import numpy as np

from minisft.course.grading.exercise import quiz
from minisft.course.grading.verdict import Verdict, settle


@quiz
def least_harm(prediction, scores, intact) -> Verdict:
    """Without which symbol is the held-out score nearest to that of the whole formula? scores: {name: [seeds]}."""
    means = {name: float(np.mean(values)) for name, values in scores.items()}
    outcome = min(means, key=lambda name: abs(means[name] - np.mean(intact)))
    shown = ", ".join(f"{name} {value:.3f}" for name, value in means.items())
    happened = f"Mean over {len(intact)} seeds; with every symbol {np.mean(intact):.3f}. Without: {shown}."
    return settle(prediction, tuple(scores), outcome, happened)


@quiz
def helped_most(prediction, labels, changes, stepped) -> Verdict:
    """Which other pair does a step on pair `stepped` help most? changes (n,): of the log Pr(y|x) of each, in nats."""
    others = [i for i in range(len(labels)) if i != stepped]
    order = sorted(others, key=lambda i: -changes[i])
    happened = (
        f"A step on {labels[stepped]!r} moves its own log Pr(y|x) by {changes[stepped]:+.4f} nats; most helped is "
        f"{labels[order[0]]!r} ({changes[order[0]]:+.4f}), least {labels[order[-1]]!r} ({changes[order[-1]]:+.4f})."
    )
    return settle(prediction, tuple(labels[i] for i in others), labels[order[0]], happened)
