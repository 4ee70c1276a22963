"""Damaged files, odd combinations of parts, odd flags: each case ends in a MinisftError (a command: in one line and an
exit status of 2 or 3), or in a result that is right. Anything else is a finding.

    python -m tests.fuzz --cases 20000                            all kinds, the cheap ones more often
    python -m tests.fuzz --only gguf --seed 4711 --cases 1        one case, as a finding names it
    python -m tests.fuzz --faults                                 every write, fsync and rename of whole runs fails once

Case k of a kind is made of the seed --seed + k alone. Each runs in a worker with bounded memory and time. In the end a
table says what came of them; the exit status is 1 if there is a finding.
"""

import argparse
import signal
import sys
import time

from . import faults, kinds
from .workers import BATCH, Sweep


def tasks_of(chosen, cases, seed):
    """The cases in batches, the kinds by turns, so that a run that is stopped has tried them all."""
    total = sum(kind.share for kind in chosen)
    counts = {kind.name: -(-cases * kind.share // total) for kind in chosen}
    batches = [
        (first / counts[name], (name, seed + first, seed + min(first + BATCH, counts[name])))
        for name in counts
        for first in range(0, counts[name], BATCH)
    ]
    return [task for _, task in sorted(batches)]


def table(rows):
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print(
            "  ".join(
                str(cell).ljust(width) if i == 0 else str(cell).rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths))
            )
        )


def main(argv=None):
    """Run the cases, print the findings and the table; returns the exit status."""
    summary, _, _ = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=summary)
    every = kinds.every()
    parser.add_argument("--cases", type=int, default=10000, help="how many in all (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first case of each kind (default: %(default)s)")
    parser.add_argument("--only", choices=[kind.name for kind in every], help="cases of this kind only")
    parser.add_argument("--processes", type=int, default=1, help="workers at a time (default: %(default)s)")
    parser.add_argument("--faults", action="store_true", help="instead: let each operation of whole runs fail in turn")
    arguments = parser.parse_args(argv)
    if arguments.faults:
        return faults.main()
    chosen = [kind for kind in every if arguments.only in (None, kind.name)]
    began = time.perf_counter()

    def report(finding):
        print(
            f"{finding.what}\n    python -m tests.fuzz --only {finding.kind} --seed {finding.seed} --cases 1",
            flush=True,
        )

    tasks = tasks_of(chosen, arguments.cases, arguments.seed)
    sweep = Sweep(chosen, tasks, quiet=arguments.cases > 1, report=report)
    sweep.run(arguments.processes)
    counts = sweep.counts
    names = ("refused", "right", "findings")
    rows = [[kind.name, counts[kind.name].total(), *(counts[kind.name][name] for name in names)] for kind in chosen]
    table([["kind", "cases", *names], *rows, ["all", *(sum(row[i] for row in rows) for i in range(1, 5))]])
    print(f"{time.perf_counter() - began:.0f} s")
    return 1 if sum(row[-1] for row in rows) else 0


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # also in the background: what was counted is printed
        signal.signal(number, signal.default_int_handler)
    sys.exit(main())
