"""A class is graded: two processes judge side by side, each one answer at a time, and none of them ends the run."""

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from queue import Queue

import numpy as np

from minisft.course.grade import exercises, judging, predictions
from minisft.course.grade.judging import Job, Judged
from minisft.course.grade.submissions import Handed
from minisft.course.grade.table import Row

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
        if self.process is not None:
            with contextlib.suppress(OSError):
                self.connection.close()
            self.process.kill()
            self.process.join()
            self.process = None


def graded(handed: list[Handed], seed: int, done: Callable[[], object]) -> list[Row]:
    """A row for each student and each exercise of the notebooks that anybody handed in, in this order.

    seed  decides the random cases of all checks; done() is called after each answer
    """
    idle: Queue[Judge] = Queue()
    for _ in range(AT_ONCE):
        idle.put(Judge())

    def row(wanted: tuple[str, exercises.Exercise, Handed | None, int]) -> Row:
        student, exercise, one, number = wanted
        judged, tries = Judged(None, "not handed in", 0.0), None
        if one is not None:
            tries = predictions.tries(one, exercise.name)
            judge = idle.get()
            try:
                judged = judge.judge(Job(str(one.path), exercise, number))
            finally:
                idle.put(judge)
        done()
        return Row(student, exercise.notebook, exercise.name, judged.right, judged.mistake, tries, judged.seconds)

    try:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return list(threads.map(row, asked_for(handed, seed)))
    finally:
        while not idle.empty():
            idle.get().stop()


def asked_for(handed: list[Handed], seed: int) -> Iterator[tuple[str, exercises.Exercise, Handed | None, int]]:
    """(student, exercise, the notebook if there is one, the seed of its cases)."""
    rng = np.random.default_rng(seed)
    of = {(one.student, one.notebook): one for one in handed}
    notebooks = [name for name in exercises.notebooks() if any(one.notebook == name for one in handed)]
    for student in dict.fromkeys(one.student for one in handed):
        for notebook in notebooks:
            for exercise in exercises.of(notebook):
                yield student, exercise, of.get((student, notebook)), int(rng.integers(2**31))


def count(handed: list[Handed]) -> int:
    return sum(1 for _ in asked_for(handed, 0))


def places(handed: list[Handed]) -> list[Path]:
    return [one.path for one in handed]
