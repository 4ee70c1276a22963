"""Runs side by side: a process gives what this one would."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from minisft import checkpoint, data, train
from minisft.config import TrainConfig
from minisft.course import side_by_side
from minisft.formats import resources

SHORT = TrainConfig(learning_rate=1e-3, max_steps=3, batch_size=2, max_grad_norm=0.0)


def test_a_fine_tuning_of_its_own_process_gives_theta_at_each_step_looked_at():
    theta_hat, config, tokenizer = checkpoint.load(resources.path("atlas"))
    sequences = [data.encode(e, tokenizer) for e in data.read([resources.path("sums_train.jsonl")])[:8]]
    runs = [
        side_by_side.Finetuning(theta_hat, config, sequences, replace(SHORT, seed=seed), looks=(1, 3))
        for seed in (0, 1)
    ]
    with side_by_side.processes(2) as pool:
        done = list(pool.map(side_by_side.finetuned, runs))
    for run, thetas in zip(runs, done):
        assert list(thetas) == [1, 3]
        for state in train.finetune(theta_hat, config, sequences, run.settings):
            if state.step in thetas:  # float32, and perhaps other threads
                assert thetas[state.step].flat == pytest.approx(state.theta.flat, rel=1e-3, abs=1e-5)
    assert not np.array_equal(done[0][3].flat, done[1][3].flat)  # other batches
    assert np.array_equal(theta_hat.flat, checkpoint.load(resources.path("atlas"))[0].flat)


def test_an_interrupted_cell_leaves_its_processes_to_the_next_one():
    with side_by_side.processes(1) as pool:
        pid = pool.submit(os.getpid).result()
        os.kill(pid, signal.SIGINT)
        assert pool.submit(os.getpid).result() == pid


WAITING = """
import os, time
from minisft.course import side_by_side

if __name__ == "__main__":
    pool = side_by_side.processes(1)
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 600).result()
"""


def test_a_notebook_that_is_killed_takes_its_processes_along(tmp_path):
    (tmp_path / "notebook.py").write_text(WAITING)
    notebook = subprocess.Popen([sys.executable, str(tmp_path / "notebook.py")], stdout=subprocess.PIPE, text=True)
    pid = int(notebook.stdout.readline())
    notebook.kill()
    try:
        notebook.communicate(timeout=30)  # its processes share its standard output: it ends with the last of them
    except subprocess.TimeoutExpired:
        os.kill(pid, signal.SIGKILL)
        raise
