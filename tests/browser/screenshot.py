"""The picture of the playground in notebooks/README.md, by a real browser.

python tests/browser/screenshot.py data/pictures/playground.png
"""

import os
import re
import shutil
import subprocess
import sys

from playwright.sync_api import expect, sync_playwright

LONG = 120_000


def main(path):
    line = [sys.executable, "-m", "minisft", "playground", "--no-browser"]
    server = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    try:
        address = server.stdout.readline().strip()
        with sync_playwright() as playwright:
            flags = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            page.goto(address)
            status = page.get_by_role("status").first
            expect(page.locator("#reply-now")).not_to_have_text("", timeout=LONG)
            for weight in ("1", "0"):
                page.get_by_role("slider", name="λ").fill(weight)
                page.get_by_role("button", name="Train", exact=True).click()
                expect(status).to_have_text(re.compile("^t = 120 · paused"), timeout=LONG)
            page.get_by_role("slider", name="back to t").fill("40")
            expect(status).to_have_text(re.compile("^t = 40 · paused"), timeout=LONG)
            page.wait_for_timeout(2000)  # θ_40 is computed again
            page.screenshot(path=path)
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main(sys.argv[1])
