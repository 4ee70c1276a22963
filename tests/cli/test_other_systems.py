"""What only Linux has is a help and never a need: without it the commands end in the same bytes."""

import contextlib
import json
import os
import subprocess
import sys
import time

import pytest
from support import elsewhere
from support.commandline import ROOT, command, sft_line, subprocess_of

from minisft.course import side_by_side
from minisft.course.grading import limits
from minisft.runs import allocator

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pretends to be elsewhere, on Linux")


def there(*arguments):
    """A command in a process of its own, on a system without all that."""
    line = command(*arguments)
    line["args"][1:3] = [str(ROOT / "tests/support/elsewhere.py")]
    return subprocess.run(**line, capture_output=True, timeout=60)


def weights(directory):
    return (directory / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def here(shared, tmp_path_factory):
    """θ̃ of six steps on this system, in bytes."""
    out = tmp_path_factory.mktemp("here") / "out"
    done = subprocess_of(*sft_line(shared, out, "--max-steps", 6))
    assert done.returncode == 0, done.stderr
    return weights(out)


def test_a_run_ends_in_the_same_bytes(shared, tmp_path, here):
    done = there(*sft_line(shared, tmp_path / "out", "--max-steps", 6))
    assert done.returncode == 0, done.stderr
    assert weights(tmp_path / "out") == here


def test_so_does_a_run_that_was_stopped_and_resumed(shared, tmp_path, here):
    line = sft_line(shared, tmp_path / "out", "--max-steps", 6, "--save-steps", 2)
    assert there(*line).returncode == 0
    for name in ("model.safetensors", "checkpoint-6/model.safetensors", "checkpoint-4/model.safetensors"):
        (tmp_path / "out" / name).unlink()  # as if it had been stopped after the second step
    done = there(*line, "--resume")
    assert done.returncode == 0, done.stderr
    assert weights(tmp_path / "out") == here


def test_a_model_is_replaced_where_open_files_cannot_be(shared, tmp_path, here):
    """sft reads a model and then writes one; with --overwrite, onto one that it has looked at."""
    line = sft_line(shared, tmp_path / "out", "--max-steps", 6)
    assert there(*line).returncode == 0
    done = there(*line, "--overwrite")
    assert done.returncode == 0, done.stderr
    assert weights(tmp_path / "out") == here


@pytest.mark.parametrize(
    "line",
    [
        "evaluate --model {model} --data {data} --max-new-tokens 4 --json",
        "generate --model {model} --prompt Hi --max-new-tokens 4 --json",
        "inspect --model {model} --data {data} --json",
        "gradcheck --json",
        "pretrain --data {texts} --output-dir {out} --max-steps 2 --vocab-size 300 --hidden-size 16 --json",
        "course {out} --json",
    ],
    ids=lambda line: line.split()[0],
)
def test_the_other_commands_work_as_well(shared, tmp_path, line):
    places = {
        "model": shared / "theta_hat",
        "data": shared / "train.jsonl",
        "texts": shared / "texts.jsonl",
        "out": tmp_path / "out",
    }
    done = there(*(word.format(**places) for word in line.split()))
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)


def test_an_answer_without_an_end_is_interrupted_without_a_timer(monkeypatch):
    monkeypatch.delattr(limits.signal, "setitimer")
    began = time.process_time()
    with pytest.raises(limits.Overtime), contextlib.suppress(ZeroDivisionError):
        limits.within(0.2, lambda: [None for _ in iter(int, 1)])
    assert time.process_time() - began < 5


def test_the_allocator_says_no_where_there_is_no_glibc(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("MALLOC_", "GLIBC_TUNABLES"))]:
        monkeypatch.delenv(name)
    elsewhere.hide(monkeypatch.setattr, monkeypatch.delattr, lambda name, value: None)
    assert allocator.keep_freed_arrays() is False


def test_cores_are_counted_where_a_process_has_no_affinity(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        monkeypatch.setenv(name, "1")
    with side_by_side.processes() as pool:
        assert pool._max_workers == 1


def test_what_is_taken_away_is_away(tmp_path, monkeypatch):
    elsewhere.hide(
        monkeypatch.setattr, monkeypatch.delattr, lambda name, value: monkeypatch.setitem(sys.modules, name, value)
    )
    (tmp_path / "a").write_text("a", encoding="utf-8")
    (tmp_path / "b").write_text("b", encoding="utf-8")
    with pytest.raises(ImportError):
        import fcntl  # noqa: F401
    with pytest.raises(PermissionError):
        os.open(tmp_path, os.O_RDONLY)
    with open(tmp_path / "b", encoding="utf-8") as file:
        with pytest.raises(PermissionError):
            os.replace(tmp_path / "a", tmp_path / "b")
        with pytest.raises(OSError, match="Bad file"):
            os.fsync(file.fileno())
    assert not hasattr(os, "fork")
