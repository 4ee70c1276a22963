"""What the mistakes cost: the runs of `python -m benchmarks.mistakes`, their means, and how soon a curve shows one."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

RUNS, PRICES = (Path(__file__).with_name(name) for name in ("runs.json", "prices.json"))
SMOOTH = 5  # steps whose mean is looked at
FALLEN = 0.25  # a curve looks healthy if it ends below so much of where it began, and above 0


@cache
def runs() -> dict[str, Any]:
    """{mistake, or "without": {"gradient_error", "seeds": [symptoms and losses of each run]}}, and "measured"."""
    return json.loads(RUNS.read_text(encoding="utf-8"))


@cache
def prices() -> dict[str, Any]:
    """{mistake, or "without": its means over the seeds}, and "measured": date and machine."""
    return json.loads(PRICES.read_text(encoding="utf-8"))


def means(of: dict[str, Any]) -> dict[str, float]:
    """The mean of every symptom over the seeds of one mistake, to four digits."""
    names = [name for name in of["seeds"][0] if name != "losses"]
    return {name: round(float(np.mean([row[name] for row in of["seeds"]])), 4) for name in names}


def smooth(losses: list[float]) -> np.ndarray:
    """The mean of SMOOTH losses, from the first SMOOTH on: (steps − SMOOTH + 1,)."""
    return np.convolve(losses, np.ones(SMOOTH) / SMOOTH, "valid")


def band(without: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Between what smoothed losses are those of runs without a mistake; half of its width is added on each side."""
    curves = np.array([smooth(row["losses"]) for row in without["seeds"]])
    low, high = curves.min(0), curves.max(0)
    return low - (high - low) / 2, high + (high - low) / 2


def seen_at(of: dict[str, Any], without: dict[str, Any]) -> int | None:
    """The first step at which the curves of most seeds have left the band, for good or not; None: they never do."""
    low, high = band(without)
    first = []
    for row in of["seeds"]:
        outside = (curve := smooth(row["losses"])) < low
        outside |= curve > high
        first.append(int(outside.argmax()) + SMOOTH if outside.any() else len(row["losses"]) + 1)
    step = int(np.median(first))
    return step if step <= len(of["seeds"][0]["losses"]) else None


def looks_healthy(of: dict[str, Any]) -> bool:
    """Whether the training loss falls as one expects, in all seeds: nobody who has no other curve is alarmed."""
    curves = [smooth(row["losses"]) for row in of["seeds"]]
    return all(0 < curve[-1] < FALLEN * curve[0] for curve in curves)


def summary(runs: dict[str, Any]) -> dict[str, Any]:
    """What prices.json holds of the runs."""
    without = runs["without"]
    return {"measured": runs["measured"]} | {
        name: means(of)
        | {"gradient_error": of["gradient_error"], "seen_at": seen_at(of, without), "looks_healthy": looks_healthy(of)}
        for name, of in runs.items()
        if name != "measured"
    }
