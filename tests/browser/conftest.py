"""The playground in a real browser. Skipped, with a clear line, where there is none."""

import re
import signal
import subprocess
from importlib.util import find_spec

import pytest
from support.browser import CHROMIUM
from support.commandline import command

NEEDED = [name for name in ("playwright", "axe_playwright_python", "starlette", "uvicorn") if not find_spec(name)]
MISSING = [*NEEDED, *([] if CHROMIUM else ["chromium"])]
collect_ignore_glob = ["test_*.py"] if MISSING else []


def pytest_terminal_summary(terminalreporter):
    if MISSING:
        advice = 'pip install ".[browser,playground]" and apt-get install chromium'
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
        line = ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(self.process.pid)]
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
