"""Runs that take too long for a lesson, made once by `python -m benchmarks.conditional_versus_joint`."""

import json
from functools import cache

from minisft.formats import resources


@cache
def read() -> dict:
    """What the command wrote: date, machine, and a row for each run and step looked at."""
    return json.loads(resources.path("conditional_versus_joint.json").read_text(encoding="utf-8"))


def measured(part: str) -> dict:
    """{rule: [the rows of each seed]} of one part of the plan, as `experiment.compare` gives them."""
    results: dict[str, list[list[dict]]] = {}
    for row in read()["rows"]:
        if row["part"] == part:
            seeds = results.setdefault(row["rule"], [])
            if len(seeds) == row["seed"]:
                seeds.append([])
            seeds[row["seed"]].append(row)
    return results


def origin() -> str:
    """Where the numbers come from, in a sentence."""
    head = read()
    return (
        f"{len(head['rows'])} rows of `{head['command']}`, {head['date']}: {head['processor']}, NumPy {head['numpy']}, "
        f"{head['blas']} (OPENBLAS_CORETYPE {head['coretype']})"
    )
