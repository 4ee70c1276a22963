"""The process that judges. It runs the installed checks, and never a line of a student.

To a check an answer is a function: a `wire.RemoteFunction`, which runs in a process of its own.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import minisft
from minisft.course.grade import exercises, guard, wire
from minisft.course.grade.answers import Missing, taken
from minisft.course.grade.exercises import Exercise
from minisft.course.grade.notebook_file import cells_of
from minisft.course.grade.values import NAME, Broken
from minisft.course.grading.limits import SECONDS, allowance
from minisft.course.grading.verdict import Stumbled, Verdict, kindly
from minisft.course.variants import judged_by_hand
from minisft.errors import MinisftError, one_line

PATIENCE = 40.0  # seconds by the clock, of an answer that waits
MEMORY = 4 << 30  # bytes of address space of this process
BOUNDED = sys.platform == "linux"  # macOS takes the bound of guard.limit, and does not keep to it
LOOK = 0.25  # seconds between two looks at the memory of an answer, where it is not bounded
APART = ("unshare", "--net", "--pid", "--fork", "--kill-child")
NOT_WRITTEN = "not written yet"


class Job(NamedTuple):
    """seed: of the random cases; variant: of what is answered by hand, None for a function."""

    path: str
    exercise: Exercise
    seed: int
    variant: int | None = None


class Judged(NamedTuple):
    """right: True, False, or None for an answer that is not there; mistake: what is wrong, in a sentence."""

    right: bool | None
    mistake: str
    seconds: float


class Answering(wire.Link):
    """An answer's process, as the check sees it: functions, which fail as answers do."""

    def __init__(self, process: subprocess.Popen) -> None:
        super().__init__(process.stdout, process.stdin)  # type: ignore[arg-type]
        self.process, self.stopped, self.before = process, "", spent()

    def call(self, number: int, arguments: tuple) -> Any:
        try:
            return super().call(number, arguments)
        except (Broken, OSError) as broken:
            raise Stumbled(False, self.ending(broken)) from None

    def ending(self, broken: Exception) -> str:
        """Why nothing came back."""
        try:
            status = self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return f"what came back cannot be read: {one_line(broken, 100)}"
        if self.stopped:
            return f"it was stopped {self.stopped}"
        if spent() - self.before >= SECONDS:
            return f"it was stopped after {SECONDS:.0f} s of processor time: does a loop never end?"
        return f"it ended the process it ran in (status {status})"

    def stop(self, why: str) -> None:
        self.stopped = why
        self.process.kill()

    def raised(self, message: dict) -> None:
        name, text = str(message.get("error")), str(message.get("text"))
        if name == "NotImplementedError":
            raise Stumbled(None, NOT_WRITTEN)
        if name == "Stumbled":
            raise Stumbled(False, text)
        if name == "Unfit":
            raise Stumbled(False, f"what it returns cannot be judged: {text}")
        raise type(name if NAME.fullmatch(name) else "Error", (Exception,), {})(text)

    def told(self, error: BaseException) -> dict:
        """What one of our functions has against what the answer asked of it: no word of where it stands."""
        return {"error": type(error).__name__, "text": one_line(error, 200)}


def spent() -> float:
    """Seconds of processor time of all processes that this one has started and seen end."""
    times = os.times()
    return times.children_user + times.children_system


@cache
def prefix() -> tuple[str, ...]:
    """The command that keeps a process apart from others and from the network, as far as this system lets us."""
    if sys.platform != "linux" or not shutil.which("unshare"):
        return ()
    for way in ((*APART[:1], "--user", "--map-root-user", *APART[1:]), APART):
        try:
            if not subprocess.run([*way, "true"], capture_output=True, timeout=10).returncode:
                return way
        except (OSError, subprocess.TimeoutExpired):
            continue
    return ()


def started(folder: str) -> subprocess.Popen:
    """A process that will run folder/answer.py. Of the environment it knows where Python and minisft are."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH")}
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    own = {"PYTHONPATH": str(Path(minisft.__file__).parents[1]), "HOME": folder, "MPLCONFIGDIR": folder}
    program = ["-P", "-B", "-m", "minisft.course.grade.worker", str(Path(folder, "answer.py")), f"{SECONDS:.0f}"]
    command = [*prefix(), sys.executable, *program]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=folder, env=kept | threads | own, start_new_session=True, **pipes)  # type: ignore


def verdict(program: str, exercise: Exercise, seed: int, variant: int | None = None) -> Verdict:
    """What the check of an exercise says about the answers of a program, which runs in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="minisft-grade-", ignore_cleanup_errors=True) as folder:
        Path(folder, "answer.py").write_text(program, encoding="utf-8")
        process = started(folder)
        answering = Answering(process)
        over = threading.Event()
        threading.Thread(target=watch, args=(answering, over), daemon=True).start()
        try:
            return kindly(asked)(answering, exercise, seed, variant)
        finally:
            over.set()
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):  # what was not sent is of no interest
                    pipe and pipe.close()


def watch(answering: Answering, over: threading.Event) -> None:
    """Stop an answer that waits too long or, where the system does not bound memory, takes too much of it."""
    end = time.monotonic() + PATIENCE
    while not over.wait(PATIENCE if BOUNDED else LOOK):
        if not BOUNDED and resident(answering.process.pid) > guard.MEMORY:
            return answering.stop(f"when it had taken {guard.MEMORY >> 20:,} MB of memory")
        if time.monotonic() >= end:
            why = f"after {PATIENCE:.0f} s by the clock: does it wait for something that never comes?"
            return answering.stop(why)


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 if nobody can tell."""
    try:
        told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, timeout=5)
        return int(told.stdout) * 1024
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0


def asked(answering: Answering, exercise: Exercise, seed: int, variant: int | None) -> Verdict:
    """The answers are fetched, and handed to the check."""
    try:
        found = answering.call(0, ())
    except Stumbled:
        raise
    except Exception as error:
        text = f"what the answer needs does not run: {type(error).__name__}: {one_line(error, 300)}"
        raise Stumbled(False, text) from None
    if not isinstance(found, list) or len(found) != len(exercise.answers):
        raise Stumbled(False, "its process answers for something else")
    if variant is not None:
        return judged_by_hand(exercise.notebook, found[0], variant)
    measured = exercises.MEASURED.get(exercise.name)
    given = [*found, measured()] if measured else found
    with allowance():
        return exercises.raw(exercise.notebook, exercise.name)(*given, seed=seed)


@cache
def stub(exercise: Exercise) -> str:
    """The program of an answer that nobody has written."""
    return taken(exercises.installed(exercise.notebook), exercise)


def judged(job: Job) -> Judged:
    """One answer of one notebook."""
    began = time.perf_counter()
    try:
        program = taken(cells_of(job.path), job.exercise)
        unwritten = program == stub(job.exercise)
        right, text = (None, "") if unwritten else verdict(program, job.exercise, job.seed, job.variant)
    except Missing as missing:
        right, text = missing.args
    if right is None and text.startswith(NOT_WRITTEN):
        text = ""
    return Judged(right, "" if right else one_line(text, 500), round(time.perf_counter() - began, 2))


def serve(connection: Connection) -> None:
    """Judge one job after the other, until nobody sends any. A process of its own runs this."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY if hard < 0 else min(MEMORY, hard), hard))
    except (ImportError, ValueError, OSError):
        pass
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        try:
            connection.send(judged(job))
        except MinisftError as error:
            connection.send(Judged(None, one_line(error, 300), 0.0))
        except Exception as error:  # ours: it must not end the run
            connection.send(
                Judged(None, f"the check itself failed, {type(error).__name__}: {one_line(error, 200)}", 0.0)
            )
