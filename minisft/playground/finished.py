"""A run in a directory, taken up again to look at one of its steps: from its nearest checkpoint, or from its start."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from minisft import checkpoint, data
from minisft.config import TrainConfig
from minisft.data import Sequence
from minisft.errors import MinisftError
from minisft.formats.files import read_json
from minisft.playground.run import Run
from minisft.runs.checkpoints import load_state
from minisft.runs.directory import RECORD, checkpoints
from minisft.runs.record import Run as Written
from minisft.runs.record import data_fingerprint, fingerprint, read_metrics
from minisft.tokenizer import Tokenizer


def record_of(directory: Path) -> dict[str, Any]:
    """The record of a run of `minisft sft`. Raises MinisftError if the directory holds no such run."""
    record = read_json(directory / RECORD)
    if record.get("command") != "sft":
        raise MinisftError(f"--run: {directory} is not a run of minisft sft; only its steps can be taken apart")
    return record


def take_up(
    directory: Path, record: dict[str, Any], step: int, model: Path, files: list[str]
) -> tuple[Run, Tokenizer, dict[str, Any]]:
    """The run of a record in its directory, at a state before `step`; its tokenizer; its row of metrics.jsonl.

    model, files  θ̂ and the data of the run; that they are the same is checked by their fingerprints
    Raises MinisftError if the step was not made, or if model or data are others.
    """
    rows = {row["step"]: row for row in read_metrics(directory) if "loss" in row}
    if step not in rows:
        raise MinisftError(f"--step: {directory} has no step {step}; it made the steps 1 to {max(rows, default=0)}")
    settings = TrainConfig(**{field.name: record[field.name] for field in fields(TrainConfig) if field.name in record})
    dtype = np.dtype(record["dtype"])
    theta_hat, config, tokenizer = checkpoint.load(model, dtype)
    examples = data.read(files)
    limit = None if record["on_too_long"] == "error" else record["max_length"] + 1
    encoded = [data.encode(example, tokenizer, record["assistant_turns"], limit) for example in examples]
    sequences, _ = data.fit(encoded, record["max_length"], record["on_too_long"])
    require_same(record, fingerprint(theta_hat), sequences)
    start = checkpoint.load_adapter(record["adapter"], theta_hat) if record.get("adapter") else theta_hat
    run = Run(start, config, sequences, settings)
    written = Written(directory, config, tokenizer, sequences, settings, record)
    for number, path in [(n, path) for n, path in checkpoints(directory) if n < step][:1]:
        run.state = load_state(written, path, number, run.state.theta)
        run.kept, run.steps = {number: run.state}, iter(())
    return run, tokenizer, rows[step]


def require_same(record: dict[str, Any], model: str, sequences: list[Sequence]) -> None:
    """Refuse a model or data that are not those of the record."""
    for name, content in (("model", model), ("data", data_fingerprint(sequences))):
        if record["sha256"][name] != content:
            raise MinisftError(f"--{name}: is not that of the run; give the one that it was started with")
