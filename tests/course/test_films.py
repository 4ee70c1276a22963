"""Films inside the notebooks: the run that the notebook shows, played in a frame; and the files that are shipped."""

import ast
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from minisft import checkpoint, data, train
from minisft.config import TrainConfig
from minisft.course import films
from minisft.course.conditional_versus_joint import experiment
from minisft.formats import resources

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


class Here:
    """A pool that is no pool: one after the other, in this process."""

    map = staticmethod(map)


@pytest.fixture(scope="module")
def short():
    """A run of four steps, as a Filming, and the losses that finetune reports."""
    theta_hat, config, tokenizer = checkpoint.load(resources.path("atlas"))
    pairs = data.read([resources.path("atlas_train.jsonl")])[:16]
    asked = data.read([resources.path("atlas_test.jsonl")])[:3]
    settings = TrainConfig(learning_rate=4e-4, max_steps=4, batch_size=4)
    sequences = [data.encode(pair, tokenizer) for pair in pairs]
    losses = [state.metrics["loss"] for state in train.finetune(theta_hat, config, sequences, settings)]
    return films.Filming(theta_hat, config, tokenizer, settings, pairs, asked, asked[:1]), losses


def test_a_filmed_run_is_the_run_itself_bit_for_bit(short):
    filming, losses = short
    joint = filming._replace(settings=replace(filming.settings, prompt_loss_weight=1.0))
    film = films.filmed(Here, [filming, joint])
    assert film.losses() == losses and film.losses(1) != losses
    assert repr(film).startswith("a film of 4 steps, 4 steps")


def test_what_a_notebook_keeps_of_a_film_is_small(short):
    film = films.filmed(Here, [short[0]])
    assert len(film._repr_html_()) < len(film.html()) / 2


def runs_of(name):
    """What each run of a shipped film says of itself."""
    page = (NOTEBOOKS / "films" / name).read_text(encoding="utf-8")
    [content] = re.findall(r'<script type="application/json" id="film">(.*?)</script>', page, re.DOTALL)
    return [next(event for event in run if event["event"] == "begin") for run in json.loads(content)["runs"]]


def settings_of_notebook_07():
    """The settings that its second code cell gives to TrainConfig."""
    notebook = json.loads((NOTEBOOKS / "07_three_states.ipynb").read_text(encoding="utf-8"))
    code = "".join(
        next("".join(c["source"]) for c in notebook["cells"] if "settings = TrainConfig(" in "".join(c["source"]))
    )
    [call] = [n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Call) and ast.unparse(n.func) == "TrainConfig"]
    return TrainConfig(**{word.arg: ast.literal_eval(word.value) for word in call.keywords})


@pytest.mark.parametrize(
    "name, settings",
    [
        ("three_states.html", [settings_of_notebook_07()]),
        (
            "conditional_joint.html",
            [replace(experiment.SETTINGS, max_steps=40, prompt_loss_weight=weight) for weight in (0.0, 1.0)],
        ),
    ],
)
def test_the_shipped_films_are_of_the_notebooks_runs(name, settings):
    begins = runs_of(name)
    assert len(begins) == len(settings)
    for begin, wanted in zip(begins, settings):
        assert begin["total"] == wanted.max_steps and begin["start"] == "pre-trained"
        assert all(value == getattr(wanted, setting) for setting, value in begin["settings"].items())
