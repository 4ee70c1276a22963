"""Plant every bug of bugs/, one at a time, and see which sentence of the specification notices.

    python tests/planted/run.py                     all of them: a table of bug, sentence, milliseconds
    python tests/planted/run.py no-shift uphill     these
    pytest tests/planted/run.py                     the same as one test; the name of this file keeps it out of `pytest`

Each bug gets a copy of the repository and a process of its own, at most two at a time. Its tests run until the first
that fails by an assertion: an error of import, of collection or of shapes does not count. Files of tests that read the
source instead of running it are not asked. In the end the sentences that noticed run once more on an unchanged copy,
where all must be true. Nothing is written but the table, and a temporary directory, which is removed.
"""

import contextlib
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from bugs import BUGS, Bug
from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
AT_A_TIME = 2
LIMIT = 120  # seconds for one bug
PRELOADED = ["hypothesis", "numpy.testing", "pytest", "rich.progress", "safetensors.numpy", "tokenizers"]

# Rooms of minisft, whose tests are asked in this order after the likeliest: the fastest and most telling first.
ORDER = "layers objective optim params gradcheck data tokenizer model train accidents generate evaluate trajectory"
ORDER = [*ORDER.split(), "checkpoint", "config", "runs", "formats", "cli"]

# FloatingPointError is what a test asks for by np.errstate(over="raise"): an assertion about numbers.
NOTICED = (AssertionError, pytest.fail.Exception, FloatingPointError)


class Verdict(NamedTuple):
    caught_by: str | None  # id of a test
    milliseconds: float
    others: tuple = ()  # ids of tests that failed otherwise


class Witness:
    """A pytest plugin: stops at the first test that fails by an assertion, or in any way, and remembers it."""

    def __init__(self, about, any_failure):
        self.began, self.about, self.any_failure = time.perf_counter(), words(about), any_failure
        self.verdict, self.others = None, []

    def pytest_collection_modifyitems(self, items):
        """The names of tests are sentences: those that share most words with the description of the bug come first."""
        items.sort(key=lambda item: -len(self.about & words(item.name)))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        if report.failed:
            if call.when == "call" and isinstance(call.excinfo.value, NOTICED):
                self.verdict = Verdict(item.nodeid, 1000 * (time.perf_counter() - self.began))
            else:
                self.others.append(item.nodeid)
            if self.done():
                item.session.shouldstop = "noticed"
        return report

    def pytest_collectreport(self, report):
        if report.failed:
            self.others.append(report.nodeid)

    def done(self) -> bool:
        return self.verdict is not None or (self.any_failure and bool(self.others))


def words(text: str) -> set[str]:
    """The words of a sentence or of the name of a test that say what it is about."""
    return {word.rstrip("s") for word in re.findall("[a-z]{4,}", text.lower())} - {"that", "with", "this", "than"}


def tests_of(room: str) -> list[str]:
    """The tests of a room, seen from the repository: a folder, or test_room.py with those that begin with its name."""
    if (ROOT / "tests" / room).is_dir():
        return [f"tests/{room}"]
    return sorted(f"tests/{path.name}" for path in (ROOT / "tests").glob(f"test_{room}*.py"))


def asked(file: str, order: list[str]) -> list[list[str]]:
    """Groups of tests for a change of this file, the likeliest first."""
    likeliest = file.split("/")[0].removesuffix(".py")
    return [tests_of(room) for room in (likeliest, *(room for room in order if room != likeliest))]


def copy_of_the_repository(place: Path):
    """What the tests need; shipped data are only read, so they are linked. Compiled files are valid there too."""
    ignored = shutil.ignore_patterns("planted", "parity", "test_planted.py")
    for name in ("minisft", "tests"):
        shutil.copytree(ROOT / name, place / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", place)
    (place / "data").symlink_to(ROOT / "data", target_is_directory=True)


def run_tests(place: str, groups: list[list[str]], about: str, any_failure: bool, answer):
    """In a process of its own: run tests of a copy, group by group, until one notices; sends a Verdict."""
    witness = Witness(about, any_failure)
    os.chdir(place)
    sys.path.insert(0, place)
    os.environ |= {"PYTHONPATH": place, "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    from hypothesis import Phase, settings

    settings.register_profile("planted", phases=(Phase.explicit, Phase.generate), database=None)  # do not shrink
    settings.load_profile("planted")
    # Warnings stay warnings here: a number that is wrong must be noticed by a test that looks at it.
    flags = ["-q", "-p", "no:cacheprovider", "--tb=no", "-o", "addopts=", "-o", "filterwarnings="]
    for tests in groups:
        if not witness.done():
            pytest.main([*flags, f"--rootdir={place}", *tests], plugins=[witness])
    import minisft

    assert Path(minisft.__file__).is_relative_to(place), minisft.__file__
    answer.send(witness.verdict or Verdict(None, 1000 * (time.perf_counter() - witness.began), tuple(witness.others)))


def verdict(
    place: Path, groups: list[list[str]], about: str = "", limit: float = LIMIT, any_failure: bool = False
) -> Verdict:
    """Run groups of tests of a copy in a fresh process, which is ended after `limit` seconds.

    any_failure  True: stop at a test that fails otherwise than by an assertion, too
    """
    context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=run_tests, args=(str(place), groups, about, any_failure, sender))
    process.start()
    sender.close()
    try:
        return receiver.recv() if receiver.poll(limit) else Verdict(None, 1000.0 * limit, ("out of time",))
    except EOFError:
        return Verdict(None, 0.0, (f"the process ended with {process.exitcode}",))
    finally:
        process.kill()
        process.join()


def plant(bug: Bug) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        place = Path(name).resolve()
        copy_of_the_repository(place)
        path = place / "minisft" / bug.file
        source = path.read_text(encoding="utf-8")
        assert source.count(bug.old) == 1, f"{bug.name}: the old text does not stand in {bug.file} exactly once"
        path.write_text(source.replace(bug.old, bug.new), encoding="utf-8")
        groups = [[f"tests/{bug.tests}"]] * bool(bug.tests) + asked(bug.file, ORDER)
        return verdict(place, groups, f"{bug.file} {bug.name} {bug.what}")


def untrue(tests: list[str]) -> str | None:
    """The first of these tests that fails on an unchanged copy, or None."""
    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        place = Path(name).resolve()
        copy_of_the_repository(place)
        found = verdict(place, [tests])
        return found.caught_by or next(iter(found.others), None)


def hunt(bugs: list[Bug]) -> list[tuple[Bug, Verdict]]:
    """Every bug with its verdict, in their order."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = "1"
    with contextlib.suppress(ValueError):  # no such method on this system: each process loads everything itself
        multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOADED)
    screen = Console(stderr=True)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        verdicts = track(
            pool.map(plant, bugs), "planting", len(bugs), console=screen, transient=True, disable=not screen.is_terminal
        )
        return list(zip(bugs, verdicts, strict=True))


def sentence(test: str) -> str:
    """tests/runs/test_resume.py::test_a_b[c] -> runs/resume: a b [c]"""
    file, name = test.removeprefix("tests/").replace("test_", "", 1).split(".py::test_")
    name, _, case = name.partition("[")
    return f"{file}: {name.replace('_', ' ')}" + (f" [{case}" if case else "")


def table(found: list[tuple[Bug, Verdict]]) -> Table:
    caught = sum(verdict.caught_by is not None for _, verdict in found)
    result = Table("bug", "caught by", title=f"{caught} of {len(found)} planted bugs caught", show_lines=True)
    result.add_column("ms", justify="right")
    for bug, verdict in found:
        by = sentence(verdict.caught_by) if verdict.caught_by else f"nobody {', '.join(verdict.others)}".strip()
        result.add_row(f"{bug.name}: {bug.what}", by, f"{verdict.milliseconds:.0f}")
    return result


def test_every_planted_bug_is_caught_by_a_sentence_that_is_true_without_it():
    found = hunt(BUGS)
    assert [bug.name for bug, verdict in found if verdict.caught_by is None] == []
    assert untrue(sorted({verdict.caught_by for _, verdict in found})) is None


def main(names: list[str]) -> int:
    unknown = set(names) - {bug.name for bug in BUGS}
    if unknown:
        print(f"no such bug: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    found = hunt([bug for bug in BUGS if bug.name in names or not names])
    console = Console(markup=False, highlight=False)
    console.print(table(found))
    caught = sorted({verdict.caught_by for _, verdict in found if verdict.caught_by})
    wrong = untrue(caught) if caught else None
    if wrong:
        console.print(f"fails without any bug: {wrong}")
    return 0 if wrong is None and all(verdict.caught_by for _, verdict in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
