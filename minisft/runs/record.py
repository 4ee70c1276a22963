"""What a run says of itself: train_config.json, by which it is known again, and metrics.jsonl, a row for each step."""

import hashlib
import json
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minisft import __version__
from minisft.config import ModelConfig, TrainConfig, flag, is_number, is_whole
from minisft.data import Sequence
from minisft.errors import MinisftError, one_line, quoted
from minisft.formats.files import read_bytes, read_json
from minisft.parallel import ALONE, Ranks
from minisft.params import Params
from minisft.runs.directory import CHECKPOINT, METRICS, RECORD
from minisft.tokenizer import Tokenizer

MAY_CHANGE = ("save_steps", "logging_steps", "versions", "ranks", "trained_on")
UNLESS_THEY_DECIDE = ("eval_steps", "eval_data")  # which θ_t is θ̃
NEW = {"on_bad_row": "error", "load_best_model_at_end": False, "early_stopping_patience": None}  # since version 0.1.0
NEW |= {"lora_r": 0, "lora_alpha": 0.0, "lora_target_modules": ["all-linear"], "adapter": None, "cache_frozen": 1024}
PLAIN_TEXT, CONVERSATIONS = "plain text", "conversations"  # what a run may be trained on
BY_CONTENT = (
    "model",
    "adapter",
    "data",
    "tokenizer",
    "examples",
    "date",
)  # compared by their fingerprints, not by their names


@dataclass(frozen=True)
class Run:
    """Everything about a run but θ.

    settings    with the learning rate resolved, not 0
    record      the content of train_config.json: see `describe`
    evaluation  θ -> the numbers of `minisft evaluate`; None: the run is not evaluated
    eval_steps  evaluate after every so many steps, and at the end (0: at the end only)
    save_steps  write checkpoint-N after every so many steps (0: never)
    load_best   θ̃ is the θ_t of the lowest eval_loss, and each one that was the lowest so far is kept as checkpoint-N
    patience    stop after so many evaluations in a row without a lower eval_loss (0: never)
    base_model  the name of the model that the run starts from, for an adapter; licence: its licence, for README.md
    """

    directory: Path
    config: ModelConfig
    tokenizer: Tokenizer
    sequences: list[Sequence]
    settings: TrainConfig
    record: dict[str, Any]
    save_steps: int = 0
    load_best: bool = False
    patience: int = 0
    eval_steps: int = 0
    evaluation: Callable[[Params], dict] | None = None
    base_model: str = ""
    licence: str = "not stated"
    ranks: Ranks = ALONE


# --- train_config.json ------------------------------------------------------------------------------------------------


def describe(
    settings: dict, config: ModelConfig, theta: Params, sequences: list[Sequence], examples: dict, ranks: Ranks = ALONE
) -> dict[str, Any]:
    """The content of train_config.json: settings, versions, counts of examples, the model's sizes, fingerprints."""
    return settings | {
        "config": asdict(config),
        "examples": examples,
        "sha256": {"model": fingerprint(theta.base), "data": data_fingerprint(sequences)}
        | ({"adapter": fingerprint(theta)} if theta.frozen else {}),
        "versions": {"minisft": __version__, "numpy": np.__version__, "python": platform.python_version()},
        "ranks": ranks.size,
    }


def is_of_plain_text(model: Path) -> bool:
    """Whether the last run that made a model, or its checkpoint-N, learned plain text alone, without a template."""
    directory = model.parent if CHECKPOINT.fullmatch(model.name) else model
    try:
        return read_json(directory / RECORD).get("trained_on") == PLAIN_TEXT
    except MinisftError:
        return False


def data_fingerprint(sequences: list[Sequence]) -> str:
    """The same for the same tokens, of which the same belong to y, with the same weights."""
    data = hashlib.sha256()
    for sequence in sequences:
        data.update(np.int64(len(sequence.ids)).tobytes() + sequence.ids.tobytes() + sequence.is_y.tobytes())
        if np.any(sequence.weight != 1):
            data.update(np.float64(sequence.weight).tobytes())
    return data.hexdigest()


def fingerprint(theta: Params) -> str:
    """The same for the same bytes of θ, another for all others."""
    return hashlib.sha256(theta.flat.data).hexdigest()


def require_same(run: Run) -> dict[str, Any]:
    """The record of the run that is to go on. Raises MinisftError naming the flag that had another value there."""
    path = run.directory / RECORD
    if not path.exists():
        raise MinisftError(f"--resume: {path} is missing, so there is no run to go on; start one with --overwrite")
    old, advice = NEW | read_json(path), f"in the run of {path}; give its settings to --resume, or --overwrite it"
    may_change = MAY_CHANGE if run.load_best or run.patience else (*MAY_CHANGE, *UNLESS_THEY_DECIDE)
    for name, value in json.loads(json.dumps(run.record)).items():
        spelled = {"command": "--output-dir: the command", "shuffle": "--no-shuffle"}.get(name, flag(name))
        before = old.get(name)
        if name == "sha256":
            for source, content in value.items():
                if not isinstance(before, dict) or content != before.get(source):
                    raise MinisftError(f"--{source}: its content was another {advice}")
        elif name == "config" and isinstance(before, dict):  # a record of version 0.1.0 has none
            for field in [field for field in value if value[field] != before.get(field)]:
                raise MinisftError(
                    f"--model: {field} of its config.json is {quoted(value[field])}, but was "
                    f"{quoted(before.get(field))} {advice}"
                )
        elif name not in (*may_change, *BY_CONTENT, "config") and value != before:
            raise MinisftError(f"{spelled} is {quoted(value)}, but was {quoted(before)} {advice}")
    return old


# --- metrics.jsonl ----------------------------------------------------------------------------------------------------


def write_row(run: Run, row: dict[str, Any], report: Callable[[dict], None]) -> None:
    """Append a row to metrics.jsonl, and report it. A file that somebody has removed or moved is not made anew."""
    path = run.directory / METRICS
    try:
        with open(path, "r+", encoding="utf-8", newline="\n") as file:
            file.seek(0, os.SEEK_END)
            file.write(json.dumps(row, allow_nan=False) + "\n")
    except FileNotFoundError as error:
        raise MinisftError(f"{path}: cannot be written, since it was removed or moved; start the run again") from error
    except OSError as error:
        raise MinisftError(f"{path}: cannot be written ({error.strerror}); make room") from error
    report(row)


def read_metrics(directory: Path) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl, without a last one that a killed run left half-written."""
    path = directory / METRICS
    advice = "put back a copy of the file, or start again with --overwrite"
    lines = read_bytes(path, advice).split(b"\n")[:-1] if path.exists() else []
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            require_row(row)
        except (ValueError, RecursionError) as error:
            raise MinisftError(f"{path}:{number}: is damaged ({error}); {advice}") from error
        rows.append(row)
    return rows


def require_row(row: Any) -> None:
    """Raises ValueError for what `write_row` never writes: a row without a step, a step without its counts."""
    if not isinstance(row, dict) or not is_whole(row.get("step")):
        raise ValueError("a row has no step")
    for name, value in row.items():
        if not (is_number(value) or (value is None and name not in ("loss", "eval_loss"))):
            raise ValueError(f"{one_line(name)} is {quoted(value)}, not a number")
    if "loss" in row and not is_whole(row.get("num_tokens")):
        raise ValueError("a step has no num_tokens")


def rows_until(directory: Path, step: int) -> list[dict[str, Any]]:
    """The rows up to a step. Raises MinisftError if metrics.jsonl does not have each of these steps once."""
    rows = [row for row in read_metrics(directory) if row["step"] <= step]
    if [row["step"] for row in rows if "loss" in row] != list(range(1, step + 1)):
        raise MinisftError(
            f"{directory / METRICS}: does not have one row for each of the steps 1 to {step}; put back a copy of the "
            "file, or start again with --overwrite"
        )
    return rows


class Measured:
    """eval_loss of every evaluated step, in order: all that the best model and the patience depend on."""

    def __init__(self, directory: Path) -> None:
        self.losses = {row["step"]: row["eval_loss"] for row in read_metrics(directory) if "eval_loss" in row}

    @property
    def best(self) -> int:
        """The first step of the lowest eval_loss; 0 if nothing was evaluated."""
        return min(self.losses, key=self.losses.__getitem__, default=0)

    @property
    def waited(self) -> int:
        """How many evaluations there were after that one."""
        return len(self.losses) - 1 - list(self.losses).index(self.best) if self.losses else 0
