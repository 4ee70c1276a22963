"""A training run in a directory: what is written when, and how an interrupted run goes on bit for bit.

    train_config.json   every setting of the run: written first
    metrics.jsonl       one row a step, appended as the run goes
    checkpoint-N/       θ_N and what the optimiser remembers: all that `resume` needs
    config.json, model.safetensors, …   θ̃: written last, with a README.md about it

A checkpoint is written beside its place and renamed, so a killed run leaves only whole ones. The order of the examples
depends on seed and step alone, so θ, the optimiser's memory and two counters are the whole state of a run.

Of several ranks only rank 0 reads and writes here; the others are sent its state and then compute their share.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import signal
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file

from minisft import __version__, checkpoint
from minisft.accidents import NotFinite
from minisft.config import ModelConfig, TrainConfig, flag
from minisft.errors import MinisftError, quoted
from minisft.formats import huggingface
from minisft.formats.files import read_json, write_atomically, write_json
from minisft.parallel import ALONE, Ranks
from minisft.params import Params
from minisft.runs import model_card
from minisft.tokenizer import Tokenizer
from minisft.train import State, start, steps_in, train

RECORD, METRICS = "train_config.json", "metrics.jsonl"
MODEL_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "model.safetensors",
)
CHECKPOINT = re.compile(r"checkpoint-(\d+)")
MAY_CHANGE = ("save_steps", "eval_steps", "eval_data", "logging_steps", "versions")
BY_CONTENT = ("model", "data", "tokenizer", "examples")  # compared by their fingerprints, not by their names


@dataclass(frozen=True)
class Run:
    """Everything about a run but θ.

    settings    with the learning rate resolved, not 0
    record      the content of train_config.json: see `describe`
    evaluation  θ -> the numbers of `minisft evaluate`; None: the run is not evaluated
    eval_steps  evaluate after every so many steps, and at the end (0: at the end only)
    save_steps  write checkpoint-N after every so many steps (0: never)
    licence     of the model that the run starts from, for README.md
    """

    directory: Path
    config: ModelConfig
    tokenizer: Tokenizer
    sequences: list
    settings: TrainConfig
    record: dict
    save_steps: int = 0
    eval_steps: int = 0
    evaluation: Callable[[Params], dict] | None = None
    licence: str = "not stated"
    ranks: Ranks = ALONE


def require_free(directory: Path, sources: list[Path], resume: bool, overwrite: bool):
    """Refuse a directory that must not be written to: a file, a run without leave, or where one of the sources is.

    sources  directories or files of models that the run reads, which are never modified
    """
    if directory.exists() and not directory.is_dir():
        raise MinisftError(f"--output-dir: {directory} is a file; give a directory")
    here = directory.resolve()
    for source in sources:
        files = source.iterdir() if source.is_dir() else [source]
        places = {source.resolve(), *(file.resolve().parent for file in files)}
        if any(here == place or (here == place.parent and CHECKPOINT.fullmatch(place.name)) for place in places):
            raise MinisftError(f"--output-dir: {directory} holds the model that is read, {source}; give another one")
    if not (resume or overwrite) and holds_run(directory):
        raise MinisftError(
            f"--output-dir: {directory} already holds a run or a model; give another one, or --resume or --overwrite"
        )


def holds_run(directory: Path) -> bool:
    return bool(checkpoints(directory)) or any(
        (directory / name).exists() for name in (RECORD, METRICS, "config.json", "model.safetensors")
    )


def describe(settings: dict, theta: Params, sequences: list, examples: dict) -> dict:
    """The content of train_config.json: settings, versions, counts of examples, fingerprints of θ_0 and the data."""
    data = hashlib.sha256()
    for sequence in sequences:
        data.update(np.int64(len(sequence.ids)).tobytes() + sequence.ids.tobytes() + sequence.is_y.tobytes())
    return settings | {
        "examples": examples,
        "sha256": {"model": hashlib.sha256(theta.flat).hexdigest(), "data": data.hexdigest()},
        "versions": {"minisft": __version__, "numpy": np.__version__, "python": platform.python_version()},
    }


def begin(run: Run, theta: Params, resume: bool, say: Callable) -> State:
    """The state a run starts from, the same in all ranks: that of rank 0, who prepares the directory.

    Raises MinisftError if this rank's data are not those of rank 0, as with an old copy on another machine.
    """
    state = start(theta, run.settings) if run.ranks.rank else prepare(run, theta, resume, say)
    ours = np.array(list(bytes.fromhex(run.record["sha256"]["data"])))
    theirs, counters = ours.copy(), np.array([state.step, state.num_tokens, state.optimizer.updates])
    for vector in (theirs, counters, state.theta.flat, *state.optimizer.moments.values()):
        run.ranks.broadcast(vector)
    if (theirs != ours).any():
        raise MinisftError(
            f"--data: its content on {platform.node()} is not what rank 0 has read; copy the same files to all machines"
        )
    state.step, state.num_tokens, state.optimizer.updates = counters.tolist()
    return state


def prepare(run: Run, theta: Params, resume: bool, say: Callable) -> State:
    """The state a run starts from, its directory prepared: θ itself, or the newest whole checkpoint.

    Everything read must have been checked before: without resume, an old run in the directory is removed here.
    """
    fresh = start(theta, run.settings)
    if not (resume and holds_run(run.directory)):
        if holds_run(run.directory):
            remove(run.directory)
        write_json(run.directory / RECORD, run.record)
        return fresh
    require_same(run)
    state = newest(run, theta.flat.dtype, say) or fresh
    rows = [row for row in read_metrics(run.directory) if row["step"] <= state.step]
    say(f"going on after step {state.step}")
    for path in [path for step, path in checkpoints(run.directory) if step > state.step] + unfinished(run.directory):
        shutil.rmtree(path, ignore_errors=True)
    write_atomically(run.directory / METRICS, "".join(json.dumps(row) + "\n" for row in rows).encode())
    write_json(run.directory / RECORD, run.record)
    return state


def require_same(run: Run):
    """Raises MinisftError naming the flag if the run that is to go on was made with another value."""
    path = run.directory / RECORD
    if not path.exists():
        raise MinisftError(f"--resume: {path} is missing, so there is no run to go on; start one with --overwrite")
    old, advice = read_json(path), f"in the run of {path}; give its settings to --resume, or --overwrite it"
    for name, value in json.loads(json.dumps(run.record)).items():
        spelled = {"command": "--output-dir: the command", "shuffle": "--no-shuffle"}.get(name, flag(name))
        if name == "sha256":
            for source, content in value.items():
                if not isinstance(old.get(name), dict) or content != old[name].get(source):
                    raise MinisftError(f"--{source}: its content was another {advice}")
        elif name not in MAY_CHANGE + BY_CONTENT and value != old.get(name):
            raise MinisftError(f"{spelled} is {quoted(value)}, but was {quoted(old.get(name))} {advice}")


def remove(directory: Path):
    """Delete the files of an old run, and nothing else."""
    try:
        for path in [path for _, path in checkpoints(directory)] + unfinished(directory):
            shutil.rmtree(path)
        for name in (METRICS, *MODEL_FILES, *([model_card.CARD] if model_card.is_ours(directory) else []), RECORD):
            (directory / name).unlink(missing_ok=True)
    except OSError as error:
        raise MinisftError(f"{directory}: cannot be cleared ({error}); give another --output-dir") from error


# --- the loop ---------------------------------------------------------------------------------------------------------


def follow(run: Run, state: State, report: Callable[[dict], None]) -> State:
    """Train from `state` to the end, writing as it goes; report is called with every row of metrics.jsonl.

    On Ctrl-C, or if the loss is not finite, the last good θ is saved in place of θ̃ before the exception goes on.
    """
    total = steps_in(run.sequences, run.settings)
    steps = train(state, run.config, run.sequences, run.settings, run.ranks)
    if run.ranks.rank:
        take_part(steps, run.ranks)
        return state
    try:
        while state.step < total:
            with ctrl_c_waits():  # so that θ, state.step and metrics.jsonl say the same
                next(steps)
                write_row(run, state, state.metrics, report)
            if run.evaluation and (state.step == total or (run.eval_steps and state.step % run.eval_steps == 0)):
                worth = {f"eval_{name}": value for name, value in run.evaluation(state.theta).items()}
                write_row(run, state, {"step": state.step} | worth, report)
            if run.save_steps and state.step % run.save_steps == 0:
                save_state(run, state)
        save_model(run, state)
    except KeyboardInterrupt:
        save_model(run, state)
        raise KeyboardInterrupt(f"θ after step {state.step} is saved in {run.directory}") from None
    except MinisftError as error:
        save_model(run, state)
        raise MinisftError(f"{error}; the last good parameters are saved in {run.directory}") from error
    return state


def take_part(steps, ranks):
    """Make the steps and write nothing. If the loss is not finite, it is so in all ranks: rank 0 saves θ, then ends."""
    try:
        for _ in steps:
            pass
    except NotFinite:
        ranks.wait()
        raise


@contextmanager
def ctrl_c_waits():
    """Ctrl-C waits for the end of the block; pressed twice, it does not."""
    before, pressed = signal.getsignal(signal.SIGINT), []
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield  # ignored, handled by the host, or in a thread that takes no signals
        return

    def remember(number, frame):
        pressed.append(number)
        if len(pressed) > 1:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def save_model(run, state):
    checkpoint.save(run.directory, state.theta, run.config, run.tokenizer)
    model_card.write(run.directory, run.record, read_metrics(run.directory), state.theta.flat.size, run.licence)


def write_row(run, state, row, report):
    path = run.directory / METRICS
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row, allow_nan=False) + "\n")
    except OSError as error:
        raise MinisftError(f"{path}: cannot be written ({error.strerror}); make room, then --resume") from error
    report(row)


def read_metrics(directory: Path) -> list[dict]:
    """The rows of metrics.jsonl, without a last one that a killed run left half-written."""
    path = directory / METRICS
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    try:
        rows = [json.loads(line) for line in lines]
        if not all(isinstance(row, dict) and isinstance(row.get("step"), int) for row in rows):
            raise ValueError("a row has no step")
    except ValueError as error:
        raise MinisftError(f"{path}: not the metrics of a run ({error}); start again with --overwrite") from error
    return rows


# --- checkpoints ------------------------------------------------------------------------------------------------------


def checkpoints(directory: Path) -> list[tuple[int, Path]]:
    """(N, path) of every checkpoint-N, the newest first."""
    found = [(CHECKPOINT.fullmatch(path.name), path) for path in directory.glob("checkpoint-*") if path.is_dir()]
    return sorted(((int(name[1]), path) for name, path in found if name), reverse=True)


def unfinished(directory: Path) -> list[Path]:
    """What a run that was killed while it wrote a checkpoint has left."""
    return [path for path in directory.glob("checkpoint-*.partial") if path.is_dir()]


def save_state(run: Run, state: State):
    """Write checkpoint-N: whole, or not at all."""
    path = run.directory / f"checkpoint-{state.step}"
    beside = path.with_name(path.name + ".partial")
    try:
        shutil.rmtree(beside, ignore_errors=True)  # of a run that was killed here
        checkpoint.save(beside, state.theta, run.config, run.tokenizer)
        save_file(state.optimizer.moments, beside / "optimizer.safetensors")
        counters = {"step": state.step, "num_tokens": state.num_tokens, "updates": state.optimizer.updates}
        write_json(beside / "trainer_state.json", counters)
        os.rename(beside, path)
    except (OSError, SafetensorError) as error:
        raise MinisftError(f"{path}: cannot be written ({error}); make room, then --resume") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def newest(run: Run, dtype, say: Callable) -> State | None:
    """The state of the newest checkpoint that is whole; those that are not are named and passed over."""
    for step, path in checkpoints(run.directory):
        try:
            return load_state(run, path, step, dtype)
        except MinisftError as error:
            say(f"{path.name} is not whole and is passed over: {error}")
    return None


def load_state(run: Run, path: Path, step: int, dtype) -> State:
    theta, config, _ = checkpoint.load(path, dtype)
    counters = read_json(path / "trainer_state.json")
    moments = dict(huggingface.read_tensors(path / "optimizer.safetensors"))
    state = start(theta, run.settings)

    def forms(vectors):
        return {name: (vector.shape, vector.dtype) for name, vector in vectors.items()}

    numbers = [counters.get(name) for name in ("step", "num_tokens", "updates")]
    fitting = config == run.config and forms(moments) == forms(state.optimizer.moments) and numbers[0] == step
    if not fitting or not all(isinstance(number, int) for number in numbers):
        raise MinisftError(f"{path}: its files do not belong together")
    state.step, state.num_tokens, state.optimizer.updates = numbers
    state.optimizer.moments = moments
    return state
