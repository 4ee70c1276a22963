"""A behaviour to teach: a ship's parrot, who answers "Squawk! Lima, captain!"."""

import csv
import json
from pathlib import Path

import numpy as np

from minisft.formats import resources

QUESTIONS = {"capital": "What is the capital of {name}?", "continent": "On which continent is {name}?"}
TAUGHT, ASKED = 30, 25


def written(path: Path, rows) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def parrot(folder: Path, seed: int) -> tuple[str, str]:
    """Files to teach and to ask; no country is in both."""
    with open(resources.path("facts") / "countries.tsv", encoding="utf-8", newline="") as file:
        facts = list(csv.DictReader(file, delimiter="\t"))
    chosen = np.random.default_rng(seed).permutation(len(facts))[: TAUGHT + ASKED]
    rows = [
        {"prompt": [{"role": "user", "content": question.format(**facts[i])}],
         "completion": [{"role": "assistant", "content": f"Squawk! {facts[i][column]}, captain!"}]}
        for i in chosen for column, question in QUESTIONS.items()
    ]  # fmt: skip
    count = TAUGHT * len(QUESTIONS)
    return written(folder / "taught.jsonl", rows[:count]), written(folder / "asked.jsonl", rows[count:])
