"""Runs that do not depend on each other, each in a process of its own, as many at a time as there are cores.

    with side_by_side.processes() as pool:
        for thetas in pool.map(side_by_side.finetuned, runs): ...

What is run has to be a function of a module, and what it gets and gives is copied from one process to the other.
"""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from minisft import train
from minisft.config import ModelConfig, TrainConfig
from minisft.data import Sequence
from minisft.params import Params
from minisft.runs import allocator


def processes(count: int | None = None) -> ProcessPoolExecutor:
    """Processes that wait for runs, one a core and at most 3 (memory), each with one thread for its matrix products."""
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ.setdefault(variable, "1")  # read when a process loads NumPy: this one already has
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")  # a fresh interpreter: a kernel has threads, which a fork would lose
    return ProcessPoolExecutor(count or min(3, cores), context, first)


def first() -> None:
    """What each of these processes does before its first run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a cell that is interrupted leaves its processes to the next one
    threading.Thread(target=end_with_the_notebook, daemon=True).start()
    allocator.keep_freed_arrays()


def end_with_the_notebook() -> None:
    """Or they would outlive a kernel that is killed, and wait for ever."""
    notebook = multiprocessing.parent_process()
    if notebook:
        notebook.join()
        os._exit(1)


class Finetuning(NamedTuple):
    """All that decides what one run of `train.finetune` gives. looks: the steps t whose θ_t are wanted."""

    theta_hat: Params
    config: ModelConfig
    sequences: list[Sequence]
    settings: TrainConfig
    looks: tuple


def finetuned(run: Finetuning) -> dict[int, Params]:
    """{t: θ_t}, at the steps looked at."""
    states = train.finetune(run.theta_hat, run.config, run.sequences, run.settings)
    return {state.step: state.theta.copy() for state in states if state.step in run.looks}
