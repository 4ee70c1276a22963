"""The table of notebook 12: LoRA of several ranks and full fine-tuning, each with every rate of its grid.

python -m benchmarks.lora                               writes data/lora.json: 99 runs, some ten minutes of one core
python -m benchmarks.lora --output-file other.json

A run that stands in the file already is not made again.
"""

import argparse
import json
import os
from datetime import date
from pathlib import Path

import numpy as np

from benchmarks.conditional_versus_joint import kernel, processor
from minisft.course.lora import experiment

WRITTEN = Path(__file__).resolve().parents[1] / "data" / "lora.json"


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.lora", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--output-file", type=Path, default=WRITTEN)
    path, rows = parser.parse_args().output_file, []
    made = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    for number, run in enumerate(experiment.plan(), 1):
        there = [row for row in made if run._asdict().items() <= row.items()]
        rows += there or [rounded(row) for row in experiment.follow(run)]
        print(f"{number} of {len(experiment.plan())}: {rows[-1]}", flush=True)
    write(path, rows)


def rounded(row: dict) -> dict:
    """Fractions and nats to four digits."""
    return {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in row.items()}


def write(path: Path, rows: list[dict]) -> None:
    """The table as JSON, a row a line, after date and machine."""
    head = {
        "command": "python -m benchmarks.lora",
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
