"""An answer that never ends is stopped, wherever it runs and whatever it catches."""

import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from minisft.course.grading import limits
from minisft.course.grading.limits import Overtime, allowance, within
from minisft.course.grading.verdict import Stumbled, run


def for_ever():
    while True:
        pass


def stubborn():
    while True:
        try:
            while True:
                pass
        except:  # noqa: E722
            pass


def polite():
    while True:
        with suppress(Exception):
            for_ever()


@pytest.mark.parametrize("endless", [for_ever, polite, stubborn])
def test_a_loop_without_an_end_is_stopped(endless):
    with pytest.raises(Overtime):
        within(0.1, endless)


@pytest.mark.parametrize("endless", [for_ever, polite])
def test_it_is_stopped_on_another_thread_too(endless):
    caught = []

    def other():
        try:
            within(0.1, endless)
        except Overtime:
            caught.append(True)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join(20)
    assert caught == [True]


def test_what_is_in_time_returns_and_nothing_is_left_behind():
    before = signal.getsignal(signal.SIGPROF)
    assert within(5, lambda: 3) == 3
    assert signal.getitimer(signal.ITIMER_PROF)[0] == 0 and signal.getsignal(signal.SIGPROF) == before


def test_after_a_stop_nothing_rings_any_more():
    with pytest.raises(Overtime):
        within(0.05, stubborn)
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    assert signal.getitimer(signal.ITIMER_PROF)[0] == 0


def test_the_runs_of_one_answer_share_its_limit(monkeypatch):
    def slow(seconds):
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass
        return 1

    with allowance():
        limits.ALLOWANCE.get()[0] = 0.3
        assert run(slow, 0.2) == 1
        with pytest.raises(Stumbled, match="stopped after"):
            run(slow, 0.2)


def test_an_iterator_without_an_end_is_cut():
    def ones():
        while True:
            yield 1

    assert len(run(ones)) == 1_000_000


TRACE_AFTER = """
import sys
from contextlib import suppress
from minisft.course.grading import limits

def endless():
    while True:
        pass

assert limits.by_watcher(5, lambda: 3) == 3
with suppress(limits.Overtime):
    limits.by_watcher(0.2, endless)
seen = []
sys.settrace(lambda frame, event, argument: seen.append(event))
(lambda: 0)()
sys.settrace(None)
assert seen
"""


def test_after_a_watcher_a_trace_works_as_before():
    """In a process of its own: where it fails, it hangs."""
    assert subprocess.run([sys.executable, "-c", TRACE_AFTER], timeout=60).returncode == 0
