"""The film: recorded events of one or more runs, and the page's own JavaScript to play them, as one HTML file.

The modules are laid end to end, each after those it imports: one script, which a browser runs from the disk. The file
says by its policy that it loads nothing, from anywhere.
"""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from minisft.playground.record import Recorder
from minisft.train import State

STATIC = Path(__file__).with_name("static")
IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?:function|class|const) (\w+)", re.MULTILINE)
MOST = 240  # steps whose tokens are kept
ASKED = 48  # steps at which all held-out questions are put
SLOW = 16  # steps that are taken apart
MEASURED = ("begin", "tokens", "answers", "path", "slow")
UNPACK = """<!doctype html><script type="module">
const packed = Uint8Array.from(atob("FILM"), (letter) => letter.charCodeAt(0));
const film = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
frameElement.srcdoc = await new Response(film).text();
</script>"""


def record(recorder: Recorder, look: Callable[[State], object] = lambda state: None) -> list[dict[str, Any]]:
    """Make all steps of a run, and return its events: the tokens at every step, the rest at fewer.

    look  is called with every state, the first one included
    """
    run, path = recorder.run, recorder.path
    every, asked, slowly = (max(1, -(-run.total // count)) for count in (MOST, ASKED, SLOW))
    events = [recorder.begin()]
    while True:
        state = run.state
        look(state)
        last = state.step == run.total
        if state.step % every == 0 or last:
            events.append(recorder.tokens(state.theta, state.step, state.metrics))
        if recorder.questions and (state.step % asked == 0 or last):
            events.append(recorder.answers(state.theta, state.step))
        if state.step % run.apart == 0 or last:
            path.thin(run.apart)
            path.add(state.step, state.theta)
        if last:
            return [*events, path.event()]
        if state.step % slowly == 0 or state.step + 1 == run.total:
            events.append(recorder.slow(state.step + 1))
        run.advance()


def html(runs: list[list[dict[str, Any]]]) -> bytes:
    """The film of some runs. Each is the list of its events, in the order in which they came."""
    events = [[event for event in run if event["event"] in MEASURED] for run in runs]
    events = [without_repeats(run) for run in events]
    content = json.dumps({"runs": events}, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    content = content.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    style, script = text("style.css"), bundle("film.js")
    page = text("film.html")
    for place, filling in (("STYLE", style), ("SCRIPT", script), ("POLICY", policy(style, script)), ("FILM", content)):
        page = page.replace(f"{{{{{place}}}}}", filling, 1)
    return page.encode(errors="backslashreplace")


def framed(page: bytes, height: int = 640) -> str:
    """The film in a frame of its own, as HTML for a notebook. It travels packed, a fifth of its size, as a notebook
    keeps what it has shown; the frame unpacks it."""
    packed = base64.b64encode(gzip.compress(page, mtime=0)).decode()
    content = escape(UNPACK.replace("FILM", packed), quote=True)
    return f'<iframe srcdoc="{content}" title="A film of θ" width="100%" height="{height}"></iframe>'


def without_repeats(run: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of events of the same kind and step the last one, and the last path alone; texts and examples go first."""
    last = {(event["event"], event.get("t")): number for number, event in enumerate(run)}
    told: dict[str, Any] = {"event": "told", "texts": {}, "examples": {}}
    for event in run:
        for name in ("texts", "examples"):
            told[name] |= event.get(name, {})
    kept = [event for number, event in enumerate(run) if last[event["event"], event.get("t")] == number]
    return [told, *({k: v for k, v in event.items() if k not in ("texts", "examples")} for event in kept)]


def bundle(first: str) -> str:
    """A module of static/ and all that it imports, as one script: each is a function that returns its exports."""
    done: dict[str, str] = {}

    def visit(name: str) -> str:
        place = Path(name).stem + "_module"
        if name not in done:
            source = text(name)
            imports = [f"const {names} = {visit(other)};" for names, other in IMPORT.findall(source)]
            exports = ", ".join(EXPORT.findall(source))
            body = "\n".join([*imports, re.sub(r"^export ", "", IMPORT.sub("", source), flags=re.MULTILINE).strip()])
            done[name] = f"const {place} = (() => {{\n{body}\nreturn {{ {exports} }};\n}})();"
        return place

    visit(first)
    return "\n".join(done.values())


def policy(style: str, script: str) -> str:
    hashes = (base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (style, script))
    of_style, of_script = (f"'sha256-{value}'" for value in hashes)
    return f"default-src 'none'; style-src {of_style}; script-src {of_script}; base-uri 'none'; form-action 'none'"


def text(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")
