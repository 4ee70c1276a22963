"""Workers in separate processes, asked in turn A B A B, and the ratios of what they answer.

In one process two pools of threads starve each other and the shared allocator changes the result, so each side has its
own, and only one works at a time. With one thread, CPU time counts; with two, wall time.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import psutil
from safetensors.numpy import load_file, save_file

from benchmarks import sizes
from benchmarks.sizes import Size

ROOT = Path(__file__).resolve().parents[1]
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
CORETYPE = "OPENBLAS_CORETYPE"
OTHERS = 0.12  # cores that other programs may use during a sample by the clock


class Worker:
    """One side of a comparison. kernel: the value of OPENBLAS_CORETYPE for it; None: unset. ranks: by mpiexec."""

    def __init__(
        self, side: str, size: Size, checkpoint: str, threads: int = 1, kernel: str | None = None, ranks: int = 1
    ):
        self.side, began = side, time.perf_counter()
        environment = os.environ | dict.fromkeys(THREADS, str(threads)) | {"NUMPY_MADVISE_HUGEPAGE": "0"}
        environment.pop(CORETYPE, None)
        if kernel:
            environment[CORETYPE] = kernel
        self.process = subprocess.Popen(
            [
                *([str(Path(sys.executable).with_name("mpiexec")), "-n", str(ranks)] if ranks > 1 else []),
                *(sys.executable, "-m", "benchmarks.worker", side, json.dumps(asdict(size)), checkpoint, str(threads)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        self.answer()  # it is ready
        self.seconds_to_start = time.perf_counter() - began

    def answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"benchmarks: the {self.side} worker ended; its error is above")
        return json.loads(line)

    def ask(self, do: str, **request) -> dict:
        print(json.dumps({"do": do} | request), file=self.process.stdin, flush=True)
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def kernels() -> list[str | None]:
    """The settings of OPENBLAS_CORETYPE to measure: as found, and unset."""
    found = os.environ.get(CORETYPE)
    return [found, None] if found else [None]


def named(kernel):
    return kernel or "unset"


@contextmanager
def checkpoint_of(size: Size):
    """A file with the parameters that both sides load."""
    with tempfile.TemporaryDirectory() as folder:
        save_file(sizes.theta(size).named, f"{folder}/theta.safetensors")
        yield f"{folder}/theta.safetensors"


@contextmanager
def workers(size: Size, sides: list[str], threads: int = 1, ranks: int = 1):
    """{name: Worker}. minisft is there once for every kernel, as "minisft Haswell" and so on; ranks count for it."""
    with ExitStack() as stack:
        checkpoint = stack.enter_context(checkpoint_of(size))
        result = {}
        for side in sides:
            if side == "minisft":
                for kernel in kernels():
                    worker = Worker(side, size, checkpoint, threads // ranks, kernel, ranks)
                    result[f"minisft {named(kernel)}"] = worker
            else:
                result[side] = Worker(side, size, checkpoint, threads)
        for worker in result.values():
            stack.callback(worker.close)
        yield result


def prepare(found: dict[str, Worker], data: str):
    """Give all the same data, and compare losses and every gradient before anything is timed."""
    first, *others = found
    with tempfile.TemporaryDirectory() as folder:
        losses, grads = {}, {}
        for name, worker in found.items():
            worker.ask("prepare", data=data)
            losses[name] = worker.ask("gradient", to=f"{folder}/grad.safetensors")["loss"]
            grads[name] = load_file(f"{folder}/grad.safetensors")
    for other in others:
        off = abs(losses[other] - losses[first]) / abs(losses[first])
        for tensor, ours in grads[first].items():
            theirs = grads[other][tensor]
            off = max(off, float(np.abs(ours - theirs).max() / np.abs(theirs).max()))
        if not off <= 1e-4:  # float32; the tests compare to 1e-5, with care for conditioning
            raise SystemExit(f"benchmarks: {first} and {other} differ by {off:.1e} in the loss or a gradient")


def busy_with_others(worker: Worker, ask):
    """What `ask` returns, and how many cores other programs used meanwhile, on average."""

    def used():
        ours = psutil.Process(worker.process.pid)
        every = [ours, *ours.children(recursive=True)]
        times = psutil.cpu_times()
        own = sum(sum(process.cpu_times()[:2]) for process in every)
        return times.user + times.nice + times.system - own

    before, began = used(), time.perf_counter()
    result = ask()
    return result, (used() - before) / (time.perf_counter() - began)


def alternate(found: dict[str, Worker], pairs: int, do: str, clock: str, seconds: float = 0.15, **request):
    """{name: [seconds of a call, one a round]} and {name: the last answer}: each side in turn, `pairs` rounds.

    A sample is as many calls as last about `seconds`. Two calls before the first round warm up. By the wall clock,
    rounds in which other programs used more than OTHERS cores are thrown away; if fewer than 3 are left, all are.
    """
    times, last = {}, {}
    for name, worker in found.items():
        once = [worker.ask(do, times=1, **request)[clock] for _ in range(2)]
        times[name] = max(1, round(seconds / max(min(once), 1e-6)))
    rounds = []
    while len(rounds) < pairs:
        others, taken = 0.0, {}
        for name, worker in found.items():
            last[name], busy = busy_with_others(worker, partial(worker.ask, do, times=times[name], **request))
            others, taken[name] = max(others, busy), last[name][clock]
        rounds.append((others, taken))
    quiet = [taken for others, taken in rounds if clock == "cpu" or others <= OTHERS]
    return {name: [taken[name] for taken in quiet if len(quiet) >= 3] for name in found}, last


def ratios(ours: list[float], theirs: list[float]) -> dict:
    """Median of the paired ratios theirs / ours, and its spread: from the first to the third quartile."""
    paired = [b / a for a, b in zip(ours, theirs)]
    low, _, high = statistics.quantiles(paired, n=4) if len(paired) > 1 else (paired[0],) * 3
    return {"ratio": statistics.median(paired), "low": low, "high": high}
