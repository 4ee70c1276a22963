"""The directory of a demonstration: only what demo wrote is replaced."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from support.commandline import assert_refused, contents, minisft

from cli import test_outputs
from minisft.cli.commands import demo
from minisft.formats import resources

# --- demo -------------------------------------------------------------------------------------------------------------

world = test_outputs.world


@pytest.fixture
def short_demo(monkeypatch):
    monkeypatch.setattr(demo, "SETTINGS", replace(demo.SETTINGS, max_steps=2, warmup_steps=0))
    monkeypatch.setattr(demo, "LOOKS", (0, 2))
    monkeypatch.setattr(demo.Story, "ask", lambda self, theta, examples: (0.5, 0.5))
    monkeypatch.setattr(demo, "draw", lambda path, *arguments: path.write_bytes(b"PNG"))


def test_a_directory_that_demo_wrote_is_replaced_by_the_next_demo(world, short_demo, json_of):
    assert minisft("demo", "--output-dir", "out") == 0
    assert set(os.listdir("out")) == {"theta_tilde", "metrics.jsonl", "demo.png", "demo.html", "demo.json"}
    table = json_of("demo", "--output-dir", "out", "--seed", "1")
    assert json.loads(Path("out/demo.json").read_text()) == table and table["seed"] == 1


def test_a_demo_that_was_killed_is_replaced_too(world, short_demo, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(demo, "draw", lambda *arguments: 1 / 0)
        assert minisft("demo", "--output-dir", "out") == 1
    assert minisft("demo", "--output-dir", "out") == 0


@pytest.mark.parametrize(
    "name",
    [
        "metrics.jsonl",
        "demo.png",
        "demo.json",
        "theta_tilde/config.json",
        "theta_tilde/notes.txt",
        "checkpoint-3/x",
        "config.json",
        "tokenizer.json",
        "train_config.json",
        "model.safetensors",
    ],
)
def test_what_demo_has_not_written_is_refused(world, short_demo, capsys, name):
    path = Path("out") / name
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    before = contents(world)
    assert_refused(capsys, "demo --output-dir out", "--output-dir: out holds what demo has not written")
    assert contents(world) == before


def test_a_run_in_the_directory_of_a_demo_is_no_demo(world, short_demo, capsys):
    line = "sft --model model --data d/data.jsonl --max-steps 1 --overwrite --output-dir"
    for place in ("one", "two/theta_tilde"):
        assert minisft("demo", "--output-dir", place.split("/")[0]) == 0
        assert minisft(*line.split(), place) == 0
        before = contents(world)
        assert_refused(capsys, f"demo --output-dir {place.split('/')[0]}", "holds what demo has not written")
        assert contents(world) == before


def test_demo_does_not_write_into_the_shipped_files(capsys):
    before = contents(resources.path())
    for place in (resources.path(), resources.path("atlas"), resources.path("atlas") / "new"):
        assert_refused(capsys, ["demo", "--output-dir", str(place)], "--output-dir", "read")
    assert contents(resources.path()) == before


def test_other_files_in_the_directory_of_a_demo_stay(world, short_demo):
    Path("out").mkdir()
    Path("out/notes.txt").write_text("mine")
    for _ in range(2):
        assert minisft("demo", "--output-dir", "out") == 0
    assert Path("out/notes.txt").read_text() == "mine"
