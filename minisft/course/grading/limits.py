"""A limit of processor time for an answer: a loop without an end becomes a sentence, too.

On the main thread a timer of the system interrupts, elsewhere a second thread does. Both are heard between two steps of
Python only: one call of NumPy is not cut short.
"""

import ctypes
import signal
import sys
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar

SECONDS = 10.0
PATIENCE = 3  # interruptions that an `except:` may swallow; from then on the lines behind it are interrupted, too
PAUSE = 0.05  # seconds


ALLOWANCE: ContextVar[list[float]] = ContextVar("seconds of processor time that are left for an answer")


@contextmanager
def allowance():
    """Within it all runs of an answer share one limit of processor time; outside, each has its own."""
    token = ALLOWANCE.set([SECONDS])
    try:
        yield
    finally:
        ALLOWANCE.reset(token)


class Overtime(BaseException):
    """The time is over. Not an Exception, so an answer's own `except Exception` lets it pass."""


def within(seconds, function):
    """function(), which may use so many seconds of processor time. Raises Overtime."""
    on_main = threading.current_thread() is threading.main_thread()
    return by_timer(seconds, function) if on_main and hasattr(signal, "setitimer") else by_watcher(seconds, function)


def by_timer(seconds, function):
    state, traced = {"live": True, "rung": 0}, sys.gettrace()

    def ring(number, frame):
        state["rung"] += 1
        if state["live"] and state["rung"] > PATIENCE:
            sys.settrace(every_line)
            while frame and frame.f_code is not by_timer.__code__:
                frame.f_trace, frame = every_line, frame.f_back
        if state["live"]:
            raise Overtime

    def every_line(frame, event, argument):
        if not state["live"]:
            return None
        if event == "line":
            raise Overtime
        return every_line

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, max(seconds, 1e-3), PAUSE)
    try:
        return function()
    finally:
        state["live"] = False  # first, and not by a call: a call might be interrupted
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, signal.SIG_DFL if before is None else before)
        sys.settrace(traced)


def by_watcher(seconds, function):
    state, over, end = {"live": True}, threading.Event(), time.process_time() + seconds
    asked = ctypes.c_ulong(threading.get_ident())

    def watch():
        while not over.wait(PAUSE) and state["live"]:
            if time.process_time() > end:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(asked, ctypes.py_object(Overtime))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        return function()
    finally:
        state["live"] = False
        over.set()
        met(watcher, asked)


def met(watcher, asked):
    """Wait for the watcher, and meet the last exception here. One that is never met, or that is taken back, leaves a
    flag in Python 3.11 by which every later trace hangs."""
    while True:
        try:
            watcher.join()
            ctypes.pythonapi.PyThreadState_SetAsyncExc(asked, ctypes.py_object(Overtime))
            while True:
                pass
        except Overtime:
            if not watcher.is_alive():
                return
