"""The process behind a page, told what a page says."""

import numpy as np
import pytest

from minisft import train
from minisft.playground import choice, worker
from minisft.playground.choice import sequences_of
from minisft.playground.worker import Worker

ROWS = '{"prompt": "The capital of Peru is", "completion": " Lima."}\n{"prompt": "Hi", "completion": " <script>"}'
SET = {"do": "set", "data": "pasted rows", "rows": ROWS, "max_steps": 6, "batch_size": 1}


@pytest.fixture
def page(loaded):
    """A worker, and the events it has sent."""
    events = []
    return Worker("tiny", *loaded, events.append), events


def follow(page):
    while page.running:
        page.beat()


def kinds(events):
    return [event["event"] for event in events]


def test_a_run_through_the_page_has_the_theta_of_finetune_watched_or_not(page, loaded):
    theta_hat, config, tokenizer = loaded
    chosen = choice.choose({name: value for name, value in SET.items() if name != "do"})
    sequences = sequences_of(chosen.examples, tokenizer, config)
    *_, last = train.finetune(theta_hat, config, sequences, chosen.settings)
    for watching in (True, False):
        page[0].obey(dict(SET))
        page[0].obey({"do": "watch", "on": watching})
        page[0].obey({"do": "ask", "question": "Hi", "expected": "Ho"})
        page[0].obey({"do": "train"})
        follow(page[0])
        assert page[0].recorder.run.state.theta.flat.tobytes() == last.theta.flat.tobytes()


def test_with_nothing_watched_only_metrics_are_sent(page, monkeypatch):
    work, events = page
    work.obey(dict(SET))
    work.obey({"do": "watch", "on": False})
    work.obey({"do": "train"})
    events.clear()
    while work.recorder.run.state.step < 5:
        work.beat()
    assert kinds(events) == ["passed"] * 5


def test_every_beat_is_measured_while_it_is_watched(page, monkeypatch):
    monkeypatch.setattr(worker, "REST", 0)
    work, events = page
    work.obey(dict(SET))
    work.obey({"do": "train"})
    follow(work)
    assert {event["t"] for event in events if event["event"] == "tokens"} == set(range(7))
    assert events[-1] == {"event": "paused", "t": 6}


def test_pause_one_step_and_train_again_go_on_where_the_run_stands(page):
    work, events = page
    work.obey(dict(SET))
    work.obey({"do": "train"})
    work.beat()
    work.obey({"do": "pause"})
    assert not work.running and events[-1] == {"event": "paused", "t": 1}
    work.obey({"do": "step"})
    assert work.recorder.run.state.step == 2
    work.obey({"do": "train"})
    follow(work)
    assert work.recorder.run.state.step == 6
    work.obey({"do": "step"})  # constant: it goes on
    assert work.recorder.run.state.step == 7


def test_going_back_measures_that_theta_again(page):
    work, events = page
    work.obey(dict(SET))
    work.obey({"do": "train"})
    follow(work)
    first = {e["t"]: e for e in events if e["event"] == "tokens"}
    events.clear()
    work.obey({"do": "look", "t": 0})
    again = next(event for event in events if event["event"] == "tokens")
    assert again["pairs"] == first[0]["pairs"] and again["away"][0] == 0
    assert events[-1] == {"event": "paused", "t": 6, "look": 0}


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"do": "rm"},
        {"do": None},
        {"do": "look"},
        {"do": "look", "t": 99},
        {"do": "look", "t": "1"},
        {"do": "slow", "t": 0},
        {"do": "slow", "t": 1},
        {"do": "ask", "question": 1},
        {"do": "ask", "question": "Hi", "path": "/etc"},
        {"do": "take", "what": "everything"},
        {"do": "set", "data": "/etc/passwd"},
        {"do": "set", "learning_rate": "fast"},
        {"do": "set", "data": "pasted rows", "rows": "{"},
    ],
)
def test_what_makes_no_sense_is_answered_and_changes_nothing(page, message):
    work, events = page
    work.obey(dict(SET))
    recorder = work.recorder
    events.clear()
    work.obey(dict(message))
    assert kinds(events) == ["refused"] and events[0]["why"]
    assert work.recorder is recorder
    work.obey({"do": "step"})
    assert recorder.run.state.step == 1


def test_a_loss_that_is_not_finite_stops_the_run_and_says_so(page):
    work, events = page
    work.obey(dict(SET))
    good = work.recorder.run.state.theta.flat.copy()
    work.recorder.run.state.theta.flat[:] = 1e200
    with np.errstate(all="ignore"):
        work.obey({"do": "train"})
        work.beat()
        assert not work.running and kinds(events)[-2:] == ["refused", "paused"]
        work.obey({"do": "step"})  # and is answered again
        assert kinds(events)[-1] == "refused"
    work.recorder.run.state.theta.flat[:] = good
    work.obey({"do": "step"})
    assert work.recorder.run.state.step == 1


def test_the_film_of_the_page_has_its_runs(page):
    work, events = page
    for _ in range(2):
        work.obey(dict(SET))
        work.obey({"do": "step"})
    work.obey({"do": "take", "what": "film"})
    assert events[-1]["what"] == "film" and events[-1]["text"].count('"event":"begin"') == 2
    assert "<script>" not in events[-1]["text"].split('id="film">')[1].split("</script>")[0]
