"""The lines of the library that compute what a step shows, read from its source, so that they cannot be others.

They are those of the library as it is, also where a run makes a mistake.
"""

import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path

from minisft.data import collate
from minisft.objective import backward, forward
from minisft.optim import SGD, AdamW
from minisft.train import step

PACKAGE = Path(inspect.getfile(collate)).parents[1]
UPDATES: dict[str, tuple[Callable, str, int]] = {"sgd": (SGD.step, "w -=", 1), "adamw": (AdamW.step, "w *=", 5)}


def lines_of(function: Callable, first: str, count: int) -> dict[str, str]:
    """{"where": "minisft/file.py:line", "code"}: `count` lines of a function, from the one that begins with `first`."""
    source, start = inspect.getsourcelines(function)
    number = next(i for i, line in enumerate(source) if line.strip().startswith(first))
    code = inspect.cleandoc("\n" + "".join(source[number : number + count]))
    file = Path(inspect.getfile(function)).relative_to(PACKAGE).as_posix()
    return {"where": f"{file}:{start + number}", "code": code}


@cache
def shown(optimiser: str) -> dict[str, dict[str, str]]:
    """The lines beside each part of a step: {part: {"where", "code"}}."""
    return {
        "weights": lines_of(collate, "m =", 1),
        "pi": lines_of(forward, "log_pi =", 2),
        "objective": lines_of(forward, "J =", 1),
        "dz": lines_of(backward, "pi, w =", 2),
        "sign": lines_of(step, "J, cache =", 1),
        "update": lines_of(*UPDATES[optimiser]),
    }
