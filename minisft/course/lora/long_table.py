"""The 99 runs of notebook 12, made once by `python -m benchmarks.lora`, and the rate that each method is given."""

import json
from functools import cache

import numpy as np

from minisft.course.lora.experiment import RANKS
from minisft.formats import resources


@cache
def read() -> dict:
    """What the command wrote: date, machine, and a row for each run and step looked at."""
    return json.loads(resources.path("lora.json").read_text(encoding="utf-8"))


def rows(r: int, rate: float, step: int) -> list[dict]:
    """Those of one method at one rate and step: a row a seed."""
    wanted = {"r": r, "learning_rate": rate, "step": step}
    return [row for row in read()["rows"] if wanted.items() <= row.items()]


def rates(r: int) -> list[float]:
    """The grid of a method."""
    return sorted({row["learning_rate"] for row in read()["rows"] if row["r"] == r})


def mean(of: list[dict], key: str) -> float:
    return float(np.mean([row[key] for row in of]))


def best_rate(r: int, step: int) -> float:
    """The rate with the most exact answers to the questions it is chosen by; of equal ones, the lowest."""
    return max(rates(r), key=lambda rate: (mean(rows(r, rate, step), "chosen by"), -rate))


def tuned(step: int) -> dict[int, list[dict]]:
    """{r: the rows of its seeds}, each method at its best rate; r = 0 is full fine-tuning."""
    return {r: rows(r, best_rate(r, step), step) for r in RANKS}


def name_of(r: int) -> str:
    return f"r = {r}" if r else "full"


def origin() -> str:
    """Where the numbers come from, in a sentence."""
    head = read()
    return (
        f"{len(head['rows'])} rows of `{head['command']}`, {head['date']}: {head['processor']}, NumPy {head['numpy']}, "
        f"{head['blas']} (OPENBLAS_CORETYPE {head['coretype']})"
    )
