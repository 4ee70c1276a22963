"""The film, opened from the disk."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import expect

from minisft import checkpoint
from minisft.formats import resources
from minisft.playground import choice, film
from minisft.playground.record import Recorder


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A film of two short runs, on the disk."""
    model = checkpoint.load(resources.path("atlas"))
    wanted = {"max_steps": 6, "batch_size": 4}
    runs = [
        film.record(Recorder(*model, choice.choose(wanted | {"prompt_loss_weight": weight}), keep=False))
        for weight in (0.0, 1.0)
    ]
    path = tmp_path_factory.mktemp("film") / "film.html"
    path.write_bytes(film.html(runs))
    return path.as_uri()


def slider(visitor):
    return visitor.page.get_by_role("slider", name="step t")


def test_the_slider_goes_over_t_by_the_keyboard(visit, address):
    visitor = visit(address)
    expect(visitor.status).to_have_text("t = 0")
    slider(visitor).press("ArrowRight")
    expect(visitor.status).to_have_text("t = 1")
    slider(visitor).press("End")
    expect(visitor.status).to_have_text("t = 6")
    slider(visitor).press("Home")
    expect(visitor.status).to_have_text("t = 0")
    assert visitor.said == []


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_it_plays_to_its_end(visit, address, motion):
    visitor = visit(address, reduced_motion=motion)
    visitor.button("Play").click()
    expect(visitor.status).to_have_text("t = 6", timeout=10_000)
    expect(visitor.button("Play")).to_be_visible()


def test_it_opens_without_a_network_and_asks_for_nothing(visit, address):
    visitor = visit(address)
    visitor.context.set_offline(True)
    visitor.page.reload()
    slider(visitor).press("End")
    expect(visitor.page.get_by_role("table", name="held-out answers")).to_contain_text("capital")
    assert all(url.startswith("file://") for url in visitor.asked) and visitor.said == []


def test_its_runs_can_be_switched_and_laid_side_by_side(visit, address):
    visitor = visit(address)
    which = visitor.page.get_by_role("combobox", name="run")
    which.select_option("λ = 1")
    expect(visitor.page.locator(".run-name")).to_have_text("λ = 1")
    which.select_option("side by side")
    expect(visitor.page.locator(".column")).to_have_count(2)
    assert visitor.said == []


def test_the_slow_view_of_a_kept_step_adds_up(visit, address):
    visitor = visit(address)
    slider(visitor).press("End")
    slowly = visitor.page.get_by_role("region", name="One step, slowly")
    expect(slowly).to_contain_text("from θ_5 to θ_6")
    for sum_ in slowly.locator(".sum").all():
        ours, theirs = (float(text.replace("−", "-")) for text in sum_.locator("b").all_inner_texts())
        assert ours == pytest.approx(theirs, rel=2e-5)


def test_axe_finds_nothing_serious(visit, address):
    visitor = visit(address)
    slider(visitor).press("End")
    assert visitor.serious() == []
    visitor.page.get_by_role("combobox", name="run").select_option("side by side")
    assert visitor.serious() == []


@pytest.mark.parametrize("width", [1280, 640, 360])
def test_nothing_is_wider_than_the_window(visit, address, width):
    visitor = visit(address, width, 720)
    visitor.page.get_by_role("combobox", name="run").select_option("side by side")
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_click_on_the_strip_goes_to_that_t(visit, address):
    visitor = visit(address)
    visitor.page.locator(".strip .cells g").nth(3).locator("rect").first.click()
    expect(visitor.status).to_have_text(re.compile("^t = 3$"))


def test_in_a_notebook_it_plays_in_its_frame(visit, address, tmp_path):
    """A page with the frame in it, as a notebook shows it."""
    film_itself = Path(unquote(urlsplit(address).path)).read_bytes()
    page = tmp_path / "notebook.html"
    page.write_text(f"<!doctype html><title>a notebook</title>{film.framed(film_itself)}", encoding="utf-8")
    visitor = visit(page.as_uri())
    frame = visitor.page.frame_locator("iframe")
    frame.get_by_role("slider", name="step t").press("End")
    expect(frame.get_by_role("status").first).to_have_text("t = 6")
    assert all(url.startswith("file://") for url in visitor.asked) and visitor.said == []
