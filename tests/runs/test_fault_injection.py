"""Whatever fails, and wherever a process is killed: what was there is there, or what was to come, and nothing between.

These tests take some operations of each command, in turn in another way; python -m tests.fuzz --faults takes all.
"""

import contextlib
import os
from itertools import cycle
from pathlib import Path

import pytest
from fuzz import faults
from fuzz.workers import Wrong
from support.injector import WAYS

from minisft.cli import console

pytestmark = pytest.mark.skipif(not hasattr(os, "fork") or not os.path.isdir("/proc/self/fd"), reason="needs Linux")
STEPS = {"run": 9, "overwrite": 19, "export": 1, "rows": 1}  # every so many-th operation


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    return faults.Stage(tmp_path_factory.mktemp("stage"))


@pytest.mark.parametrize("scenario", faults.SCENARIOS, ids=lambda scenario: scenario.name)
def test_an_operation_that_fails_or_kills_leaves_the_old_or_the_new_and_the_same_line_ends_in_the_same_bytes(
    scenario, stage
):
    seen = faults.operations(stage, scenario)
    assert {what.split()[0] for what in seen} >= {"open", "write", "fsync", "rename"}
    chosen = range(0, len(seen), STEPS[scenario.name])
    for at, way in zip(chosen, cycle(reversed(WAYS))):
        faults.trial(stage, scenario, way, at, seen[at])


def test_what_only_the_last_operations_could_lose_is_not_lost(stage):
    """Where θ̃ itself is written: killed between the record and the weights, and between the weights and the card."""
    run = faults.SCENARIOS[0]
    seen = faults.operations(stage, run)
    last = max(at for at, what in enumerate(seen) if what.startswith("rename .train_config.json"))
    weights = max(at for at, what in enumerate(seen) if what.startswith("rename .model.safetensors"))
    for at in (last, last + 1, weights, weights + 1):
        faults.trial(stage, run, "killed", at, seen[at])


@pytest.mark.parametrize("what", ["open", "write"])
def test_a_run_that_could_not_write_its_last_row_goes_on_from_its_checkpoint(stage, what):
    """Its θ is saved as that of the last step, but the run is not finished: a row is missing."""
    run = faults.SCENARIOS[0]
    seen = faults.operations(stage, run)
    rows = [at for at, one in enumerate(seen) if one == f"{what} metrics.jsonl"]
    at = rows[3]  # step 3, the last, after two steps and an evaluation
    faults.trial(stage, run, "EACCES", at, seen[at])


@contextlib.contextmanager
def in_place(path):
    yield Path(path)


def test_a_file_that_is_written_in_place_is_found_out(stage, monkeypatch):
    monkeypatch.setattr(console, "replacing", in_place)
    rows = next(scenario for scenario in faults.SCENARIOS if scenario.name == "rows")
    seen = faults.operations(stage, rows)
    at = seen.index("write rows.jsonl")
    with pytest.raises(Wrong, match="neither the old file nor the new"):
        faults.trial(stage, rows, "killed", at, seen[at])
