"""minisft beside PyTorch on the CPU, in one run.

    python -m benchmarks --quick               tiny and small, few rounds: about 3 minutes
    python -m benchmarks --json result.json    everything
    python -m benchmarks --profile small       the fraction of every layer in a step of minisft, forward and backward

Both sides load the same checkpoint and the same data, and their losses and gradients are compared before anything is
timed. Each runs in a process of its own, in turn, one thread, by CPU time (two cores: wall time). A ratio is the median
of paired ratios, PyTorch's time by ours. The two BLAS libraries are not ours to change, so the fair ratio is divided by
r, NumPy's speed in sgemm by PyTorch's at the model's own shapes, under that setting of OPENBLAS_CORETYPE whose r is
nearest 1; the raw ratios stand beside it.
"""

import argparse
import os
import time

from rich.console import Console
from rich.table import Table

from benchmarks import profile, rows, sizes
from benchmarks.measure import CORETYPE

console = Console()


def parser():
    p = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    p.add_argument("--quick", action="store_true", help="tiny and small, few rounds, no growth")
    p.add_argument("--json", metavar="FILE", help="write every figure to this file")
    p.add_argument("--plot", metavar="FILE", help="write the picture, of growth or of the profile, to this file")
    p.add_argument("--sizes", nargs="+", choices=list(sizes.SIZES), help="only these")
    p.add_argument("--rows", nargs="+", choices=[*"ABCDEFG", "growth"], help="only these")
    p.add_argument("--profile", choices=list(sizes.SIZES), metavar="SIZE", help="profile a step of minisft instead")
    return p


def plan(arguments):
    """What to measure, as functions, the cheap ones first."""
    quick = arguments.quick
    chosen = set(arguments.rows or (["A", "B", "F", "G"] if quick else [*"ABCDEFG", "growth"]))
    names = arguments.sizes or (["tiny", "small"] if quick else list(sizes.SIZES))
    for name in names:
        size, pairs = sizes.SIZES[name], {"tiny": 15, "small": 11, "base": 5}[name] // (3 if quick else 1)
        if chosen & set("AE"):
            yield rows.equal_work(name, size, pairs, "E" in chosen)
        if chosen & set("BC"):
            yield rows.real_step(name, size, pairs)
        if "D" in chosen:
            yield rows.two_cores(name, size, pairs)
        if "F" in chosen:
            yield rows.decoding(name, size, pairs)
        if "G" in chosen:
            yield rows.cold_start(name, size, 3)
    if "growth" in chosen:
        yield rows.growth(3)


def shown(row: dict) -> list[str]:
    """The cells of a row."""
    raw = row.get("raw", {})
    numbers = [f"{kernel} {r['ratio']:.2f} ({r['low']:.2f}–{r['high']:.2f})" for kernel, r in raw.items()]
    if "fraction" in row:
        numbers = [f"{row['fraction']:.2f} of PyTorch's"]
    notes = [f"r {', '.join(f'{kernel} {r:.2f}' for kernel, r in row['r'].items())}"] if "r" in row else []
    notes += ["other programs were busy: run it again"] if row.get("busy") else []
    notes += [f"fill {row['fill']:.2f}"] if "fill" in row else []
    notes += [f"by {row['by']}"] if "by" in row else []
    if "share_of_sgemm" in row:
        notes.append("of sgemm " + ", ".join(f"{value:.0%}" for value in row["share_of_sgemm"].values()))
    if "tokens_per_second" in row:
        notes.append(", ".join(f"{side} {value:,.0f}/s" for side, value in row["tokens_per_second"].items()))
    notes += [f"{side} {value:.2f} s" for side, value in row.get("seconds", {}).items()]
    notes += [f"{side} {value:.0f} MB" for side, value in row.get("MB", {}).items()]
    fair = f"{row['fair']:.2f}" if "fair" in row else ""
    wanted = "" if row.get("goal") is None else f"{'≤' if 'memory' in row['row'] else '≥'} {row['goal']}"
    what = rows.NAMES.get(row["row"], "equal work, eager")
    return [row["row"], row["size"], what, fair, "\n".join(numbers), wanted, "\n".join(notes)]


def main():
    arguments = parser().parse_args()
    if arguments.profile:
        profile.main(arguments.profile, arguments.plot)
        return
    began, found = time.perf_counter(), []
    console.print(f"{CORETYPE} as found: {os.environ.get(CORETYPE, 'unset')}; load {os.getloadavg()[0]:.1f}")
    for work in plan(arguments):
        for row in work:
            found.append(row)
            console.print("  ".join(shown(row)).replace("\n", "; "), highlight=False)
    table = Table(
        *("", "size", "against PyTorch", "fair", "raw", "goal", ""), title="minisft beside PyTorch, as ratios"
    )
    for row in found:
        table.add_row(*shown(row))
    console.print(table)
    for side, kernel in next((row["kernels"] for row in found if "kernels" in row), {}).items():
        console.print(f"{side}: {kernel}", highlight=False)
    console.print(f"{time.perf_counter() - began:.0f} s")
    if arguments.json:
        rows.written(found, arguments.json)
    if arguments.plot:
        profile.growth_picture(found, arguments.plot)


main()
