"""The fuzzer itself: some cases of every kind, and that it would notice."""

import os
import re
import signal
import sys

import pytest

from fuzz import __main__ as fuzz
from fuzz import workers
from fuzz.kinds import Kind, every
from minisft.formats import huggingface

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory and time of a process are bounded as in Linux")


def test_some_cases_of_every_kind_end_in_an_error_of_ours_or_in_a_right_result(capsys):
    assert fuzz.main(["--cases", "400", "--seed", "7"]) == 0, capsys.readouterr().out
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert {line[0] for line in lines} >= {kind.name for kind in every()}
    cases, refused, right, findings = map(int, next(line[1:] for line in lines if line[0] == "all"))
    assert cases == refused + right >= 400 and refused > 0 < right and findings == 0


def test_a_planted_fault_is_found_and_named_by_a_seed_that_finds_it_again(capsys, monkeypatch):
    monkeypatch.setattr(huggingface, "quoted", lambda value: value[0])  # an error in the words of a refusal
    assert fuzz.main(["--only", "config", "--cases", "60"]) == 1
    seeds = re.findall(r"python -m tests.fuzz --only config --seed (\d+) --cases 1\n", capsys.readouterr().out)
    assert seeds
    assert fuzz.main(["--only", "config", "--seed", seeds[-1], "--cases", "1"]) == 1
    assert f"--seed {seeds[-1]} " in capsys.readouterr().out
    monkeypatch.undo()
    assert fuzz.main(["--only", "config", "--seed", seeds[-1], "--cases", "1"]) == 0


def hangs(rng, place):
    while rng:
        pass


def dies(rng, place):
    os.kill(os.getpid(), signal.SIGKILL)


def fills_the_memory(rng, place):
    bytearray(2 * workers.MEMORY)


def is_wrong(rng, place):
    raise workers.Wrong("another θ̃")


def is_odd(rng, place):
    """Only one of its cases is wrong; those before and after it are counted all the same."""
    if rng.random() == ODD:
        os.kill(os.getpid(), signal.SIGKILL)
    return "right"


ODD = workers.random.Random("is_odd 3").random()


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (hangs, "took more than 1 s"),
        (dies, "SIGKILL"),
        (fills_the_memory, "MemoryError"),
        (is_wrong, "another θ̃"),
        (is_odd, "SIGKILL"),
    ],
)
def test_a_case_that_hangs_dies_fills_the_memory_or_is_wrong_is_a_finding(run, words, monkeypatch):
    monkeypatch.setattr(workers, "SECONDS", 1)
    kind, findings = Kind(run.__name__, 1, run, lambda: None), []
    cases = 6 if run is is_odd else 2
    sweep = workers.Sweep([kind], [(kind.name, 0, cases)], report=findings.append)
    sweep.run()
    assert len(findings) == sweep.counts[kind.name]["findings"] == (1 if run is is_odd else 2)
    assert all(words in finding.what for finding in findings)
    assert sweep.counts[kind.name]["right"] == (5 if run is is_odd else 0)
    assert [finding.seed for finding in findings] == ([3] if run is is_odd else [0, 1])
