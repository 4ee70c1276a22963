"""The site as a visitor sees it, in a real browser."""

import pytest
from playwright.sync_api import expect

PAGES = [
    *("", "notebooks/", "notebooks/00_start_here/", "notebooks/05_attention_by_hand/", "docs/using/", "docs/commands/"),
    *("data/", "minisft/", "docs/reference/minisft.trajectory/", "minisft/objective.py/", "benchmarks/", "CHANGELOG/"),
]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page or "start")


@each_page
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit, address, page, scheme):
    visitor = visit(address + page, color_scheme=scheme, reduced_motion="reduce")
    assert visitor.serious() == []


@each_page
@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_is_wider_than_the_window(visit, address, page, width):
    visitor = visit(address + page, width, 720)
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width


@each_page
def test_it_asks_for_nothing_from_elsewhere_and_nothing_is_missing(visit, address, page):
    visitor = visit(address + page)
    visitor.page.wait_for_load_state("networkidle")
    assert visitor.said == []
    assert all(url.startswith((address, "blob:", "data:")) for url in visitor.asked)


def test_the_film_on_the_start_page_plays_by_itself(visit, address):
    visitor = visit(address)
    status = visitor.page.frame_locator("iframe.film").get_by_role("status").first
    expect(status).to_have_text("t = 40", timeout=20_000)
    assert visitor.said == []


def test_it_waits_for_a_reader_who_asked_for_less_motion(visit, address):
    visitor = visit(address, reduced_motion="reduce")
    visitor.page.wait_for_timeout(1500)
    expect(visitor.page.frame_locator("iframe.film").get_by_role("status").first).to_have_text("t = 0")


def test_a_search_finds_a_flag(visit, address):
    visitor = visit(address)
    visitor.page.get_by_role("textbox", name="Search").fill("early-stopping-patience")
    found = visitor.page.locator(".md-search-result__item", has_text="Settings worth knowing")
    expect(found.first).to_be_attached(timeout=20_000)
