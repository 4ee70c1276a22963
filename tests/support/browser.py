"""A real browser: Debian's Chromium by Playwright."""

import os
import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if root else [])
        yield browser
        browser.close()


class Visitor:
    """A browser window: its page, what it wrote to the console, and every address that it asked for."""

    def __init__(self, browser, width=1280, height=720, **more):
        self.context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True, **more)
        self.page = self.context.new_page()
        self.said, self.asked = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def button(self, name):
        return self.page.get_by_role("button", name=name, exact=True)

    @property
    def status(self):
        return self.page.get_by_role("status").first

    def serious(self):
        """What axe-core finds that is serious or critical: (rule, where)."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [
            (one["id"], [node["target"] for node in one["nodes"]][:3])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]


@pytest.fixture
def visit(chromium):
    """Open an address in a window of its own: visit(address, width, height)."""
    opened = []

    def go(address, *size, **more):
        visitor = Visitor(chromium, *size, **more)
        opened.append(visitor)
        visitor.page.goto(address)
        return visitor

    yield go
    for visitor in opened:
        visitor.context.close()
