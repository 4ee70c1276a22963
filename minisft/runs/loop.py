"""A run: begin or go on, follow it to its end, and save what there is if Ctrl-C or an accident ends it before.

Of several ranks only rank 0 reads and writes; the others are sent its state and then compute their part.
"""

import json
import platform
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np

from minisft import checkpoint
from minisft.accidents import NotFinite
from minisft.errors import MinisftError
from minisft.formats.files import delete, json_bytes, partial_name, read_json, write_atomically, write_json
from minisft.params import Params
from minisft.runs import model_card
from minisft.runs.checkpoints import newest, save_state, theta_in
from minisft.runs.directory import (
    METRICS,
    RECORD,
    REHEARSAL,
    WEIGHTS,
    checkpoints,
    clear_leftovers,
    holds_run,
    remove,
)
from minisft.runs.record import Measured, Run, fingerprint, read_metrics, require_same, rows_until, write_row
from minisft.train import State, start, steps_in, train

Say = Callable[[str], None]


# --- where it begins --------------------------------------------------------------------------------------------------


def begin(run: Run, theta: Params, resume: bool, say: Say) -> State:
    """The state a run starts from, the same in all ranks: that of rank 0, who prepares the directory.

    Raises MinisftError if this rank's data are not those of rank 0, as with an old copy on another machine.
    """
    state = start(theta, run.settings) if run.ranks.rank else prepare(run, theta, resume, say)
    ours = np.array(list(bytes.fromhex(run.record["sha256"]["data"])))
    theirs, counters = ours.copy(), np.array([state.step, state.num_tokens, state.optimizer.updates])
    theta_hat = [state.theta.frozen.flat] if state.theta.frozen else []
    for vector in (theirs, counters, *theta_hat, state.theta.flat, *state.optimizer.moments.values()):
        run.ranks.broadcast(vector)
    if (theirs != ours).any():
        raise MinisftError(
            f"--data: its content on {platform.node()} is not what rank 0 has read; copy the same files to all machines"
        )
    state.step, state.num_tokens, state.optimizer.updates = counters.tolist()
    return state


def prepare(run: Run, theta: Params, resume: bool, say: Say) -> State:
    """The state a run starts from, its directory prepared: θ itself, the newest whole checkpoint, or the end.

    Everything read must have been checked before, and the directory be `reserved`: without resume, an old run in it is
    removed here.
    """
    fresh = start(theta, run.settings)
    rehearse(run, theta)
    clear_leftovers(run.directory)
    if not (resume and holds_run(run.directory)):
        if holds_run(run.directory):
            remove(run.directory)
        write_json(run.directory / RECORD, run.record)
        write_atomically(run.directory / METRICS, b"")
        return fresh
    old = require_same(run)
    end = finished(run, old, theta)
    if end:
        why = (
            "it had all of its"
            if end.step == steps_in(run.sequences, run.settings)
            else "--early-stopping-patience ended it after"
        )
        say(f"the run in {run.directory} is finished: {why} {end.step} steps")
        return end
    state, rows = newest(run, theta, say) or (fresh, [])
    held = next((name for name in WEIGHTS if (run.directory / name).exists()), None)
    if not state.step and held:
        raise MinisftError(
            f"--resume: {run.directory} holds θ of a run that was stopped, but no checkpoint to go on from; give its "
            f"{held} another place and --overwrite, or another --output-dir"
        )
    say(f"going on after step {state.step}" if state.step else "nothing was saved yet: the run starts from its start")
    ranks = old.get("ranks", run.ranks.size)
    if state.step and ranks != run.ranks.size:
        say(f"ranks so far: {ranks}, from here on: {run.ranks.size}; θ̃ will be the same to rounding, not bit for bit")
    write_atomically(run.directory / METRICS, "".join(json.dumps(row) + "\n" for row in rows).encode())
    write_json(run.directory / RECORD, run.record)
    return state


def rehearse(run: Run, theta: Params) -> None:
    """Write all small files elsewhere: what cannot be written is found out before the first step."""
    beside = run.directory / partial_name(REHEARSAL)
    place = beside / (run.directory.resolve().name or "run")  # the model card has it as its title
    try:
        place.mkdir(parents=True)
        (place / RECORD).write_bytes(json_bytes(run.record))
        for name, content in checkpoint.small_files(theta, run.config, run.tokenizer, run.base_model).items():
            (place / name).write_bytes(content)
        model_card.write(place, run.record, [], theta.flat.size, run.licence)
    except OSError as error:
        raise MinisftError(
            f"{run.directory}: cannot be written ({error.strerror}); choose another directory or make room"
        ) from error
    finally:
        delete(beside)


def finished(run: Run, old: dict[str, Any], theta: Params) -> State | None:
    """The last state of a run whose θ̃ is there, as its record says; None if it did not come to its end."""
    saved = old.get("saved")
    if not isinstance(saved, dict) or (run.load_best and "best_step" not in saved):
        return None
    step, waited = int(saved.get("step") or 0), Measured(run.directory).waited
    if step != steps_in(run.sequences, run.settings) and not (run.patience and waited >= run.patience):
        return None
    try:
        last = theta_in(run.directory, run, theta)
        rows = rows_until(run.directory, step)  # on a full disk the last may be missing: a checkpoint leads to it
    except MinisftError:
        return None
    if fingerprint(last) != saved.get("sha256"):
        return None
    state = start(last, run.settings)
    state.step, state.num_tokens = step, [row for row in rows if "loss" in row][-1]["num_tokens"]
    write_atomically(run.directory / METRICS, "".join(json.dumps(row) + "\n" for row in rows).encode())
    return state


# --- the loop ---------------------------------------------------------------------------------------------------------


def follow(run: Run, state: State, report: Callable[[dict], None]) -> State:
    """Train from `state` to the end, writing as it goes; report is called with every row of metrics.jsonl.

    On Ctrl-C, or if the loss is not finite, the last good θ is saved in place of θ̃ before the exception goes on. After
    Ctrl-C there is also a checkpoint to go on from, unless a second one has cut a step in half.
    """
    total = steps_in(run.sequences, run.settings)
    steps = train(state, run.config, run.sequences, run.settings, run.ranks)
    if run.ranks.rank:
        take_part(run, steps)
        return state
    measured = Measured(run.directory)
    whole = False  # whether θ, the optimiser and metrics.jsonl are those of a step that was made here
    as_it_was = "saved" in read_json(run.directory / RECORD)  # a finished run
    try:
        while True:
            if state.step not in measured.losses and is_due(run, state.step, total):
                measured.losses[state.step] = evaluate(run, state, report)
                as_it_was = False
            is_best = run.load_best and measured.best == state.step
            if whole and (is_best or is_multiple(state.step, run.save_steps)):
                save_state(run, state)
            if is_over(run, state.step == total, measured.waited):
                rows_until(run.directory, state.step)  # or somebody has changed the file meanwhile
                break
            whole = False
            with ctrl_c_waits():  # so that θ, state.step and metrics.jsonl say the same
                next(steps)
                write_row(run, state.metrics, report)
                whole = True
        if not as_it_was:
            if run.load_best:
                go_back(run, state, measured.best)
            save_model(run, state, {"best_step": measured.best} if run.load_best else {})
    except KeyboardInterrupt:
        raise KeyboardInterrupt(interrupted(run, state, whole)) from None
    except MinisftError as error:
        save_model(run, state)
        raise MinisftError(f"{error}; the last good parameters are saved in {run.directory}") from error
    return state


def is_due(run: Run, step: int, total: int) -> bool:
    """Whether the run is to be evaluated after this step."""
    return run.evaluation is not None and (is_multiple(step, run.eval_steps) or step == total)


def is_multiple(step: int, steps: int) -> bool:
    return step > 0 and steps > 0 and step % steps == 0


def evaluate(run: Run, state: State, report: Callable[[dict], None]) -> float:
    """Write what is measured now, and return eval_loss."""
    assert run.evaluation
    measured = {f"eval_{name}": value for name, value in run.evaluation(state.theta).items()}
    write_row(run, {"step": state.step} | measured, report)
    return measured["eval_loss"]


def is_over(run: Run, all_steps_made: bool, waited: int) -> bool:
    """Whether there is no further step. What rank 0 has measured decides; the others are told."""
    over = np.array([all_steps_made or (run.patience > 0 and waited >= run.patience)], np.int8)
    if run.patience:
        run.ranks.broadcast(over)
    return bool(over[0])


def go_back(run: Run, state: State, step: int) -> None:
    """Put θ of an earlier step into a state, from its checkpoint."""
    if step != state.step:
        theta = theta_in(run.directory / f"checkpoint-{step}", run, state.theta)
        state.theta.flat[:] = theta.flat


def interrupted(run: Run, state: State, whole: bool) -> str:
    """Save what there is after Ctrl-C, and say what that is."""
    if not state.step:
        return "no step was made yet, so nothing is saved"
    with ctrl_c_waits():
        try:
            if whole:
                save_state(run, state)
        finally:
            save_model(run, state)
    saved = f"θ after step {state.step} is saved in {run.directory}"
    found = checkpoints(run.directory)
    return f"{saved}; --resume goes on from {found[0][1].name}" if found else f"{saved}, but nothing to --resume from"


def take_part(run: Run, steps: Iterator[State]) -> None:
    """Make the steps and write nothing. If the loss is not finite, it is so in all ranks: rank 0 saves θ, then ends."""
    try:
        while not is_over(run, False, 0) and next(steps, None):
            pass
    except NotFinite:
        run.ranks.wait()
        raise


@contextmanager
def ctrl_c_waits() -> Iterator[None]:
    """Ctrl-C waits for the end of the block; pressed twice, it does not."""
    before, pressed = signal.getsignal(signal.SIGINT), []
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield  # ignored, handled by the host, or in a thread that takes no signals
        return

    def remember(number: int, frame: FrameType | None) -> None:
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


def save_model(run: Run, state: State, more: dict[str, int] | None = None) -> None:
    """Write the model that is there now, its card, and into the record which θ it is, and more about it."""
    saved = {"step": state.step, "num_tokens": state.num_tokens, "sha256": fingerprint(state.theta)} | (more or {})
    write_json(run.directory / RECORD, run.record | {"saved": saved})  # first: true only of this θ, so it may be early
    checkpoint.save(run.directory, state.theta, run.config, run.tokenizer, run.base_model)
    model_card.write(run.directory, run.record, read_metrics(run.directory), state.theta.flat.size, run.licence)
