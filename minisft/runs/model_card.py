"""README.md of a trained model: the model card, made from the record and the metrics of its run.

It ends with a checksum of itself. A README.md without one, or that a person has changed since, is theirs: it is neither
replaced nor deleted.
"""

import hashlib
import json
import re
import shlex
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import numpy as np

from minisft.config import TrainConfig, flag
from minisft.errors import visible
from minisft.formats.files import read_json, write_atomically
from minisft.formats.gguf.header import Walk
from minisft.formats.markup import Markdown, code, escaped, table

CARD = "README.md"
NOT_OF_TRAINING = {
    "assistant_turns": "all",
    "max_length": None,
    "dtype": None,
    "on_bad_row": "error",
    "load_best_model_at_end": False,
    "early_stopping_patience": None,
}  # unlike the fields of TrainConfig
PARTS = 5  # of a run: the mean loss of each is shown

TEXT = """\
---
{front}
---

# {heading}

{what} Made by minisft {minisft} (NumPy {numpy}, Python {python}).

{facts}

## Settings

{settings}

## Loss

{curve}

## Use

```python
{imports}

tokenizer = AutoTokenizer.from_pretrained({name})  # this directory
{loader}
```

or {command}.
"""
WHOLE = {
    "library": "minisft",
    "imports": "from transformers import AutoModelForCausalLM, AutoTokenizer",
    "loader": "model = AutoModelForCausalLM.from_pretrained({name})",
    "parameters": "parameters",
}
ADAPTER = {
    "library": "peft",
    "imports": "from peft import PeftModel\nfrom transformers import AutoModelForCausalLM, AutoTokenizer",
    "loader": "base = AutoModelForCausalLM.from_pretrained({base})\nmodel = PeftModel.from_pretrained(base, {name})",
    "parameters": "parameters of the adapter (LoRA)",
}
CHECKSUM = "<!-- written by minisft; SHA-256 of all above this line: {} -->\n"


def content(directory: Path) -> bytes:
    """README.md there; nothing if there is no such file, or it cannot be read."""
    path = directory / CARD
    try:
        return path.read_bytes() if path.is_file() else b""
    except OSError:
        return b""


def front_matter(directory: Path) -> list[str]:
    """The lines between the first two --- of a model card; none if it has no such part."""
    first, *lines = [line.rstrip() for line in content(directory).decode(errors="replace").split("\n")]
    return lines[: lines.index("---")] if first == "---" and "---" in lines else []


def signed(text: bytes) -> bytes:
    """A text and, as a last line that is not shown, its checksum."""
    return text + CHECKSUM.format(hashlib.sha256(text).hexdigest()).encode()


def is_ours(directory: Path) -> bool:
    """Whether README.md there is a model card just as `write` has written it."""
    found = content(directory)
    return found == signed(found[: found.rfind(b"<!--")])


def is_theirs(directory: Path) -> bool:
    """Whether README.md there is somebody's own, or was changed since `write` has written it."""
    return (directory / CARD).exists() and not is_ours(directory)


def licence(model: Path | None) -> str:
    """What a model says about its licence, in its model card or in a field of its .gguf file; else "not stated"."""
    if model and model.is_file():
        with open(model, "rb") as file:
            stated = Walk(file, model).header()[0].get("general.license")
    else:
        lines = front_matter(model) if model else []
        stated = next((line.partition(":")[2].strip(" '\"") for line in lines if line.startswith("license:")), None)
    return stated if isinstance(stated, str) and re.fullmatch(r"[\w.+-]{1,40}", stated) else "not stated"


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
    return f"{table(shown)}\n\n{table(chosen)}" if held_out else table(shown)


def settings(record: dict) -> list[tuple]:
    """(flag, value) of every setting of the run that a reader should know."""
    usual = {
        field.name: None if field.metadata["model_card"] == "always" else field.default
        for field in fields(TrainConfig)
        if field.metadata["model_card"] != "never"
    } | NOT_OF_TRAINING
    given = {name: record.get(name, value) for name, value in usual.items()}
    return [(code(flag(name)), cell(value)) for name, value in given.items() if value != usual[name] and value != []]


def cell(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return listed(value, " ")
    return "given" if value is False else value  # a switch has no value


def listed(names: Iterable[str], between: str) -> Markdown:
    return Markdown(between.join(map(code, names)))


def pairs(rows: list[tuple]) -> Markdown:
    """A table of two columns without a head."""
    return table([("", ""), ("---", "---"), *rows])


def text(directory: Path, record: dict, rows: list[dict], parameters: int, stated: str) -> str:
    """The model card of the model that was saved in a directory.

    record      the content of train_config.json;  rows: those of metrics.jsonl
    parameters  their number;  stated: the licence of the base model
    """
    base, examples = record.get("model"), record["examples"]
    last = max((row["step"] for row in rows), default=0)
    words = ADAPTER if record.get("lora_r") else WHOLE
    family = "lora" if words is ADAPTER else read_json(directory / "config.json")["model_type"]
    front = [f"library_name: {words['library']}", "pipeline_tag: text-generation", f"tags: [{family}, minisft]"]
    front += [f"base_model: {literal(visible(named(base)))}"] if base else []
    front += [f"license: {literal(stated)}"] if stated != "not stated" else []
    adapter_of = "An adapter of " if words is ADAPTER else ""
    start = "A language model, trained on text from the start."
    facts: list[tuple] = [
        ("base model", code(named(base)) if base else "none"),
        ("licence of the base model", stated),
        (words["parameters"], f"{parameters:,}"),
        ("data", listed(map(named, record["data"]), ", ")),
        (f"examples {', '.join(examples)}", ", ".join(map(str, examples.values()))),
        ("steps", last),
        ("tokens", f"{max((row.get('num_tokens', 0) for row in rows), default=0):,}"),
    ]
    if record.get("eval_data"):
        facts.append(("held-out data", listed(map(named, record["eval_data"]), ", ")))
    name = directory.resolve().name
    return TEXT.format(
        front="\n".join(front),
        heading=escaped(name),
        imports=words["imports"],
        loader=words["loader"].format(name=literal(name), base=literal(named(base or ""))),
        name=literal(name),
        command=code(f"minisft chat --model {shlex.quote(name)}"),
        what=f"{adapter_of}{code(named(base))}, fine-tuned on answers." if base else start,
        facts=pairs(facts),
        settings=pairs(settings(record)),
        curve=curve(rows, record["loss_reduction"]),
        **record["versions"],
    )


def literal(text: str) -> str:
    """A text between quotes, for YAML and for Python: both know these escapes."""
    return visible(json.dumps(text, ensure_ascii=False))


def write(directory: Path, record: dict, rows: list[dict], parameters: int, stated: str) -> None:
    """Write the model card, unless there is a README.md that is theirs. Arguments as for `text`."""
    if not is_theirs(directory):
        content = text(directory, record, rows, parameters, stated)  # names of files may not be UTF-8
        write_atomically(directory / CARD, signed(content.encode(errors="backslashreplace")))
