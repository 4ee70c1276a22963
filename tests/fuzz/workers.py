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

    def __init__(self, quiet):
        self.place = tempfile.TemporaryDirectory(dir=SHM, prefix="minisft-fuzz-")
        self.pipe, theirs = CONTEXT.Pipe()
        self.current, self.before = CONTEXT.RawValue("q", -1), -1
        target = theirs, self.current, Path(self.place.name), quiet
        self.process = CONTEXT.Process(target=work, args=target, daemon=True)
        self.process.start()
        theirs.close()
        self.task = None

    def give(self, task):
        self.task = task
        self.pipe.send(task)

    def hangs(self):
        """Whether it is still at the case at which it was when it was last asked."""
        before, self.before = self.before, self.current.value
        return before == self.before

    def end(self, kill=False):
        """Waits for the end of the process, or ends it; returns how it died."""
        if kill:
            self.process.kill()
        self.process.join()
        self.pipe.close()
        self.place.cleanup()
        code = self.process.exitcode
        how = signal.Signals(-code).name if code < 0 else code
        if kill:
            return f"waited for {SILENCE} s"
        return f"took more than {SECONDS} s" if how == "SIGPROF" else f"the process died ({how})"


class Sweep:
    """Tasks (name of a kind, first seed, one after the last), and in `counts` what came of them: {kind: Counter}.

    report  is called with each Finding as it comes
    """

    def __init__(self, kinds, tasks, quiet=True, report=lambda finding: None):
        KINDS.update({kind.name: kind for kind in kinds})
        for kind in kinds:
            kind.prepare()
        self.tasks, self.counts, self.report = list(reversed(tasks)), defaultdict(Counter), report
        self.quiet, self.workers = quiet, []

    def run(self, processes=1):
        """Run all tasks, so many processes at a time; Ctrl-C stops, and what was counted stays."""
        self.workers = [Worker(self.quiet) for _ in range(min(processes, len(self.tasks)))]
        with contextlib.suppress(KeyboardInterrupt):
            while self.tasks or any(worker.task for worker in self.workers):
                self.turn()
        for worker in self.workers:
            if not worker.task:
                worker.give(None)
            worker.end(kill=worker.task is not None)

    def turn(self):
        """Give tasks to those who have none, and wait until one is done, or its process dead."""
        for worker in self.workers:
            if not worker.task and self.tasks:
                worker.give(self.tasks.pop())
        busy = [worker for worker in self.workers if worker.task]
        ready = wait([worker.pipe for worker in busy], SILENCE)
        for worker in busy:
            if worker.pipe in ready:
                try:
                    counted, findings = worker.pipe.recv()
                except EOFError:
                    self.lose(worker, kill=False)
                    continue
                self.counts[worker.task[0]] += counted
                for finding in findings:
                    self.found(finding)
                worker.task = None
            elif not ready and worker.hangs():
                self.lose(worker, kill=True)

    def lose(self, worker, kill):
        """A process is dead, or hangs: a finding. The cases before it were counted by the dead, so they run again."""
        (kind, first, end), seed = worker.task, worker.current.value
        self.found(Finding(kind, seed, worker.end(kill)))
        self.tasks += [(kind, *part) for part in ((seed + 1, end), (first, seed)) if part[0] < part[1]]
        self.workers[self.workers.index(worker)] = Worker(self.quiet)

    def found(self, finding):
        self.counts[finding.kind]["findings"] += 1
        self.report(finding)
