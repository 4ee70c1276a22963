"""The site, built once. Skipped, with a clear line, where mkdocs is not installed."""

import functools
import http.server
import os
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.browser import CHROMIUM

ROOT = Path(__file__).resolve().parents[2]
MISSING = [name for name in ("mkdocs", "material", "latex2mathml") if not find_spec(name)]
NO_BROWSER = [name for name in ("playwright", "axe_playwright_python") if not find_spec(name)]
NO_BROWSER += [] if CHROMIUM else ["chromium"]
collect_ignore_glob = ["test_*.py"] if MISSING else ["test_in_a_browser.py"] if NO_BROWSER else []


def pytest_terminal_summary(terminalreporter):
    if MISSING or NO_BROWSER:
        what = "skipped" if MISSING else "in a browser: skipped"
        advice = 'pip install ".[docs,browser]" and apt-get install chromium'
        terminalreporter.line(f"tests/website: {what}, for want of {', '.join(MISSING + NO_BROWSER)}: {advice}")


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """(folder of the site, what mkdocs said)."""
    folder = tmp_path_factory.mktemp("site")
    line = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout + done.stderr


@pytest.fixture(scope="session")
def site(built):
    return built[0]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def address(site):
    """The site on this machine: http://127.0.0.1:…/"""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
