"""The film: one file with everything in it, which nothing in the data can break."""

import json
import re

import pytest
from support.commandline import ROOT, conversation, minisft, read_rows, write_rows

from minisft.playground import film
from minisft.playground.film import STATIC

HOSTILE = "</script><script>alert(1)</script> <!-- ${x} {{STYLE}} \u2028 &amp; ' \" \\"


@pytest.fixture
def events(recorder):
    return film.record(recorder)


def content(page):
    [found] = re.findall(r'<script type="application/json" id="film">(.*?)</script>', page, re.DOTALL)
    return json.loads(found)


def test_it_has_the_tokens_of_every_step_and_the_last_answers(events):
    tokens = [event["t"] for event in events if event["event"] == "tokens"]
    assert tokens == list(range(8))
    assert [event["t"] for event in events if event["event"] == "answers"][-1] == 7
    assert [event["t"] for event in events if event["event"] == "slow"][-1] == 7


def test_its_metrics_are_those_of_sft(events, shared, tmp_path):
    line = ["sft", "--model", shared / "theta_hat", "--data", shared / "train.jsonl", "--output-dir", tmp_path / "run"]
    flags = ["--learning-rate", 1e-3, "--max-steps", 7, "--batch-size", 2, "--prompt-loss-weight", 0.5]
    assert minisft(*line, *flags, "--dtype", "float64") == 0
    rows = [event["metrics"] for event in events if event["event"] == "tokens" and event["t"]]
    for ours, theirs in zip(rows, read_rows(tmp_path / "run/metrics.jsonl"), strict=True):
        assert {k: v for k, v in ours.items() if k != "tokens_per_second"} == {
            k: v for k, v in theirs.items() if k != "tokens_per_second"
        }


def test_the_path_of_a_machine_does_not_travel_with_it(events, tmp_path):
    page = film.html([events]).decode()
    assert str(tmp_path.parent) not in page and "train.jsonl" not in page


def test_every_id_in_it_has_a_text(events):
    [run] = content(film.html([events]).decode())["runs"]
    told = next(event for event in run if event["event"] == "told")
    begin = next(event for event in run if event["event"] == "begin")
    ids = {i for pair in begin["pairs"] for i in pair["ids"]}
    for event in run:
        if event["event"] == "tokens":
            ids |= {i for pair in event["pairs"] for _, top in pair for i, _ in top}
        if event["event"] == "slow":
            ids |= {candidate[0] for candidate in event["row"]["candidates"]}
            for part in event["batch"]:
                ids |= set(told["examples"][str(part["example"])][0])
    assert {str(i) for i in ids} <= set(told["texts"])


def test_it_loads_nothing_and_runs_its_own_script_alone(events):
    page = film.html([events]).decode()
    assert "http://" not in page.replace("http://www.w3.org/", "") and "https://" not in page
    assert not re.search(r"<(link|img|iframe)|\bsrc=|@import|\bimport\b *[{(]", page)
    assert "default-src 'none'" in page and page.count("'sha256-") == 2


def test_text_in_the_data_stays_text(tmp_path, shared):
    rows = write_rows(
        tmp_path / "rows.jsonl", [conversation(HOSTILE[:60], HOSTILE[60:]), conversation("Hi", HOSTILE[:40])]
    )
    output = tmp_path / "film.html"
    line = ["film", "--model", shared / "theta_hat", "--data", rows, "--watch", rows, "--output", output]
    assert minisft(*line, "--max-steps", 2, "--batch-size", 1) == 0
    page = output.read_text(encoding="utf-8")
    assert page.count("<script") == 2 and page.count("</script>") == 2
    begin = next(event for event in content(page)["runs"][0] if event["event"] == "begin")
    assert begin["questions"][0] == [HOSTILE[:60], HOSTILE[60:]]


def test_several_runs_differ_in_what_their_names_say(tmp_path, shared, json_of):
    output = tmp_path / "film.html"
    pairs = shared / "train.jsonl"
    line = ["film", "--model", shared / "theta_hat", "--data", pairs, "--watch", pairs, "--output", output]
    result = json_of(*line, "--max-steps", 2, "--runs", "conditional", "joint", "random")
    assert result["bytes"] == output.stat().st_size <= 3_000_000
    begins = [run[1] for run in content(output.read_text(encoding="utf-8"))["runs"]]
    assert [begin["settings"]["prompt_loss_weight"] for begin in begins] == [0.0, 1.0, 0.0]
    assert [begin["start"] for begin in begins] == ["pre-trained", "pre-trained", "random"]


def test_an_output_that_would_replace_what_is_read_is_refused(shared):
    pairs = shared / "train.jsonl"
    before = pairs.read_bytes()
    line = ["film", "--model", shared / "theta_hat", "--data", pairs, "--watch", pairs, "--output", pairs]
    assert minisft(*line, "--max-steps", 1) == 2
    assert pairs.read_bytes() == before


@pytest.mark.parametrize("path", sorted(STATIC.iterdir()), ids=lambda path: path.name)
def test_a_file_of_the_page_is_short_and_makes_no_markup_of_text(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 300
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser"):
        assert way not in source
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", source)


def test_the_modules_of_the_film_are_each_there_once():
    script = film.bundle("film.js")
    names = re.findall(r"^const (\w+_module) = ", script, re.MULTILINE)
    assert len(names) == len(set(names)) >= 10 and names[-1] == "film_module"
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)


@pytest.mark.parametrize("name", ["three_states.html", "conditional_joint.html"])
def test_the_films_of_the_course_are_small_and_of_today(name):
    page = (ROOT / "notebooks/films" / name).read_bytes()
    assert len(page) <= 3_000_000 and page.startswith(b"<!doctype html>")
    parts = film.bundle("film.js"), (STATIC / "style.css").read_text(encoding="utf-8")
    assert all(part.encode() in page for part in parts)  # else `minisft film` has to write it again


def test_plain_text_asks_nothing_and_makes_a_film_all_the_same(tmp_path, shared):
    texts, output = shared / "texts.jsonl", tmp_path / "film.html"
    line = ["film", "--model", shared / "theta_hat", "--data", texts, "--watch", texts, "--output", output]
    assert minisft(*line, "--max-steps", 2, "--batch-size", 1) == 0
    kinds = {event["event"] for event in content(output.read_text(encoding="utf-8"))["runs"][0]}
    assert kinds == {"told", "begin", "tokens", "path", "slow"}


def test_of_a_long_run_no_more_steps_are_kept_than_fit(recorder, monkeypatch):
    monkeypatch.setattr(film, "MOST", 3)
    monkeypatch.setattr(film, "SLOW", 2)
    events = film.record(recorder)
    assert [event["t"] for event in events if event["event"] == "tokens"] == [0, 3, 6, 7]
    assert [event["t"] for event in events if event["event"] == "slow"] == [1, 5, 7]


def test_in_a_notebook_it_is_a_frame_whose_content_cannot_leave_it(events):
    frame = film.framed(film.html([events]))
    assert frame.count("<") == 2 and frame.count('"') == 8
