"""The page's switch for a mistake: all of its run is made with it, and none of the next one."""

import json

import numpy as np
import pytest

from minisft import data, train
from minisft.lab.mistakes import MISTAKES, by_name
from minisft.playground import choice, lines
from minisft.playground.worker import Worker

ROWS = [
    {"messages": [{"role": "user", "content": x}, {"role": "assistant", "content": y}]}
    for x, y in (("Capital of Peru?", "Lima."), ("Hi", "Hello."), ("Bye", "See you."))
]
SET = {"data": "pasted rows", "rows": "\n".join(map(json.dumps, ROWS)), "max_steps": 4, "batch_size": 2}


@pytest.fixture
def page(loaded):
    """A worker and the events it has sent; afterwards no mistake is on."""
    events = []
    work = Worker("tiny", *loaded, events.append)
    yield work, events
    work.world.close()


def obeyed(page, **message):
    page[0].obey(message)
    refused = [event for event in page[1] if event["event"] == "refused"]
    assert not refused, refused


def trained(page, **wanted):
    """θ̃ of a run through the page, as bytes."""
    obeyed(page, do="set", **SET | wanted)
    obeyed(page, do="train")
    while page[0].running:
        page[0].beat()
    return page[0].recorder.run.state.theta.flat.tobytes()


def scripted(loaded, mistake):
    """θ̃ of the same run by hand, as the script has it."""
    theta_hat, config, tokenizer = loaded
    chosen = choice.choose(SET)
    with mistake.on():
        examples = [data.example(row, f"row {i}") for i, row in enumerate(ROWS, 1)]
        sequences, _ = data.fit([data.encode(e, tokenizer) for e in examples], config.max_position_embeddings)
        *_, last = train.finetune(theta_hat, config, sequences, chosen.settings)
    return last.theta.flat.tobytes()


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_theta_tilde_is_that_of_the_script_and_everything_on_the_page_works(page, loaded, mistake):
    by_hand = scripted(loaded, mistake)  # before the page has it on
    with np.errstate(all="ignore"):
        assert trained(page, mistake=mistake.name) == by_hand
        obeyed(page, do="ask", question="Hi", expected="Hello.")
        obeyed(page, do="slow", t=2)
        obeyed(page, do="look", t=1)
        obeyed(page, do="take", what="film")
    begun = next(event for event in page[1] if event["event"] == "begin")
    assert begun["mistake"] == mistake.name
    lengths = {len(pair["ids"]) for pair in begun["pairs"]}
    for event in (event for event in page[1] if event["event"] == "tokens"):
        assert {len(tokens) for tokens in event["pairs"]} == lengths  # y is y, whatever the run takes for it


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_the_lines_shown_are_those_of_the_library_while_a_mistake_is_on(optimiser):
    right = lines.shown.__wrapped__(optimiser)
    for mistake in MISTAKES:
        with mistake.on():
            assert lines.shown.__wrapped__(optimiser) == right


def test_a_run_after_one_with_a_mistake_is_right(page):
    right = trained(page)
    assert trained(page, mistake="prompt-not-masked") != right
    assert trained(page) == right == trained(page, mistake="none")


def test_what_is_refused_leaves_the_run_and_its_mistake_as_they_are(page, loaded):
    wrong = scripted(loaded, by_name("gradient-not-zeroed"))
    page[0].obey({"do": "set", **SET, "mistake": "gradient-not-zeroed"})
    page[0].obey({"do": "step"})
    for wanted in ({"mistake": "nonsense"}, {"mistake": "sign", "rows": "{"}):
        page[0].obey({"do": "set", **SET, **wanted})
        assert page[1][-1]["event"] == "refused"
    page[0].obey({"do": "train"})
    while page[0].running:
        page[0].beat()
    assert page[0].recorder.run.state.theta.flat.tobytes() == wrong
