"""The table of notebook 12: LoRA of several ranks and full fine-tuning, each with every rate of its grid.

python -m benchmarks.lora                               writes data/lora.json: 99 runs, some ten minutes of one core
python -m benchmarks.lora --output-file other.json

A run that stands in the file already is not made again.
"""

import argparse
import json
from pathlib import Path

from benchmarks.conditional_versus_joint import write
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
    write(path, "python -m benchmarks.lora", rows)


def rounded(row: dict) -> dict:
    """Fractions and nats to four digits."""
    return {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in row.items()}


if __name__ == "__main__":
    main()
