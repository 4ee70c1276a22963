"""The shipped texts and fine-tuning sets as they are on disk, and the script that makes them.

A file of tests that needs the fixture takes it by its name: `documents = shipped_data.documents`.
"""

import csv
import json
import sys
from importlib import import_module
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2] / "data"
WORLDS = ["atlas", "shop", "sums", "support", "closed_book"]
SETS = [f"{world}_{part}" for world in WORLDS for part in ("train", "test")]

sys.path.insert(0, str(DATA))  # as in `python data/make.py`
make, wordings, worlds = map(import_module, ("make", "wordings", "worlds"))
sys.path.remove(str(DATA))


def read_table(name):
    with open(DATA / "facts" / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def read_lines(name):
    with open(DATA / f"{name}.jsonl", encoding="utf-8", newline="") as file:
        return [json.loads(line) for line in file]


def questions_and_answers(name):
    return [tuple(message["content"] for message in row["messages"]) for row in read_lines(name)]


def questions(name):
    return {question for question, _ in questions_and_answers(name)}


@pytest.fixture(scope="module")
def documents():
    return [row["text"] for row in read_lines("pretrain")]
