"""The shipped model and the demonstration: what README says of them holds."""

import io
import json
from dataclasses import replace

import pytest

from minisft import checkpoint, data, evaluate, train
from minisft.cli.commands import demo
from minisft.cli.console import Page
from minisft.formats import resources


@pytest.fixture(scope="module")
def story():
    return demo.Story(seed=0, console=Page(file=io.StringIO()))


def encoded(story, pairs):
    return [data.encode(pair, story.tokenizer) for pair in pairs]


@pytest.fixture(scope="module")
def exact(story):
    """{name: exact match on the 600 held-out questions} after the demonstration's own steps from θ̂."""
    result = {"theta_hat": story.ask(story.theta_hat, story.held_out)[0]}
    sequences = encoded(story, story.pairs)
    for name, prompt_loss_weight in (("conditional", 0.0), ("joint", 1.0)):
        settings = replace(demo.SETTINGS, prompt_loss_weight=prompt_loss_weight)
        *_, last = train.finetune(story.theta_hat, story.config, sequences, settings)
        result[name] = story.ask(last.theta, story.held_out)[0]
    return result


def test_the_shipped_model_is_at_most_4_megabytes():
    assert sum(path.stat().st_size for path in resources.path("atlas").iterdir()) <= 4_000_000


def test_the_shipped_model_continues_and_does_not_answer(exact):
    assert exact["theta_hat"] <= 0.02


def test_fine_tuned_on_50_countries_it_answers_nine_of_ten_questions_about_150_others(exact):
    assert exact["conditional"] >= 0.9


def test_the_joint_objective_is_at_least_15_points_lower_after_the_same_steps(exact):
    assert exact["joint"] <= exact["conditional"] - 0.15


def test_no_country_of_the_held_out_questions_is_in_fine_tuning(story):
    asked = {sequence.ids.tobytes() for sequence in encoded(story, story.pairs)}
    held_out = {sequence.ids.tobytes() for sequence in encoded(story, story.held_out)}
    assert len(story.pairs) == 200 and len(story.held_out) == 600
    assert not asked & held_out


def test_the_demonstration_writes_theta_tilde_metrics_and_a_picture_and_returns_four_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "SETTINGS", replace(demo.SETTINGS, max_steps=3, warmup_steps=0))
    monkeypatch.setattr(demo, "LOOKS", (0, 2, 3))
    monkeypatch.setattr(demo, "MAX_NEW_TOKENS", 4)
    monkeypatch.setattr(demo.Story, "ask", lambda self, theta, examples: asked(self, theta, examples[:6]))
    screen = io.StringIO()
    result = demo.demonstrate(tmp_path / "out", 1, Page(file=screen, width=100))
    assert [row["run"] for row in result["rows"]] == ["theta_hat", "conditional", "joint", "random"]
    rows = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert [(row["run"], row["step"]) for row in rows] == [
        (run, step) for run in ("conditional", "joint", "random") for step in (1, 2, 3)
    ]
    assert (tmp_path / "out" / "demo.png").read_bytes().startswith(b"\x89PNG")
    film = (tmp_path / "out" / "demo.html").read_text(encoding="utf-8")
    assert film.startswith("<!doctype html>") and film.count('"event":"begin"') == 3
    theta_tilde, config, _ = checkpoint.load(tmp_path / "out" / "theta_tilde")
    theta_hat, shipped_config, _ = checkpoint.load(resources.path("atlas"))
    assert config == shipped_config and (theta_tilde.flat != theta_hat.flat).any()
    assert "held out of fine-tuning" in screen.getvalue()


def asked(story, theta, examples):
    replies = evaluate.answers(theta, story.config, story.tokenizer, examples, 4)
    return sum(reply["exact"] for reply in replies) / len(replies), 0.0
