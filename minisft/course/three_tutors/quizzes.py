"""The predictions of notebook 09: what is best, in which band, whose shares, and which wrong losses fall."""

import numpy as np

from minisft.course.grading.exercise import quiz
from minisft.course.grading.verdict import Verdict, settle

BANDS = ("below 40 %", "40 to 80 %", "above 80 %")
SHARES = ("all on the most frequent answer", "all the same", "the frequencies of the data")
FALLING = ("none", "one or two", "three or four")


def spread(shares) -> str:
    return f"{np.mean(shares):.0%} ({', '.join(f'{share:.0%}' for share in shares)})"


@quiz
def best(prediction, scores: dict[str, list[float]], why: str) -> Verdict:
    """Which of several is best on held-out questions? scores: {name: a share for each seed}."""
    outcome = max(scores, key=lambda name: np.mean(scores[name]))
    others = max(max(values) for name, values in scores.items() if name != outcome)
    clear = "its worst seed beats the best of all others" if min(scores[outcome]) > others else "yet the seeds overlap"
    measured = "; ".join(f"{name}: {spread(values)}" for name, values in scores.items())
    return settle(prediction, tuple(scores), outcome, f"Held out, three seeds: {measured}; {clear}. {why}")


@quiz
def band(prediction, shares: list[float], why: str) -> Verdict:
    """In which band is the mean of a share over the seeds?"""
    outcome = BANDS[int(np.mean(shares) >= 0.4) + int(np.mean(shares) > 0.8)]
    return settle(prediction, BANDS, outcome, f"It is {spread(shares)}. {why}")


@quiz
def nearest_shares(prediction, model: list[np.ndarray], frequency: list[np.ndarray]) -> Verdict:
    """What a model's probabilities of the answers look like: for each topic Pr(answer) (k,), and the frequencies (k,).

    The distance is half the sum of absolute differences between shares, averaged over the topics.
    """
    guesses = {
        SHARES[0]: lambda f: (f == f.max()) / np.count_nonzero(f == f.max()),
        SHARES[1]: lambda f: np.full(len(f), 1 / len(f)),
        SHARES[2]: lambda f: f,
    }
    distance = {
        name: np.mean([0.5 * np.abs(p / p.sum() - guess(f)).sum() for p, f in zip(model, frequency)])
        for name, guess in guesses.items()
    }
    measured = ", ".join(f"{value:.2f} from {name}" for name, value in distance.items())
    why = (
        "A sum of log Pr over all pairs is largest where the model gives each answer the frequency it has in the data."
    )
    nearest = min(distance, key=lambda name: distance[name])
    return settle(prediction, SHARES, nearest, f"The model's fractions lie {measured}. {why}")


@quiz
def falling(prediction, own: dict[str, tuple[float, float]]) -> Verdict:
    """Of how many wrong objectives does the loss fall? own: {name: (its own loss under θ̂, under θ̃)}, in nats.

    A loss falls if it loses at least a tenth of a nat.
    """
    fell = [name for name, (before, after) in own.items() if after < before - 0.1]
    outcome = FALLING[(len(fell) + 1) // 2]
    what = f"It falls for {len(fell)} of {len(own)}: {', '.join(fell) or 'none'}. "
    return settle(prediction, FALLING, outcome, what + "A falling loss says that some objective is met, not which one.")
