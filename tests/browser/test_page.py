"""The page, clicked as a person clicks it; its numbers are those of `minisft sft` with the same settings."""

import json
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.commandline import minisft, read_rows

from minisft import checkpoint, data, train
from minisft.config import TrainConfig
from minisft.formats import resources
from minisft.lab import mistakes

SCRIPT = "<script>document.title = 'caught'</script><img src=x onerror=\"document.title='caught'\">"
LONG = 60_000  # milliseconds: other programs may be busy


@pytest.fixture
def playground(visit, server):
    """The page with a short run on atlas, at t = 0."""
    visitor = visit(server.address)
    expect(visitor.status).to_have_text(re.compile("^t = 0 · paused"), timeout=LONG)
    expect(visitor.page.locator("#reply-now")).not_to_have_text("", timeout=LONG)
    visitor.page.get_by_role("spinbutton", name="steps").fill("6")
    visitor.page.get_by_role("spinbutton", name="batch size").fill("4")
    return visitor


def trained(visitor, steps=6):
    visitor.button("Train").click()
    expect(visitor.status).to_have_text(re.compile(rf"^t = {steps} · paused"), timeout=LONG)


def metric(visitor, name):
    return float(visitor.page.locator(f"#metric-{name}").get_attribute("data-value"))


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """metrics.jsonl of `minisft sft` with the settings of the page, for λ = 0 and λ = 1."""
    made = {}
    for weight in (0, 1):
        run = tmp_path_factory.mktemp("sft") / "run"
        line = ["sft", "--model", "atlas", "--data", resources.path("atlas_train.jsonl"), "--output-dir", run]
        flags = ["--learning-rate", 5e-4, "--max-steps", 6, "--batch-size", 4, "--lr-scheduler-type", "constant"]
        assert minisft(*line, *flags, "--prompt-loss-weight", weight) == 0
        made[weight] = read_rows(run / "metrics.jsonl")
    return made


def test_train_moves_theta_and_its_numbers_are_those_of_metrics_jsonl(playground, rows):
    trained(playground)
    for name in ("loss", "grad_norm", "num_target_tokens", "mean_token_accuracy"):
        assert metric(playground, name) == rows[0][5][name]
    assert playground.said == []


def test_going_back_to_t_shows_the_numbers_of_that_step(playground, rows):
    trained(playground)
    playground.page.get_by_role("slider", name="back to t").fill("2")
    expect(playground.status).to_have_text(re.compile("^t = 2 · paused"))
    assert metric(playground, "loss") == rows[0][1]["loss"]
    playground.page.locator("body").press("ArrowRight")
    expect(playground.status).to_have_text(re.compile("^t = 3 · paused"))


def test_another_lambda_is_another_run_beside_the_first_on_one_picture(playground, rows):
    trained(playground)
    slider = playground.page.get_by_role("slider", name="λ")
    slider.focus()
    slider.press("End")
    expect(slider).to_have_value("1")
    expect(playground.page.locator("#changed")).to_contain_text("1 changed")
    trained(playground)
    assert metric(playground, "loss") == rows[1][5]["loss"]
    expect(playground.page.locator("#curves polyline.earlier").first).to_be_attached()
    expect(playground.page.locator("#curves")).to_contain_text("λ = 0")


def test_pause_stops_between_two_steps_and_train_goes_on(playground):
    playground.page.get_by_role("spinbutton", name="steps").fill("400")
    playground.button("Train").click()
    expect(playground.status).to_have_text(re.compile(r"^t = [1-9]\d* · running"), timeout=LONG)
    playground.button("Pause").click()
    expect(playground.status).to_have_text(re.compile(r"^t = \d+ · paused"), timeout=LONG)
    stopped = playground.status.inner_text()
    time.sleep(0.5)
    assert playground.status.inner_text() == stopped
    playground.page.locator("body").press(" ")
    expect(playground.status).to_have_text(re.compile("running"), timeout=LONG)
    playground.page.locator("body").press(" ")
    expect(playground.status).to_have_text(re.compile("paused"), timeout=LONG)


def test_one_step_is_taken_apart_and_adds_up(playground, rows):
    playground.button("One step").click()
    expect(playground.status).to_have_text(re.compile("^t = 1 · paused"), timeout=LONG)
    slowly = playground.page.get_by_role("region", name="One step, slowly")
    expect(slowly).to_contain_text("from θ_0 to θ_1", timeout=LONG)
    assert slowly.locator(".sum").count() == 3
    for sum_ in slowly.locator(".sum").all():
        ours, theirs = sum_.locator("b").all_inner_texts()
        assert float(ours.replace("−", "-")) == pytest.approx(float(theirs.replace("−", "-")), rel=2e-5)
    assert slowly.locator(".sum b").nth(3).inner_text()[:6] == f"{rows[0][0]['loss']:.4f}"


def test_a_step_after_the_last_goes_on_if_the_rate_is_constant_and_says_why_not_otherwise(playground):
    trained(playground)
    playground.button("One step").click()
    expect(playground.status).to_have_text(re.compile("^t = 7 · paused"), timeout=LONG)
    playground.page.get_by_role("combobox", name="schedule").select_option("linear")
    playground.button("Start again").click()
    expect(playground.status).to_have_text(re.compile("^t = 0"), timeout=LONG)
    trained(playground)
    playground.button("One step").click()
    expect(playground.page.get_by_role("alert")).to_contain_text("linear schedule", timeout=LONG)
    expect(playground.status).to_have_text(re.compile("^t = 6 · paused"))


def test_enter_asks_and_markup_stays_text(playground):
    question = playground.page.get_by_role("textbox", name="question")
    question.fill(SCRIPT)
    playground.page.get_by_role("textbox", name="expected answer").fill(SCRIPT)
    question.press("Enter")
    tokens = playground.page.locator("#asked-tokens .token")
    expect(tokens.first).to_have_text("<", timeout=LONG)
    assert "script" in "".join(tokens.all_inner_texts())
    assert "caught" not in playground.page.title() and playground.page.locator("main img, main script").count() == 0


def test_another_question_does_not_keep_the_answer_to_the_first(playground):
    expected = playground.page.get_by_role("textbox", name="expected answer")
    expect(expected).to_have_value(re.compile("Afghanistan"))
    playground.page.get_by_role("textbox", name="question").fill("What is the capital of France?")
    expect(expected).to_have_value("")
    expected.fill("Paris")
    playground.page.get_by_role("textbox", name="question").fill("Which city is the capital of France?")
    expect(expected).to_have_value("Paris")


def test_markup_in_pasted_rows_and_answers_stays_text(playground):
    playground.page.get_by_role("combobox", name="data").select_option("pasted rows")
    rows = json.dumps({"prompt": SCRIPT[:50], "completion": SCRIPT})
    playground.page.get_by_role("textbox", name="rows").fill(rows)
    playground.button("Start again").click()
    table = playground.page.get_by_role("table", name="held-out answers")
    expect(table).to_contain_text("<script>", timeout=LONG)
    assert "caught" not in playground.page.title() and table.locator("img, script").count() == 0


def test_rows_that_are_wrong_are_refused_with_their_line(playground):
    playground.page.get_by_role("combobox", name="data").select_option("pasted rows")
    playground.page.get_by_role("textbox", name="rows").fill('{"prompt": "Hi", "completion": "Ho"}\n{"prompt": 1}')
    playground.button("Start again").click()
    expect(playground.page.get_by_role("alert")).to_contain_text("pasted rows:2")


def test_the_likeliest_tokens_are_there_for_the_keyboard(playground):
    playground.page.locator("#asked-tokens .token").nth(2).focus()
    expect(playground.page.locator(".likeliest li")).to_have_count(5)


def test_axe_finds_nothing_serious_in_any_state(playground):
    assert playground.serious() == []
    playground.button("One step").click()
    expect(playground.page.get_by_role("region", name="One step, slowly")).to_contain_text("θ_1", timeout=LONG)
    playground.page.locator("#asked-tokens .token").first.focus()
    assert playground.serious() == []


@pytest.mark.parametrize("width", [1280, 640, 360])  # 640: a projector at 200 %
def test_nothing_is_wider_than_the_window(visit, server, width):
    visitor = visit(server.address, width, 720)
    expect(visitor.page.locator("#reply-now")).not_to_have_text("", timeout=LONG)
    visitor.button("One step").click()
    expect(visitor.page.locator(".slow")).to_contain_text("The batch", timeout=LONG)
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_asks_no_other_host_and_writes_nothing_to_the_console(playground, server):
    trained(playground)
    playground.button("film").click()
    expect(playground.page.locator("#taken-says")).to_have_text("Saved as film.html.", timeout=LONG)
    assert all(url.startswith((f"http://127.0.0.1:{server.port}/", "blob:", "data:")) for url in playground.asked)
    assert playground.said == []


def test_the_film_and_the_scripts_are_saved(playground):
    trained(playground)
    for name, begins in (("film", "<!doctype html>"), ("Python", '"""The run'), ("TRL", '"""The run')):
        with playground.page.expect_download(timeout=LONG) as download:
            playground.button(name).click()
        assert Path(download.value.path()).read_text(encoding="utf-8").startswith(begins)


def test_a_mistake_is_switched_on_with_its_two_lines_and_the_run_is_that_of_the_lab(playground, rows):
    playground.page.get_by_role("combobox", name="mistake").select_option("mask-not-shifted")
    expect(playground.page.locator("#mistake-says")).to_have_text("✗ weights = is_y[:-1]\n✓ weights = is_y[1:]")
    trained(playground)
    theta_hat, config, tokenizer = checkpoint.load(resources.path("atlas"))
    settings = TrainConfig(learning_rate=5e-4, max_steps=6, batch_size=4, lr_scheduler_type="constant")
    with mistakes.by_name("mask-not-shifted").on():
        sequences = [data.encode(e, tokenizer) for e in data.read([resources.path("atlas_train.jsonl")])]
        *_, last = train.finetune(theta_hat, config, sequences, settings)
    assert metric(playground, "loss") == last.metrics["loss"] != rows[0][5]["loss"]
    playground.button("TRL").click()
    expect(playground.page.get_by_role("alert")).to_contain_text("mistake", timeout=LONG)
    with playground.page.expect_download(timeout=LONG) as download:
        playground.button("Python").click()
    assert 'by_name("mask-not-shifted").on():' in Path(download.value.path()).read_text().replace("'", '"')
    assert playground.serious() == [] and playground.said == []


@pytest.mark.parametrize("name", ["padding-trained", "packing-leak", "end-token-cut-off"])
def test_a_step_made_with_a_mistake_can_be_taken_apart(playground, name):
    playground.page.get_by_role("combobox", name="mistake").select_option(name)
    playground.button("One step").click()
    slowly = playground.page.get_by_role("region", name="One step, slowly")
    expect(slowly).to_contain_text("from θ_0 to θ_1", timeout=LONG)
    with playground.page.expect_download(timeout=LONG) as download:
        playground.button("film").click()
    assert f'"mistake":"{name}"' in Path(download.value.path()).read_text(encoding="utf-8")
    assert playground.said == []


def test_the_first_paint_takes_less_than_a_second(playground):
    paints = playground.page.evaluate("performance.getEntriesByType('paint').map((p) => p.startTime)")
    assert paints and max(paints) < 1000
