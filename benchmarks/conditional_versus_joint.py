"""The long table of notebook 08: every run of its plan, with date and machine. About twenty minutes of processor time.

    python -m benchmarks.conditional_versus_joint                       writes data/conditional_versus_joint.json
    python -m benchmarks.conditional_versus_joint --output-file other.json --parts "x tells" "wordy x"

The runs are spread over the cores, one thread each. Without --parts all of them are made, part after part; with it, the
rows of the other parts stay as they are in the file.
"""

import argparse
import ctypes
import json
import os
import platform
import time
from datetime import date
from pathlib import Path

import numpy as np

from minisft.course import side_by_side
from minisft.course.conditional_versus_joint.experiment import compare
from minisft.course.conditional_versus_joint.plan import PLAN

WRITTEN = Path(__file__).resolve().parents[1] / "data" / "conditional_versus_joint.json"


def processor() -> str:
    """What the machine calls its processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def kernel() -> str:
    """The BLAS library of NumPy, and which of its kernels runs here, if it says so."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    for library in Path(np.__file__).parents[1].glob("numpy.libs/libscipy_openblas*"):
        corename = ctypes.CDLL(str(library)).scipy_openblas_get_corename64_
        corename.restype = ctypes.c_char_p
        return f"{blas['name']} {blas['version']}, kernel {corename().decode()}"
    return f"{blas['name']} {blas['version']}"


def rows_of(name: str, pool) -> list[dict]:
    """The rows of one part: of each rule, seed and step looked at, with fractions and nats to four digits."""
    part = PLAN[name]
    results = compare(pool, part.rules, part.world, part.settings, range(part.seeds), part.looks)
    return [
        {"part": name, "rule": rule, "seed": seed} | {key: float(f"{value:.4g}") for key, value in row.items()}
        for rule, seeds in results.items()
        for seed, rows in enumerate(seeds)
        for row in rows
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.conditional_versus_joint",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--output-file", type=Path, default=WRITTEN)
    parser.add_argument("--parts", nargs="+", choices=list(PLAN), default=list(PLAN), metavar="PART")
    arguments = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    rows, began = others(arguments.output_file, arguments.parts), time.perf_counter()
    with side_by_side.processes() as pool:
        for name in arguments.parts:
            rows += rows_of(name, pool)
            write(arguments.output_file, "python -m benchmarks.conditional_versus_joint", rows)
            print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)


def others(path: Path, parts: list[str]) -> list[dict]:
    """The rows of a file, if it is there, that belong to no part of these."""
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    return [row for row in rows if row["part"] not in parts]


def write(path: Path, command: str, rows: list[dict]) -> None:
    """The table that a command makes as JSON, a row a line, after date and machine."""
    head = {
        "command": command,
        "date": date.today().isoformat(),
        "processor": processor(),
        "blas": kernel(),
        "coretype": os.environ.get("OPENBLAS_CORETYPE", "unset"),
        "numpy": np.__version__,
    }
    lines = ",\n".join(json.dumps(row) for row in rows)
    path.write_text(f'{json.dumps(head)[:-1]}, "rows": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
