"""The predictions of notebook 12: what moves, which start works, and who forgets."""

from minisft.course.grading.exercise import quiz
from minisft.course.grading.verdict import Verdict, settle


@quiz
def how_many_move(prediction, moving: int, whole: int) -> Verdict:
    """Of a hundred numbers of the model, how many does LoRA of rank 8 move at all its linear maps?"""
    fraction = moving / whole
    outcome = min((1, 10, 50), key=lambda percent: abs(percent / 100 - fraction))
    happened = f"{moving:,} of {whole:,}, which is {fraction:.1%}."
    return settle(prediction, [1, 10, 50], outcome, happened)


@quiz
def never_moves(prediction, measured: dict[str, dict]) -> Verdict:
    """Which start never moves?

    measured  {name of the start: what starts.measured gives}
    """
    outcome = min(measured, key=lambda name: abs(measured[name]["loss"] - measured[name]["loss at 0"]))
    losses = "; ".join(f"{name}: {m['loss at 0']:.2f} to {m['loss']:.2f}" for name, m in measured.items())
    happened = f"Loss on held-out pairs, from the first step to the last: {losses}."
    return settle(prediction, list(measured), outcome, happened)


@quiz
def forgets_more(prediction, forgotten: dict[str, list[float]]) -> Verdict:
    """Which method forgets more, once both have learnt the same?

    forgotten  {method: [nats per token, for each seed]}
    """
    means = {name: sum(values) / len(values) for name, values in forgotten.items()}
    seeds = "; ".join(f"{name} {', '.join(f'{v:.2f}' for v in values)}" for name, values in forgotten.items())
    happened = f"Forgotten, in nats per token, by seed: {seeds}."
    return settle(prediction, list(forgotten), max(means, key=lambda name: means[name]), happened)
