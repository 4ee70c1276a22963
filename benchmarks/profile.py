"""Where the time of a step goes: the fraction of every layer, forward and backward, as a table and a picture."""

import time
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

from benchmarks import figures, sizes
from benchmarks.measure import checkpoint_of
from benchmarks.ours import Ours
from minisft import model, objective, optim
from minisft.layers import attention, embedding, linear, rmsnorm, rotary, swiglu
from minisft.plots import save

LAYERS = (embedding, rmsnorm, rotary, attention, swiglu, linear, objective)
STEPS = {"tiny": 100, "small": 20, "base": 3}


@contextmanager
def timed(functions):
    """Replace (owner, name) by a function that counts its own CPU seconds, not its callees'; yields {…: seconds}.

    What an owner calls of its own, as the backward of a rotation its forward, counts for the caller.
    """
    seconds, inside, originals = {}, [(None, 0.0)], {}

    def watched(key, function):
        def call(*arguments, **named):
            if inside[-1][0] is key[0]:
                return function(*arguments, **named)
            inside.append((key[0], 0.0))
            began = time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                taken, (_, within) = time.process_time() - began, inside.pop()
                seconds[key] = seconds.get(key, 0.0) + taken - within
                inside[-1] = inside[-1][0], inside[-1][1] + taken

        return call

    for owner, name in functions:
        originals[owner, name] = getattr(owner, name)
        setattr(owner, name, watched((owner, name), originals[owner, name]))
    try:
        yield seconds
    finally:
        for (owner, name), function in originals.items():
            setattr(owner, name, function)


def measure(name: str, data: str) -> tuple[float, dict]:
    """Seconds of a step, and {(part, direction): seconds}; the products of all linear maps count as "linear"."""
    size = sizes.SIZES[name]
    functions = [(layer, way) for layer in LAYERS for way in ("forward", "backward")]
    functions += [(model, "forward"), (model, "backward"), (optim, "clip"), (optim.AdamW, "step")]
    with checkpoint_of(size) as checkpoint:
        ours = Ours(size, checkpoint, 1)
        ours.prepare(sizes.DATA[data](size))
        for _ in range(3):
            ours.step()
        with timed(functions) as seconds:
            began = time.process_time()
            for _ in range(STEPS[name]):
                ours.step()
            total = (time.process_time() - began) / STEPS[name]
    parts = {}
    for (owner, way), taken in seconds.items():
        optimiser = owner in (optim, optim.AdamW)
        part = "optimiser" if optimiser else owner.__name__.split(".")[-1]
        key = (part, "backward" if optimiser else way)
        parts[key] = parts.get(key, 0.0) + taken / STEPS[name]
    return total, parts


def main(name: str, plot: str | None):
    for data in sizes.DATA:
        total, parts = measure(name, data)
        named = sorted(
            {part for part, _ in parts}, key=lambda part: -sum(v for (p, _), v in parts.items() if p == part)
        )
        both = {part: tuple(parts.get((part, way), 0.0) for way in ("forward", "backward")) for part in named}
        table = Table(
            "", "forward", "backward", "fraction", title=f"a step of {name}, {data} data: {1e3 * total:.1f} ms"
        )
        for part, ways in both.items():
            table.add_row(part, *(f"{1e3 * seconds:.2f} ms" for seconds in ways), f"{sum(ways) / total:.1%}")
        table.add_row("the rest", "", "", f"{1 - sum(parts.values()) / total:.1%}")
        Console().print(table)
    if plot:
        shown = {part: tuple(1e3 * seconds for seconds in ways) for part, ways in both.items()}
        title = f"A step of minisft ({name}, {data} lengths): {1e3 * total:.0f} ms on one core"
        save(figures.fractions(shown, title, "processor time  (ms)"), plot)


def growth_picture(rows: list[dict], path: str):
    """The fair ratio of equal work against eager PyTorch, as one size grows."""
    series = {}
    for row in rows:
        if row["row"] == "growth":
            series.setdefault(row["what"], []).append((row["value"], row["fair"]))
    save(figures.growth(series, "fair ratio", "Equal work: PyTorch's time divided by minisft's"), path)
