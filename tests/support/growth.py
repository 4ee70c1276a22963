"""How the work for an input grows with its size, as a ratio: no seconds, so a slow machine says the same."""

import gc
import time


def growth(work, size=20_000, times=4):
    """The processor time of work(times · size) in units of that of work(size): about `times` if it is linear."""
    return seconds(work, times * size) / max(seconds(work, size), 1e-4)


def seconds(work, size):
    """The best of three, without Python's collector: what else there is to do can only add to it."""
    measured = []
    gc.disable()
    try:
        for _ in range(3):
            began = time.process_time()
            work(size)
            measured.append(time.process_time() - began)
    finally:
        gc.enable()
    return min(measured)
