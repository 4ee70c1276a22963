"""A run by MPI that goes wrong or is stopped ends in every rank, soon, and says once why."""

import signal
import subprocess

import numpy as np
import pytest
from support.commandline import PRETRAIN, SFT, command, read_rows, sft_line, wait_for
from support.mpi import by_mpi, finish, mpiexec, script

from minisft import checkpoint

pytestmark = pytest.mark.usefixtures("mpi")
FAILURES = {
    "raise MinisftError('it is broken')": (2, "minisft: error: it is broken"),
    "raise MemoryError('all is full')": (2, "not enough memory (all is full)"),
    "raise RuntimeError('a bug')": (1, "RuntimeError: a bug"),
    "raise KeyboardInterrupt": (130, "minisft: interrupted"),
    "sys.exit(3)": (1, "SystemExit: 3"),
    "os.kill(os.getpid(), signal.SIGKILL)": (None, ""),
}


@pytest.mark.parametrize("failing", [0, 1])
@pytest.mark.parametrize("failure", FAILURES)
def test_a_rank_that_fails_ends_the_job_with_its_error(shared, tmp_path, failing, failure):
    """In the middle of the third step, while the other waits for its part of the sum."""
    code = f"""
calls, backward = [], model.backward
def failing(*arguments):
    calls.append(1)
    if len(calls) == 3 and rank == {failing}:
        {failure}
    backward(*arguments)
model.backward = failing
main(sys.argv[1:])
"""
    done = finish(mpiexec(2, script(code, *sft_line(shared, tmp_path / "out"))), seconds=30)
    status, words = FAILURES[failure]
    assert done.status == status if status else done.status != 0
    assert words in done.err and "step 3/" not in done.err
    assert done.err.count("minisft: error: ") == (status == 2) and (status == 1) == ("Traceback" in done.err)
    assert len(read_rows(tmp_path / "out" / "metrics.jsonl")) == 2


@pytest.mark.parametrize("line", [f"{SFT} --batch-size 0", SFT, f"{PRETRAIN} --tokenizer nowhere", "evaluate"])
def test_a_mistake_that_all_ranks_meet_is_said_once(line):
    done = by_mpi(2, *line.split())
    assert done.status == 2 and done.out == ""
    assert done.err.count("minisft: error: ") == 1 and "Traceback" not in done.err


def test_help_is_printed_once():
    done = by_mpi(2, "sft", "--help")
    assert done.status == 0 and done.out.count("usage: minisft sft") == 1


def test_a_loss_that_is_not_finite_ends_all_ranks_after_rank_0_has_saved_theta(shared, tmp_path):
    """Saving takes longer here than the others would wait for a mistake to be reported."""
    code = """
save = runs.save_model
def slowly(*arguments):
    import time
    time.sleep(2)
    save(*arguments)
runs.save_model = slowly
main(sys.argv[1:])
"""
    line = sft_line(shared, tmp_path / "out", "--learning-rate", 1e300)
    done = finish(mpiexec(2, script(code, *line)))
    assert done.status == 2 and done.err.count("minisft: error: step 1: ") == 1
    assert f"the last good parameters are saved in {tmp_path / 'out'}" in done.err
    assert np.isfinite(checkpoint.load(tmp_path / "out")[0].flat).all()


def test_ctrl_c_saves_theta_of_a_whole_step(shared, tmp_path):
    line = sft_line(shared, tmp_path / "out", "--max-steps", 100000, "--lr-scheduler-type", "constant")
    restored = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}  # in the background it is ignored
    with subprocess.Popen(
        **mpiexec(2, command(*line)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, **restored
    ) as job:
        metrics = tmp_path / "out" / "metrics.jsonl"
        wait_for(lambda: metrics.exists() and metrics.stat().st_size > 2000, job)
        job.send_signal(signal.SIGINT)
        _, err = job.communicate(timeout=30)
    steps = len(read_rows(metrics))
    assert f"after step {steps} is saved in {tmp_path / 'out'}" in err and "Traceback" not in err
    assert job.returncode == 130 and checkpoint.load(tmp_path / "out")


def test_ranks_that_read_other_data_are_refused(shared, tmp_path):
    """As on a second machine with an old copy: rank 1 alone notices, and the job ends."""
    other = tmp_path / "other.jsonl"
    other.write_text((shared / "train.jsonl").read_text().replace("Lima", "Lema"))
    code = f"main([{str(other)!r} if rank and 'train.jsonl' in word else word for word in sys.argv[1:]])"
    done = finish(mpiexec(2, script(code, *sft_line(shared, tmp_path / "out"))))
    assert done.status == 2 and "minisft: error: --data: its content on" in done.err


def test_one_mpi_told_of_two_ranks_and_finding_one_refuses(shared, tmp_path):
    line = command(*sft_line(shared, tmp_path / "out"))
    line["env"] |= {"PMI_SIZE": "2"}
    done = finish(line)
    assert done.status == 2 and "mpiexec: started 2 processes" in done.err and "finds 1" in done.err
    assert not (tmp_path / "out").exists()
