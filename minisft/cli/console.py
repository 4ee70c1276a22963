"""What comes out: for people tables and progress; for programs one JSON object, and rows of JSON in a file."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import repeat
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table
from rich.text import Text

from minisft.errors import BREAKS, MinisftError, one_line, visible
from minisft.formats.apart import require_apart
from minisft.formats.files import json_bytes, read_bytes, real, replacing
from minisft.runs.directory import holds_run, require_no_part

Item = TypeVar("Item")


# --- the ways to the terminal: nothing of the package gets there by another -------------------------------------------


def say(text: str) -> None:
    """A line of progress on standard error; if that is closed or cannot take it, the work goes on."""
    if sys.stderr:  # or print would take standard output
        with suppress(OSError):
            print(visible(text), file=sys.stderr, flush=True)


def complain(error: object, status: int) -> int:
    """Say what went wrong in one line; returns the exit status."""
    say(f"minisft: error: {one_line(error, 4000)}")
    return status


def show(text: str) -> None:
    """A line of the result on standard output."""
    print(visible(text), flush=True)


def show_answer(text: str, end: str = "\n") -> None:
    """What a model answers, or a piece of it, on standard output: its own lines stay lines."""
    print(visible(text, BREAKS), end=end, flush=True)


class Page(Console):
    """A rich console in which a text is a text: [bold] and :smile: are not read as markup.

    It leaves it to `main` what happens if nobody reads: rich itself would exit with 1.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)
        if self.width < 20:  # COLUMNS=0, where nobody knows; a table would show nothing
            self.width = 80

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError

    def tell(self, text: str, heading: str = "") -> None:
        """A line, after a heading in bold."""
        self.print(Text.assemble((visible(heading), "bold"), visible(text)))


def print_json(value: dict) -> None:
    """The one JSON object of --json. Raises MinisftError rather than print NaN or infinity, which are not JSON."""
    try:
        print(json.dumps(value, allow_nan=False), flush=True)  # ASCII: exact on any terminal
    except ValueError:
        raise MinisftError("the result is not finite; the model is damaged or diverged: use another one") from None


@contextmanager
def row_file(path: str | None, flag: str, sources: list[Path]) -> Iterator[Callable[[list[dict]], object]]:
    """Yields a function that writes rows as JSON lines to `path`, atomically; nothing happens if path is None.

    Refuses a path that could not be written before anything is computed, and one that would touch the sources.
    """
    if path is None:
        yield lambda rows: None
        return
    if Path(path).is_dir():
        raise MinisftError(f"{flag}: {path} is a directory; name another file")
    require_apart(Path(path), sources, flag)
    require_replaceable(Path(path), flag)
    with replacing(path) as beside:

        def write(rows: list[dict]) -> None:
            try:
                beside.write_bytes(b"".join(json_bytes(row, indent=None) for row in rows))
            except ValueError:
                raise MinisftError(
                    f"{flag}: a row has NaN or infinity in it, which are not JSON; look at the data"
                ) from None

        yield write


def require_replaceable(path: Path, flag: str) -> None:
    """Refuse a part of a run or model, and any file beside one but rows that an earlier command has written."""
    there = read_bytes(path) if path.is_file() else b""
    if there.startswith(b'{"index":'):
        return
    require_no_part(path, flag)
    if there and holds_run(real(path).parent):
        raise MinisftError(f"{flag}: {path} is somebody's file beside a run or model; name another file")


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


def shown(value: object) -> str:
    return "none" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)


class Bar:
    """A bar on a terminal; elsewhere a line for each tenth of the work. A context manager."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.bar = what, total, None
        if sys.stderr and sys.stderr.isatty():
            from rich import progress  # only a terminal pays for it

            columns = (
                progress.TextColumn("{task.description}", markup=False),
                progress.BarColumn(),
                progress.MofNCompleteColumn(),
                progress.TimeRemainingColumn(),
                progress.TextColumn("{task.fields[note]}", markup=False),
            )
            self.bar = progress.Progress(*columns, console=Page(stderr=True))
            self.task = self.bar.add_task(visible(what), total=total, note="")

    def __enter__(self) -> "Bar":
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self.bar:
            self.bar.stop()

    def show(self, done: int, note: str = "") -> None:
        if self.bar:
            self.bar.update(self.task, completed=done, note=visible(note))
        elif done == self.total or done * 10 // self.total > (done - 1) * 10 // self.total:
            say(f"{self.what} {done}/{self.total}  {note}".rstrip())


def track(items: Iterable[Item], what: str) -> Iterator[Item]:
    """The items, one after the other, with a bar."""
    known = list(items)
    with Bar(what, len(known)) as bar:
        for done, item in enumerate(known, 1):
            yield item
            bar.show(done)


def print_table(
    title: str, columns: list[str], rows: Iterable[Iterable[object]], styles: Iterable[str] = repeat("")
) -> None:
    """A table; a row may hold texts, numbers and None, and has a style of rich."""
    table = Table(title=visible(title), title_justify="left", show_header=any(columns))
    for name in columns:
        table.add_column(visible(name), overflow="fold")
    for row, style in zip(rows, styles):
        table.add_row(*(visible(shown(cell)) for cell in row), style=style)
    Page().print(table)
