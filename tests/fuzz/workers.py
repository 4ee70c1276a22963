"""Worker processes with bounded memory and time, each of which runs many cases; a dead or hung one is a finding."""

import contextlib
import gc
import multiprocessing
import os
import random
import resource
import signal
import tempfile
import traceback
from collections import Counter, defaultdict
from multiprocessing.connection import wait
from pathlib import Path
from typing import NamedTuple

from minisft.errors import MinisftError

MEMORY = 2 * 2**30  # bytes that a worker may need beyond what it has at its start
SECONDS = 5  # of processor time for one case
SILENCE = 120  # seconds in which a worker must have done a batch, or it waits for something that never comes
BATCH = 100  # cases that a worker is given at a time
SHM = "/dev/shm" if os.path.isdir("/dev/shm") else None
CONTEXT = multiprocessing.get_context("fork")  # a worker begins with everything imported and prepared


class Finding(NamedTuple):
    kind: str
    seed: int
    what: str


class Wrong(Exception):
    """What came out is neither a MinisftError nor right."""


def outcome(kind, seed, place):
    """ "refused" or "right", or else a Finding, of the case of a kind that has this seed."""
    rng = random.Random(f"{kind.name} {seed}")
    try:
        return kind.run(rng, place)
    except MinisftError as error:
        words = str(error)
        if words.isprintable() and 0 < len(words) <= 4000:
            return "refused"
        return Finding(kind.name, seed, f"an error that is not one short line: {words[:300]!r}")
    except BaseException as error:  # a panic in Rust is not an Exception
        calls = reversed(traceback.extract_tb(error.__traceback__)[-4:])
        where = " < ".join(f"{Path(call.filename).name}:{call.lineno}" for call in calls)
        return Finding(kind.name, seed, f"{type(error).__name__}: {str(error)[:300]!r} ({where})")


def work(pipe, current, place, quiet):
    """A worker: takes (kind, first seed, one after the last), and sends back what came of them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if quiet:  # a panic in Rust also prints
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while task := pipe.recv():
        kind, first, end = task
        counts, findings = Counter(), []
        for seed in range(first, end):
            current.value = seed
            signal.setitimer(signal.ITIMER_PROF, SECONDS)  # SIGPROF ends the process, also in native code
            result = outcome(KINDS[kind], seed, place)
            signal.setitimer(signal.ITIMER_PROF, 0)
            if isinstance(result, Finding):
                findings.append(result)
            else:
                counts[result] += 1
        pipe.send((counts, findings))
        gc.collect()


KINDS = {}  # by name; filled before the workers start, so that a task need not carry more than a name


class Worker:
    """A process at work, and the task that it has."""

    def __init__(self, place, quiet):
        self.pipe, theirs = CONTEXT.Pipe()
        self.current = CONTEXT.RawValue("q", -1)
        self.process = CONTEXT.Process(target=work, args=(theirs, self.current, place, quiet), daemon=True)
        self.process.start()
        theirs.close()
        self.task = None

    def give(self, task):
        self.task = task
        self.pipe.send(task)

    def end(self, hung):
        """Waits for the end of the process, or ends it if it hung; returns how it died."""
        if hung:
            self.process.kill()
        self.process.join()
        self.pipe.close()
        how = signal.Signals(-self.process.exitcode).name if self.process.exitcode < 0 else self.process.exitcode
        if hung:
            return f"waited for {SILENCE} s"
        return f"took more than {SECONDS} s" if how == "SIGPROF" else f"the process died ({how})"


def sweep(kinds, tasks, processes=1, quiet=True, report=lambda finding: None):
    """Run the tasks (name of a kind, first seed, one after the last); returns {kind: Counter} of their outcomes.

    report  is called with each Finding as it comes
    """
    KINDS.update({kind.name: kind for kind in kinds})
    for kind in kinds:
        kind.prepare()
    tasks, counts = list(reversed(tasks)), defaultdict(Counter)

    def found(finding):
        counts[finding.kind]["findings"] += 1
        report(finding)

    with contextlib.ExitStack() as stack:
        workers = []

        def hire():
            place = stack.enter_context(tempfile.TemporaryDirectory(dir=SHM, prefix="minisft-fuzz-"))
            workers.append(Worker(Path(place), quiet))

        for _ in range(min(processes, len(tasks))):
            hire()
        while True:
            for worker in [worker for worker in workers if worker.task is None and tasks]:
                worker.give(tasks.pop())
            busy = [worker for worker in workers if worker.task]
            if not busy:
                break
            ready = wait([worker.pipe for worker in busy], SILENCE)
            for worker in [worker for worker in busy if worker.pipe in ready or not ready]:
                kind, first, end = worker.task
                try:
                    if not ready:
                        raise EOFError
                    counted, findings = worker.pipe.recv()
                    counts[kind] += counted
                    for finding in findings:
                        found(finding)
                    worker.task = None
                except EOFError:  # the cases before this one are run again: what was counted of them is lost
                    seed = worker.current.value
                    found(Finding(kind, seed, worker.end(hung=not ready)))
                    tasks += [(kind, *part) for part in ((seed + 1, end), (first, seed)) if part[0] < part[1]]
                    workers.remove(worker)
                    hire()
        for worker in workers:
            worker.give(None)
            worker.process.join()
    return counts
