"""What every mistake of minisft/lab costs, over three seeds, with date and machine. A quarter of an hour on one core.

    python -m benchmarks.mistakes                       writes minisft/lab/runs.json, prices.json and docs/mistakes.md
    python -m benchmarks.mistakes --only no-shift sign  these alone; the others stay as they are
    python -m benchmarks.mistakes --table               makes no run: asks the checks, and writes the rest anew

runs.json has every run with its curve and what each check finds, prices.json the means over the seeds.
"""

import argparse
import json
import os
import time
from datetime import date
from pathlib import Path

import numpy as np

from benchmarks.conditional_versus_joint import kernel, processor
from benchmarks.mistakes_page import PAGE, page
from minisft.lab import checks, experiment, prices
from minisft.lab.mistakes import MISTAKES

SEEDS = 3
WITHOUT = 8  # seeds of the runs without a mistake: the band of curves that are right


def measured(mistake, seeds: int) -> dict:
    """The runs of one mistake, or of none, as they stand in runs.json."""
    rows = []
    for seed in range(seeds):
        symptoms, losses = experiment.run(mistake, seed)
        rows.append(
            {name: round(value, 4) for name, value in symptoms.items()} | {"losses": [round(x, 4) for x in losses]}
        )
    return {"gradient_error": float(f"{experiment.gradient_error(mistake):.2g}"), "seeds": rows}


def head() -> dict:
    return {
        "command": "python -m benchmarks.mistakes",
        "date": date.today().isoformat(),
        "processor": processor(),
        "blas": kernel(),
        "coretype": os.environ.get("OPENBLAS_CORETYPE", "unset"),
        "numpy": np.__version__,
    }


def write(path: Path, content: dict) -> None:
    """JSON, a mistake a line."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in content.items())
    path.write_text("{\n" + lines + "\n}\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.mistakes", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=[m.name for m in MISTAKES], metavar="MISTAKE")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    runs = json.loads(prices.RUNS.read_text(encoding="utf-8")) if prices.RUNS.exists() else {}
    if not arguments.table:
        began = time.process_time()
        todo = {m.name: m for m in MISTAKES if not arguments.only or m.name in arguments.only}
        if not arguments.only:
            runs["without"] = measured(None, WITHOUT)
        for name, mistake in todo.items():
            runs[name] = measured(mistake, SEEDS)
            print(f"{time.process_time() - began:.0f} s {name}: {prices.means(runs[name])}", flush=True)
        runs["measured"] = head()
    for mistake in MISTAKES:
        runs[mistake.name]["found"] = checks.found(mistake)
    names = ("measured", "without", *(m.name for m in MISTAKES))
    runs = {name: runs[name] for name in names}
    write(prices.RUNS, runs)
    write(prices.PRICES, prices.summary(runs))
    PAGE.write_text(page(runs), encoding="utf-8")


if __name__ == "__main__":
    main()
