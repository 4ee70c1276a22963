"""A class is graded: two processes judge side by side, each one answer at a time, and none of them ends the run."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from queue import Queue
from typing import NamedTuple

import numpy as np

from minisft.course.grade import exercises, judging, notebook_file, predictions
from minisft.course.grade.judging import Job, Judged
from minisft.course.grade.submissions import Handed
from minisft.course.grade.table import Row
from minisft.course.variants import BY_HAND

AT_ONCE = 2
OVERDUE = judging.PATIENCE + 60  # seconds, after which a judge itself is given up
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Judge:
    """A process that judges, and another one as soon as it is lost."""

    def __init__(self) -> None:
        self.process: SpawnProcess | None = None
        self.connection: Connection

    def start(self) -> None:
        for variable in THREADS:
            os.environ.setdefault(variable, "1")  # read when a process loads NumPy
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=judging.serve, args=(other,), daemon=True)
        self.process.start()
        other.close()

    def judge(self, job: Job) -> Judged:
        if self.process is None or not self.process.is_alive():
            self.start()
        why = f"judging it took more than {OVERDUE:.0f} s"
        try:
            self.connection.send(job)
            if self.connection.poll(OVERDUE):
                return self.connection.recv()
        except (EOFError, OSError):
            why = "the process that judged it was ended"
        self.stop()
        return Judged(False, why, OVERDUE)

    def stop(self) -> None:
        process, self.process = self.process, None  # at once: after Ctrl-C two threads may stop one judge
        if process is not None:
            process.terminate()  # it takes the answer's process and folder with it
            process.join(5)
            process.kill()
            process.join()
            with contextlib.suppress(OSError):
                self.connection.close()


class Wanted(NamedTuple):
    """One answer; `one` is the notebook that it is in, None if it was not handed in."""

    student: str
    exercise: exercises.Exercise
    one: Handed | None
    seed: int
    variant: int | None


def graded(wanted: list[Wanted], done: Callable[[int, Row], object]) -> list[Row]:
    """A row for each answer wanted, in this order; done(place, row) is called after each.

    Raises KeyboardInterrupt on Ctrl-C; what is done by then was judged to its end.
    """
    judges = [Judge() for _ in range(AT_ONCE)]
    idle: Queue[Judge] = Queue()
    for judge in judges:
        idle.put(judge)
    over = threading.Event()

    def row(place: int, answer: Wanted) -> Row:
        judged, tries, exercise = Judged(None, "not handed in", 0.0), None, answer.exercise
        if answer.one is not None:
            tries = predictions.tries(answer.one, exercise.name)
            judge = idle.get()
            try:
                judged = judge.judge(Job(str(answer.one.path), exercise, answer.seed, answer.variant))
            finally:
                idle.put(judge)
        found = Row(answer.student, exercise.notebook, exercise.name, *judged[:2], tries, judged.seconds)
        if not over.is_set():  # or its judge was stopped, which says nothing about the answer
            done(place, found)
        return found

    threads = ThreadPoolExecutor(AT_ONCE, initializer=deaf)
    try:
        return list(threads.map(row, range(len(wanted)), wanted))
    finally:  # also when it is interrupted: what has not begun does not begin
        over.set()
        threads.shutdown(wait=False, cancel_futures=True)
        for judge in judges:
            judge.stop()


def deaf() -> None:
    """Ctrl-C is for the main thread: this one does not hear it, nor do the processes that it starts."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def all_wanted(handed: list[Handed], seed: int, variants: dict[str, int]) -> list[Wanted]:
    """For each student each exercise of the notebooks that anybody handed in.

    seed      decides the random cases of all checks
    variants  {student: number}: with it, what is answered by hand is judged, too
    """
    rng = np.random.default_rng(seed)
    of = {(one.student, one.notebook): one for one in handed}
    notebooks = [name for name in exercises.notebooks() if any(one.notebook == name for one in handed)]
    result = []
    for student in dict.fromkeys(one.student for one in handed):
        for notebook in notebooks:
            one = of.get((student, notebook))
            result += [Wanted(student, e, one, int(rng.integers(2**31)), None) for e in exercises.of(notebook)]
            if student in variants:
                result += [Wanted(student, e, one, 0, variants[student]) for e in exercises.by_hand(notebook)]
    return result


def variants_of(handed: list[Handed], given: dict[str, int] | None) -> tuple[dict[str, int], list[str]]:
    """{student: variant}, and a line for each notebook that is of another one than its student was given.

    given  what the teacher has noted; None: what the notebooks say themselves counts
    """
    found: dict[str, int] = {}
    lines = []
    for one in handed:
        said = notebook_file.variant_of(str(one.path)) if one.notebook in BY_HAND or given is not None else None
        if given is None and said is not None:
            found.setdefault(one.student, said)
        elif given is not None and said != given.get(one.student):
            wanted = given.get(one.student, "none")
            lines.append(f"{one.path}: is of variant {'none' if said is None else said}; {one.student} has {wanted}")
    return found if given is None else given, lines
