"""A real browser: Debian's Chromium by Playwright. Skipped, with a clear line, where there is none."""

import os
import re
import shutil
import signal
import subprocess
from importlib.util import find_spec

import pytest
from support.commandline import command

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NEEDED = [name for name in ("playwright", "axe_playwright_python", "starlette", "uvicorn") if not find_spec(name)]
MISSING = [*NEEDED, *([] if CHROMIUM else ["chromium"])]
collect_ignore_glob = ["test_*.py"] if MISSING else []


def pytest_terminal_summary(terminalreporter):
    if MISSING:
        advice = "pip install '.[browser,playground]' and apt-get install chromium"
        terminalreporter.line(f"tests/browser: skipped, for want of {', '.join(MISSING)}: {advice}")


class Server:
    """`minisft playground` in a process of its own, and what it says."""

    def __init__(self, *flags):
        more = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True}
        self.process = subprocess.Popen(**command("playground", "--no-browser", *flags), **more)
        self.address = self.process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{20,}", self.address), self.process.stderr.read()
        self.port = int(re.search(r":(\d+)/", self.address)[1])
        self.token = self.address.partition("token=")[2]

    def workers(self):
        """The processes of its runs, by their number."""
        line = ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)]
        found = subprocess.run(line, capture_output=True, text=True).stdout.splitlines()
        return [int(line.split()[0]) for line in found if "playground.worker" in line]

    def close(self):
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(10)
        finally:
            self.process.kill()
            self.process.stdout.close()
            self.process.stderr.close()


@pytest.fixture(scope="module")
def server():
    one = Server("--model", "atlas")
    yield one
    one.close()


@pytest.fixture(scope="session")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
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
