"""Stop, save, go on: what a resumed run has forgotten is told by its name."""

import copy

import numpy as np
import pytest

from minisft import train
from minisft.course.three_states import stop_and_go
from minisft.optim import make

from .conftest import each_seed, told


def save_all(state):
    return copy.deepcopy(state)


def finish(state, config, sequences, settings):
    for _ in train.train(state, config, sequences, settings):
        pass
    return state


def losing(*names):
    """go_on that has forgotten to carry some things over."""

    def go_on(saved, config, sequences, settings):
        fresh = make(saved.theta, settings)
        if "moments" in names:
            saved.optimizer.moments = fresh.moments
        if "updates" in names:
            saved.optimizer.updates = 0
        if "step" in names:
            saved.step = 0
        return finish(saved, config, sequences, settings)

    return go_on


def short_schedule(saved, config, sequences, settings):
    """As a new run of the steps that are left: schedule and order begin again, the optimiser goes on."""
    rest = train.replace(settings, max_steps=settings.max_steps - saved.step)
    saved.step = 0
    return finish(saved, config, sequences, rest)


def new_run(saved, config, sequences, settings):
    rest = train.replace(settings, max_steps=settings.max_steps - saved.step)
    *_, state = train.finetune(saved.theta, config, sequences, rest)
    return state


def turned_order(saved, config, sequences, settings):
    """Its own loop over the data, from the beginning."""
    state = saved
    rest = [sequences[i] for i in train.order(len(sequences), settings, 0)]
    per_step, done = settings.batch_size, saved.step
    moved = np.roll(
        np.arange(len(rest)).reshape(-1, per_step), done, axis=0
    ).ravel()  # step `done` meets the first batch
    ordered = [None] * len(rest)
    for place, i in enumerate(moved):
        ordered[place] = rest[i]
    return finish(state, config, ordered, train.replace(settings, shuffle=False))


WRONG_RESUMES = {
    "the moments m and v of AdamW are not carried over": (save_all, losing("moments")),
    "the count of updates is not carried over": (save_all, losing("updates")),
    "the step is lost": (save_all, losing("step")),
    "the schedule of the learning rate starts again": (save_all, short_schedule),
    "only θ is carried over": (save_all, new_run),
    "is not a copy: `flat`": (lambda state: {"flat": state.theta.flat, "rest": save_all(state)}, None),
    "is not a copy: `m`": (lambda state: train.State(state.step, state.theta.copy(), state.optimizer), None),
    "is not a copy: `theta`": (lambda state: state, None),
    "does not go on": (save_all, lambda saved, *_: saved),
    "the State at the end": (save_all, lambda saved, *rest: finish(saved, *rest).theta),
    "`num_tokens` is": (lambda state: train.replace(save_all(state), num_tokens=0), finish),
    "θ̃ is off by": (
        save_all,
        lambda saved, c, s, settings: finish(saved, c, s, train.replace(settings, learning_rate=0.02)),
    ),
    "it stops with TypeError": (save_all, lambda saved: saved),
    "`save` changes the run": (lambda state: state.theta.flat.__imul__(0.5).copy(), None),
}


@each_seed
@pytest.mark.parametrize("words", WRONG_RESUMES)
def test_what_a_resumed_run_has_forgotten_is_named(words, seed):
    told(stop_and_go(*WRONG_RESUMES[words], seed=seed), words)


@pytest.mark.parametrize("names", [("moments", "updates"), ("moments", "updates", "step")])
def test_several_things_forgotten_are_all_named(names):
    text = stop_and_go(save_all, losing(*names), seed=1).text
    assert (
        "the moments" in text and "the count of updates" in text and ("the step is lost" in text) == ("step" in names)
    )


def test_an_order_of_the_data_that_starts_again_is_named_alone():
    for seed in range(20):  # one whose stop lies in the first epoch, and whose rest fits into it
        verdict = stop_and_go(save_all, turned_order, seed=seed)
        if verdict.text.startswith("the order of the data starts again"):
            return
    raise AssertionError(verdict)


def test_saving_everything_is_right_however_it_is_done():
    assert stop_and_go(save_all, finish, seed=0).right is True
    kept = {}

    def save(state):
        kept["state"] = copy.deepcopy(state)
        return "kept"

    assert stop_and_go(save, lambda saved, *rest: finish(kept["state"], *rest), seed=0).right is True
