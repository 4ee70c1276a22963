"""A run stopped at t, saved, and resumed: the same bytes as without stopping, or what was forgotten."""

from copy import deepcopy
from dataclasses import replace
from itertools import product

import numpy as np

from minisft import model, optim, train
from minisft.config import TrainConfig
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict, run, same
from minisft.course.three_states.match_arrays import SMALL
from minisft.data import Sequence
from minisft.params import Params

LOST = {
    "moments": "the moments m and v of AdamW are not carried over: they start again at 0",
    "updates": "the count of updates is not carried over: the bias correction 1 − βᵗ starts again",
    "order": "the order of the data starts again: the first batches are met twice, the last ones never",
    "schedule": "the schedule of the learning rate starts again",
}


@exercise
def stop_and_go(save, go_on, seed=None) -> Verdict:
    """save(state) -> anything; go_on(anything, config, sequences, settings) -> the State at the end. Bytes decide."""
    rng = np.random.default_rng(seed)
    theta_hat, stop = Params.random(rng, model.shapes(SMALL)), int(rng.integers(2, 6))
    sequences = [Sequence(rng.integers(0, SMALL.vocab_size, 6), np.arange(6) >= 3, f"pair {i}") for i in range(10)]
    seed = int(rng.integers(1000))
    settings = TrainConfig(learning_rate=0.03, max_steps=8, batch_size=2, warmup_steps=3, seed=seed)
    *_, whole = train.finetune(theta_hat, SMALL, sequences, settings)
    for state in train.finetune(theta_hat, SMALL, sequences, settings):
        if state.step == stop:
            stopped, saved = deepcopy(state), run(lambda step: save(state), stop)  # noqa: B023
            before = deepcopy(list(arrays(saved)))
    if state.theta.flat.tobytes() != whole.theta.flat.tobytes():
        return Verdict(False, "`save` changes the run that it saves: it must only look, and copy")
    for (name, then), (_, now) in zip(before, arrays(saved)):
        if not same(then, now, 0):
            text = f"what is saved is not a copy: `{name}` has moved on with the run, to step {whole.step}"
            return Verdict(False, text)
    end = run(lambda step: go_on(saved, SMALL, sequences, settings), stop)
    if not isinstance(end, train.State):
        return Verdict(False, f"go_on gives {type(end).__name__}; the State at the end of the run is wanted")
    if end.theta.flat.tobytes() != whole.theta.flat.tobytes():
        return Verdict(False, forgotten(end, stopped, whole, sequences, settings))
    for name in ("step", "num_tokens"):
        if getattr(end, name) != getattr(whole, name):
            values = f"{getattr(end, name)} at the end, {getattr(whole, name)} without stopping"
            return Verdict(False, f"θ̃ is right, but `{name}` is {values}: a counter is not carried over")
    text = f"stopped after step {stop} of {whole.step}, saved, resumed: θ̃ has the bytes of the run that never stopped"
    return Verdict(True, text)


def arrays(thing, name="saved"):
    """(name, array) of every array in what was saved."""
    if isinstance(thing, np.ndarray):
        yield name, thing
    elif isinstance(thing, Params):
        yield name, thing.flat
    elif isinstance(thing, dict):
        for key, value in thing.items():
            yield from arrays(value, str(key))
    elif isinstance(thing, (list, tuple)):
        for value in thing:
            yield from arrays(value, name)
    elif hasattr(thing, "__dict__") and not callable(thing):
        yield from arrays(vars(thing), name)


def forgotten(end, stopped, whole, sequences, settings) -> str:
    """What of all that a run carries was lost: the smallest combination that leads to the same θ."""
    if same(end.theta.flat, stopped.theta.flat, 0):
        return f"the run does not go on: it ends with θ_{stopped.step}, where it was stopped"
    left = settings.max_steps - stopped.step
    for lost in sorted(product((False, True), repeat=len(LOST)), key=sum):
        names = [name for name, gone in zip(LOST, lost) if gone]
        sentences = [LOST[name] for name in names]
        for steps, total in ((left, settings.max_steps), (left, left), (settings.max_steps, settings.max_steps)):
            if same(resumed(stopped, names, sequences, settings, steps, total).flat, end.theta.flat, 1e-12):
                if steps > left:
                    sentences.insert(0, f"after {stopped.step} steps, {steps} more are made: the step is lost")
                return ("only θ is carried over: " if all(lost) else "") + "; ".join(sentences)
    off = np.abs(end.theta.flat - whole.theta.flat).max()
    return f"θ̃ is off by up to {off:.2g} from that of the run that never stopped; the step at the end is {end.step}"


def resumed(stopped, lost, sequences, settings, steps, total) -> Params:
    """θ after so many further steps of a run that has lost something; total: what the schedule takes for T."""
    theta, optimizer = stopped.theta.copy(), deepcopy(stopped.optimizer)
    if "moments" in lost:
        optimizer.moments = {name: np.zeros_like(vector) for name, vector in optimizer.moments.items()}
    if "updates" in lost:
        optimizer.updates = 0
    grad, first = theta.like(), {name: 0 if name in lost else stopped.step for name in ("order", "schedule")}
    as_long = replace(settings, max_steps=first["order"] + steps)
    for t, (_, batch) in enumerate(train.batches(sequences, as_long, first["order"], theta.flat.dtype)):
        rate = optim.learning_rate(settings, min(first["schedule"] + t, total), total)
        train.step(theta, grad, optimizer, batch, SMALL, settings, rate)
    return theta
