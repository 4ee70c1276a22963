"""What comes out: for people tables and progress; for programs one JSON object, and rows of JSON in a file."""

import json
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from minisft.errors import MinisftError
from minisft.formats.apart import require_apart
from minisft.formats.files import json_bytes, replacing


def say(text: str):
    """A line for the person at the terminal; if that cannot take it, the work goes on."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def complain(error, status: int) -> int:
    """Say what went wrong in one line; returns the exit status."""
    say("minisft: error: " + " ".join(str(error).splitlines()))
    return status


class Page(Console):
    """A rich console that leaves it to `main` what happens if nobody reads: rich itself would exit with 1."""

    def on_broken_pipe(self):
        raise BrokenPipeError


def print_json(value: dict):
    """The one JSON object of --json. Raises MinisftError rather than print NaN or infinity, which are not JSON."""
    try:
        print(json.dumps(value, allow_nan=False), flush=True)  # ASCII: exact on any terminal
    except ValueError:
        raise MinisftError("the result is not finite; the model is damaged or diverged: use another one") from None


@contextmanager
def row_file(path: str | None, flag: str, sources: list[Path]):
    """Yields a function that writes rows as JSON lines to `path`, atomically; nothing happens if path is None.

    Refuses a path that could not be written before anything is computed, and one that would touch the sources.
    """
    if path is None:
        yield lambda rows: None
        return
    if Path(path).is_dir():
        raise MinisftError(f"{flag}: {path} is a directory; name another file")
    require_apart(Path(path), sources, flag)
    with replacing(path) as beside:

        def write(rows):
            try:
                beside.write_bytes(b"".join(json_bytes(row, indent=None) for row in rows))
            except ValueError:
                raise MinisftError(
                    f"{flag}: a row has NaN or infinity in it, which are not JSON; look at the data"
                ) from None

        yield write


def metrics_line(metrics: dict, reduction: str) -> str:
    """A row of metrics.jsonl for people; the loss never without its reduction."""
    return "  ".join(f"{name} {shown(value)}" for name, value in with_reduction(metrics, reduction).items())


def with_reduction(metrics: dict, reduction: str) -> dict:
    """The same with "loss" as "loss (token_mean)", and so on."""
    kinds = dict.fromkeys(("loss", "objective", "eval_loss"), reduction)
    kinds |= dict.fromkeys(("log_prob", "eval_log_prob"), "sum") | dict.fromkeys(
        ("prompt_loss", "completion_loss"), "mean"
    )
    return {f"{name} ({kinds[name]})" if name in kinds else name: value for name, value in metrics.items()}


def shown(value) -> str:
    return "none" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)


class Bar:
    """A bar on a terminal; elsewhere a line for each tenth of the work. A context manager."""

    def __init__(self, what: str, total: int):
        self.what, self.total, self.bar = what, total, None
        if sys.stderr and sys.stderr.isatty():
            from rich import progress  # only a terminal pays for it

            columns = (
                progress.TextColumn(what),
                progress.BarColumn(),
                progress.MofNCompleteColumn(),
                progress.TimeRemainingColumn(),
                progress.TextColumn("{task.fields[note]}"),
            )
            self.bar = progress.Progress(*columns, console=Console(stderr=True))
            self.task = self.bar.add_task(what, total=total, note="")

    def __enter__(self):
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *error):
        if self.bar:
            self.bar.stop()

    def show(self, done: int, note: str = ""):
        if self.bar:
            self.bar.update(self.task, completed=done, note=note)
        elif done == self.total or done * 10 // self.total > (done - 1) * 10 // self.total:
            say(f"{self.what} {done}/{self.total}  {note}".rstrip())


def track(items, what: str):
    """The items, one after the other, with a bar."""
    items = list(items)
    with Bar(what, len(items)) as bar:
        for done, item in enumerate(items, 1):
            yield item
            bar.show(done)


def print_table(title: str, columns: list[str], rows: list[list]):
    """A table; a row may hold texts, numbers, None and rich Texts."""
    table = Table(title=Text(title), title_justify="left", show_header=any(columns))
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(shown(cell)) for cell in row))
    Page().print(table)
