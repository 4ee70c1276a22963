"""Two runs never share a directory, and a process that was killed does not keep it."""

import json
import os
import platform
import signal
import stat
import subprocess
import sys

import pytest
from support.commandline import command, contents, minisft, sft_line, subprocess_of, wait_for
from support.refusals import refusal

from minisft.runs.lock import LOCK, alone_in


@pytest.fixture
def live(shared, tmp_path):
    """A run in out/ that goes on for the whole test, in a process of its own."""
    line = sft_line(shared, tmp_path / "out", "--max-steps", 1000000, "--save-steps", 1000000)
    with subprocess.Popen(**command(*line), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        metrics = tmp_path / "out" / "metrics.jsonl"
        wait_for(lambda: metrics.exists() and metrics.stat().st_size > 2000, process)
        yield process
        process.kill()


@pytest.mark.parametrize(
    "line",
    [
        "sft {inputs} --output-dir out",
        "sft {inputs} --output-dir out --resume",
        "sft {inputs} --output-dir out --overwrite",
        "sft {inputs} --output-dir ./link --overwrite",
        "pretrain --data {texts} --output-dir out --overwrite",
        "demo --output-dir out",
    ],
)
def test_a_second_run_beside_a_live_one_is_refused_naming_host_and_process(
    live, shared, tmp_path, monkeypatch, capsys, line
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("out")
    inputs = f"--model {shared / 'theta_hat'} --data {shared / 'train.jsonl'}"
    assert minisft(*line.format(inputs=inputs, texts=shared / "texts.jsonl").split()) == 2
    assert f"process {live.pid} on {platform.node()} is writing there" in capsys.readouterr().err
    assert live.poll() is None and (tmp_path / "out" / LOCK).exists()


@pytest.mark.parametrize("flag", ["--resume", "--overwrite"])
def test_a_second_process_beside_a_live_run_changes_nothing_of_it(live, shared, tmp_path, flag):
    """Both are processes of their own, as two people start them; the rows stay those of one run."""
    line = sft_line(shared, tmp_path / "out", "--max-steps", 1000000, "--save-steps", 1000000, "--seed", 1)
    record = (tmp_path / "out" / "train_config.json").read_bytes()
    second = subprocess_of(*line, flag)
    assert second.returncode == 2 and f"process {live.pid} on" in second.stderr and second.stderr.count("\n") == 1
    live.send_signal(signal.SIGKILL)
    live.wait()
    assert (tmp_path / "out" / "train_config.json").read_bytes() == record
    rows = (tmp_path / "out" / "metrics.jsonl").read_text().split("\n")[:-1]
    assert [json.loads(row)["step"] for row in rows] == list(range(1, len(rows) + 1))


def test_a_killed_process_does_not_keep_the_directory(live, sft, tmp_path):
    live.send_signal(signal.SIGKILL)
    live.wait()
    assert stat.S_IMODE((tmp_path / "out" / LOCK).stat().st_mode) == 0o666  # a colleague is not kept out either
    assert sft("out", "--overwrite") == 0
    assert not (tmp_path / "out" / LOCK).exists()


def test_what_is_refused_or_fails_leaves_neither_lock_nor_directory(sft, tmp_path):
    assert sft("new/er/out", "--data", tmp_path / "missing") == 2
    assert contents(tmp_path) == {} and list(tmp_path.iterdir()) == []


def test_the_directory_is_free_again_after_ctrl_c_and_after_an_error(tmp_path):
    for error in (KeyboardInterrupt, OSError, SystemExit):
        with pytest.raises(error), alone_in(tmp_path / "out"):
            assert (tmp_path / "out" / LOCK).exists()
            raise error
        assert not (tmp_path / "out").exists()


def test_within_one_process_a_directory_is_taken_once(tmp_path):
    with alone_in(tmp_path):
        refusal(lambda: alone_in(tmp_path).__enter__(), f"process {os.getpid()} on {platform.node()}")
    with alone_in(tmp_path):
        pass


def test_of_many_processes_that_come_at_once_one_at_a_time_is_inside(tmp_path):
    code = """
import os, sys, time
from pathlib import Path
from minisft.errors import MinisftError
from minisft.runs.lock import alone_in
here, inside = Path(sys.argv[1]), 0
for _ in range(200):
    try:
        with alone_in(here / "out"):
            os.close(os.open(here / "inside", os.O_CREAT | os.O_EXCL))  # fails if somebody else is
            inside += 1
            os.unlink(here / "inside")
    except MinisftError:
        pass
assert inside
"""
    line = command() | {"args": [sys.executable, "-c", code, tmp_path]}
    processes = [subprocess.Popen(**line, stderr=subprocess.PIPE) for _ in range(4)]
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert contents(tmp_path) == {}
