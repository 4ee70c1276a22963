"""README.md of a trained model: the model card, made from the record and the metrics of its run.

A README.md that someone else wrote is never touched.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from minisft.config import TrainConfig, flag
from minisft.formats.files import read_json, write_atomically
from minisft.formats.gguf.header import Walk

CARD = "README.md"
OURS = "library_name: minisft"  # in the front matter
NOT_OF_TRAINING = {"assistant_turns": "all", "max_length": None, "dtype": None}  # unlike the fields of TrainConfig
PARTS = 5  # of a run: the mean loss of each is shown

TEXT = """\
---
{front}
---

# {title}

{what} Made by minisft {minisft} (NumPy {numpy}, Python {python}).

| | |
|---|---|
{facts}

## Settings

| | |
|---|---|
{settings}

## Loss

{curve}

## Use

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{title}")  # this directory
model = AutoModelForCausalLM.from_pretrained("{title}")
```

or `minisft chat --model {title}`.
"""


def front_matter(path: Path) -> list[str]:
    """The lines between the first two --- of a model card; none if it has no such part or cannot be read."""
    try:
        found = re.match(r"---\s*\n(.*?)\n---\s*(\n|$)", path.read_text("utf-8", errors="replace"), re.DOTALL)
    except OSError:
        return []
    return found[1].splitlines() if found else []


def is_ours(directory: Path) -> bool:
    return OURS in front_matter(directory / CARD)


def licence(model: Path | None) -> str:
    """What a model says about its licence, in its model card or in a field of its .gguf file; else "not stated"."""
    if model and model.is_file():
        with open(model, "rb") as file:
            stated = Walk(file, model).header()[0].get("general.license")
    else:
        lines = front_matter(model / CARD) if model else []
        stated = next((line.partition(":")[2].strip(" '\"") for line in lines if line.startswith("license:")), None)
    return stated if isinstance(stated, str) and re.fullmatch(r"[\w.+-]{1,40}", stated) else "not stated"


def table(rows: Iterable[Iterable[Any]]) -> str:
    return "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |" for row in rows)


def named(path: str) -> str:
    """The name of a file without the folders of this machine; a name on the hub as it is."""
    return Path(path).name if Path(path).exists() else path


def curve(rows: list[dict], reduction: str) -> str:
    """The loss as a few numbers: means over parts of the run, and what was measured on held-out data."""
    steps = [row for row in rows if "loss" in row]
    if not steps:
        return "No step was taken."
    parts = np.array_split(np.arange(len(steps)), min(PARTS, len(steps)))
    shown = [["steps", f"mean loss ({reduction})"], ["---", "---"]]
    for part in parts:
        mean = np.mean([steps[i]["loss"] for i in part])
        shown.append([f"{steps[part[0]]['step']} to {steps[part[-1]]['step']}", f"{mean:.4f}"])
    held_out = [row for row in rows if "eval_loss" in row]
    chosen: list[list] = [["step", "held-out loss", "exact match", "stop rate"], ["---"] * 4]
    for row in held_out[:: max(1, len(held_out) // PARTS)][:-1] + held_out[-1:]:
        measured = [row.get(f"eval_{name}") for name in ("exact_match", "stop_rate")]
        rates = ["" if rate is None else f"{rate:.1%}" for rate in measured]
        chosen.append([row["step"], f"{row['eval_loss']:.4f}", *rates])
    return table(shown) + (f"\n\n{table(chosen)}" if held_out else "")


def settings(record: dict) -> list[tuple]:
    """(flag, value) of every setting of the run that a reader should know."""
    usual = {
        field.name: None if field.metadata["model_card"] == "always" else field.default
        for field in fields(TrainConfig)
        if field.metadata["model_card"] != "never"
    } | NOT_OF_TRAINING
    given = {name: record.get(name, value) for name, value in usual.items()}
    return [(f"`{flag(name)}`", cell(value)) for name, value in given.items() if value != usual[name] and value != []]


def cell(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return " ".join(f"`{one}`" for one in value)
    return "given" if value is False else value  # a switch has no value


def text(directory: Path, record: dict, rows: list[dict], parameters: int, stated: str) -> str:
    """The model card of the model that was saved in a directory.

    record      the content of train_config.json;  rows: those of metrics.jsonl
    parameters  their number;  stated: the licence of the base model
    """
    base, examples = record.get("model"), record["examples"]
    last = max((row["step"] for row in rows), default=0)
    family = read_json(directory / "config.json")["model_type"]
    front = [OURS, "pipeline_tag: text-generation", f"tags: [{family}, minisft]"]
    front += [f"base_model: {json.dumps(named(base), ensure_ascii=False)}"] if base else []
    front += [f"license: {stated}"] if stated != "not stated" else []
    what = f"`{named(base)}`, fine-tuned on answers." if base else "A language model, trained on text from the start."
    facts = [
        ("base model", f"`{named(base)}`" if base else "none"),
        ("licence of the base model", stated),
        ("parameters", f"{parameters:,}"),
        ("data", ", ".join(f"`{named(file)}`" for file in record["data"])),
        ("examples read, cut, dropped", ", ".join(str(examples[name]) for name in ("read", "cut", "dropped"))),
        ("steps", last),
        ("tokens", f"{max((row.get('num_tokens', 0) for row in rows), default=0):,}"),
    ]
    if record.get("eval_data"):
        facts.append(("held-out data", ", ".join(f"`{named(file)}`" for file in record["eval_data"])))
    return TEXT.format(
        front="\n".join(front),
        title=directory.resolve().name,
        what=what,
        facts=table(facts),
        settings=table(settings(record)),
        curve=curve(rows, record["loss_reduction"]),
        **record["versions"],
    )


def write(directory: Path, record: dict, rows: list[dict], parameters: int, stated: str) -> None:
    """Write the model card, unless there is a README.md that someone else wrote. Arguments as for `text`."""
    if not (directory / CARD).exists() or is_ours(directory):
        content = text(directory, record, rows, parameters, stated)  # names of files may not be UTF-8
        write_atomically(directory / CARD, content.encode(errors="backslashreplace"))
