"""checkpoint-N: θ_N and what the optimiser remembers, written whole or not at all, and read with suspicion.

The order of the examples depends on seed and step alone, so θ, the optimiser's memory and two counters are the whole
state of a run. A checkpoint that cannot be read is never deleted.
"""

import hashlib
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minisft import checkpoint
from minisft.config import is_whole
from minisft.errors import MinisftError
from minisft.formats import huggingface
from minisft.formats.files import bring_to_disk, delete, partial_name, read_json, write_json
from minisft.params import Params
from minisft.runs.directory import COUNTERS, METRICS, MOMENTS, checkpoints, is_checkpoint
from minisft.runs.record import Run, fingerprint, rows_until
from minisft.train import State, start


def save_state(run: Run, state: State) -> None:
    """Write checkpoint-N, if this run has not written it already: beside its place, and then moved there."""
    path = run.directory / f"checkpoint-{state.step}"
    if (path / COUNTERS).exists():
        return
    beside = run.directory / partial_name(path.name)
    try:
        beside.mkdir()
        bring_to_disk(run.directory / METRICS)  # a checkpoint is of no use without the rows before it
        checkpoint.save(beside, state.theta, run.config, run.tokenizer, run.base_model)
        huggingface.write_tensors(beside / MOMENTS, state.optimizer.moments)
        counters = {"step": state.step, "num_tokens": state.num_tokens, "updates": state.optimizer.updates}
        write_json(beside / COUNTERS, counters | {"sha256": fingerprints(state)})
        if path.exists():  # with files of somebody else in it; without its counters it is not whole
            for file in sorted(beside.iterdir(), key=lambda file: file.name == COUNTERS):
                os.replace(file, path / file.name)
        else:
            os.rename(beside, path)
        bring_to_disk(run.directory)
    except (OSError, MinisftError) as error:
        why = str(error).replace(str(beside), str(path))
        raise MinisftError(f"{path}: cannot be written ({why}); make room") from error
    finally:
        delete(beside)


def fingerprints(state: State) -> dict[str, str]:
    """By which it is noticed if a number of θ, or of what the optimiser remembers, is another when it is read again."""
    moments = hashlib.sha256()
    for name in sorted(state.optimizer.moments):
        moments.update(state.optimizer.moments[name].data)
    return {"model": fingerprint(state.theta), "moments": moments.hexdigest()}


def newest(run: Run, theta: Params, say: Callable[[str], None]) -> tuple[State, list[dict[str, Any]]] | None:
    """The state of the newest checkpoint that is whole, and the rows of metrics.jsonl up to it; None if there is none.

    Newer ones that are not whole are moved aside. Raises MinisftError if there are checkpoints, but none is whole.
    """
    broken: list[tuple[Path, MinisftError]] = []
    for step, path in checkpoints(run.directory):
        if not is_checkpoint(path):
            continue
        try:
            state = load_state(run, path, step, theta)
        except MinisftError as error:
            broken.append((path, error))
            continue
        rows = rows_until(run.directory, step)
        if not fits(state, rows):
            broken.append((path, MinisftError(f"{path / COUNTERS}: does not fit {run.directory / METRICS}")))
            continue
        for other, reason in broken:
            say(f"{other.name} is not whole and is passed over; it is now {set_aside(other).name}: {reason}")
        return state, rows
    if broken:
        path, reason = broken[0]
        raise MinisftError(
            f"--resume: no checkpoint in {run.directory} is whole, so there is nothing to go on from ({path.name}: "
            f"{reason}); mend one, or start again with --overwrite"
        )
    return None


def theta_in(path: Path, run: Run, theta: Params) -> Params:
    """θ_t in the directory of a run, or in its checkpoint: of the tensors of θ, and on the same θ̂ if it is an adapter.

    Raises MinisftError if it is not whole, or not of this run.
    """
    if theta.frozen:
        found = checkpoint.load_adapter(path, theta.frozen)
        if (found.shapes, dict(found.numbers)) != (theta.shapes, dict(theta.numbers)):
            raise MinisftError(f"{path}: its adapter_config.json is not that of the run")
        return found
    whole, config, _ = checkpoint.load(path, theta.flat.dtype)
    if config != run.config:
        raise MinisftError(f"{path}: its config.json is not that of the run")
    return whole


def load_state(run: Run, path: Path, step: int, theta: Params) -> State:
    """The state in a checkpoint. Raises MinisftError naming it if it is not whole, or not of this run.

    theta  where the run starts: the tensors that it moves
    """
    theta = theta_in(path, run, theta)
    counters = read_json(path / COUNTERS)
    moments = dict(huggingface.read_tensors(path / MOMENTS))
    state = start(theta, run.settings)

    def forms(vectors: dict[str, np.ndarray]) -> dict[str, tuple]:
        return {name: (vector.shape, vector.dtype) for name, vector in vectors.items()}

    if forms(moments) != forms(state.optimizer.moments):
        raise MinisftError(f"{path / MOMENTS}: is not what --optim {run.settings.optim} remembers of this model")
    if not all(np.isfinite(vector).all() for vector in moments.values()) or (moments.get("v", np.zeros(1)) < 0).any():
        raise MinisftError(f"{path / MOMENTS}: has numbers that no gradient leads to, such as NaN")
    numbers: list[Any] = [counters.get(name) for name in ("step", "num_tokens", "updates")]
    if not all(is_whole(number) and 0 <= number < 2**63 for number in numbers) or numbers[0] != step:
        raise MinisftError(f"{path / COUNTERS}: its counters are not those of step {step}")
    state.step, state.num_tokens, state.optimizer.updates = numbers
    state.optimizer.moments = moments
    if counters.get("sha256", fingerprints(state)) != fingerprints(state):  # a checkpoint of version 0.1.0 has none
        raise MinisftError(f"{path}: its numbers are not those that were saved")
    return state


def fits(state: State, rows: list[dict[str, Any]]) -> bool:
    """Whether the counters of a state are those that its rows add up to."""
    steps = [row for row in rows if "loss" in row]
    updates = sum(row.get("num_target_tokens") != 0 for row in steps)  # a step without a target moves nothing
    num_tokens = steps[-1].get("num_tokens") if steps else 0
    return (state.num_tokens, state.optimizer.updates) == (num_tokens, updates)


def set_aside(path: Path) -> Path:
    """Rename a checkpoint to checkpoint-N.unreadable, or checkpoint-N-2.unreadable if that is taken; its new path."""
    names = itertools.chain([path.name], (f"{path.name}-{number}" for number in itertools.count(2)))
    aside = next(new for name in names if not os.path.lexists(new := path.with_name(f"{name}.unreadable")))
    try:
        path.rename(aside)
    except OSError as error:
        raise MinisftError(f"{path}: is not whole and cannot be moved aside ({error.strerror}); move it") from error
    return aside
