"""Several ranks make the θ̃ of one process: by threads that stand for ranks, and by MPI, where it is installed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from commandline import (
    PRETRAIN,
    ROOT,
    SFT,
    SIZES,
    assert_refused,
    assert_same_run,
    command,
    contents,
    minisft,
    read_rows,
    sft_line,
    subprocess_of,
    wait_for,
)
from conftest import random_sequences, random_theta, tiny_config
from numpy.testing import assert_allclose, assert_array_equal

from minisft import checkpoint, data, model, objective, optim, parallel, train
from minisft.config import REDUCTIONS, TrainConfig
from minisft.errors import MinisftError
from minisft.parallel import ALONE, Ranks

LENGTHS = (7, 2, 5, 7, 3, 9, 4, 6, 5, 8)  # steps of 4 make 3 steps an epoch, the last of 2
SETTINGS = TrainConfig(learning_rate=0.01, batch_size=4, num_train_epochs=2, max_grad_norm=0.5)
COMPARED = ("loss", "objective", "grad_norm", "mean_token_accuracy", "prompt_loss", "completion_loss")


# --- threads that stand for ranks -------------------------------------------------------------------------------------


def in_threads(size, job):
    """[job(ranks) of rank 0, of rank 1, …]: threads with the three calls of MPI that are used; sums in their order."""
    meeting, sent, results = threading.Barrier(size, timeout=30), [None] * size, [None] * size

    def rank_of(number):
        def allreduce(in_place, vector):
            sent[number] = vector.copy()
            meeting.wait()
            vector[...] = sum(sent[1:], start=sent[0])
            meeting.wait()

        mpi = SimpleNamespace(IN_PLACE=None, COMM_WORLD=SimpleNamespace(Allreduce=allreduce))
        try:
            results[number] = job(Ranks(number, size, mpi))
        except MinisftError as error:
            results[number] = error

    threads = [threading.Thread(target=rank_of, args=[number]) for number in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def run(theta, config, sequences, settings, ranks=ALONE):
    """θ̃ and the rows of a whole run."""
    rows = []
    for state in train.finetune(theta, config, sequences, settings, ranks):
        rows.append(state.metrics)
    return state.theta, rows


def assert_same_rows(one, other):
    """Counts are equal, what is measured to rounding; only the time differs."""
    assert len(one) == len(other)
    for row, same in zip(one, other, strict=True):
        assert row.keys() == same.keys()
        for name in row.keys() - {"tokens_per_second"}:
            if name.removeprefix("eval_") in (*COMPARED, "log_prob"):
                assert_allclose(same[name], row[name], rtol=1e-12)
            else:
                assert same[name] == row[name], name


def accumulated(theta, config, sequences, settings):
    """θ̃ of one process that adds up, in every step, the gradients of the two slices that two ranks would take."""
    theta = theta.copy()
    optimizer, total = optim.make(theta, settings), train.steps_in(sequences, settings)
    grad, steps_an_epoch = theta.like(), -(-len(sequences) // settings.batch_size)
    for t in range(total):
        epoch, k = divmod(t, steps_an_epoch)
        order = train.order(len(sequences), settings, epoch)[k * settings.batch_size :][: settings.batch_size]
        whole = data.batch([sequences[i] for i in order], 0.0, settings.loss_reduction, theta.flat.dtype)
        grad.flat[:] = 0
        for rank in range(2):
            part, of_slice = whole.only(Ranks(rank, 2).share(np.diff(whole.starts))), theta.like()
            rows = np.flatnonzero(part.weights)
            if len(part.ids):
                logits, cache = model.forward(theta, config, part.ids, part.starts, rows)
                _, c_objective = objective.forward(logits, part.targets[rows], part.weights[rows])
                model.backward(theta, of_slice, config, cache, objective.backward(c_objective, -1.0))
            grad.flat += of_slice.flat
        optim.clip(grad, settings.max_grad_norm)
        optimizer.step(theta, grad, optim.learning_rate(settings, t, total))
    return theta


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("size", [2, 3, 5])
def test_several_ranks_come_to_the_theta_and_the_rows_of_one_process(config, theta, size, reduction):
    """Five ranks have only four sequences a step, and two in the last of an epoch: who has none adds 0."""
    sequences = random_sequences(lengths=LENGTHS)
    settings = replace(SETTINGS, loss_reduction=reduction, prompt_loss_weight=0.3)
    alone, rows = run(theta, config, sequences, settings)
    results = in_threads(size, lambda ranks: run(theta, config, sequences, settings, ranks))
    assert max(row["grad_norm"] for row in rows) > settings.max_grad_norm  # some are clipped
    for theta_tilde, rows_of_rank in results:
        assert np.abs(theta_tilde.flat - alone.flat).max() <= 1e-12 * np.abs(alone.flat).max()
        assert_same_rows(rows, rows_of_rank)
        assert theta_tilde.flat.tobytes() == results[0][0].flat.tobytes()


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_ranks_are_bit_for_bit_one_process_that_adds_up_their_slices(tied, dtype):
    config = tiny_config(tied)
    theta, sequences = random_theta(config).astype(dtype), random_sequences(lengths=LENGTHS)
    expected = accumulated(theta, config, sequences, SETTINGS)
    for theta_tilde, _ in in_threads(2, lambda ranks: run(theta, config, sequences, SETTINGS, ranks)):
        assert_array_equal(theta_tilde.flat, expected.flat)


def test_each_rank_computes_its_share_and_no_more(config, theta, monkeypatch):
    """In micro-batches of at most --batch-size: its memory does not grow with the step."""
    seen, forward = [], model.forward

    def spying_forward(theta, config, ids, starts, rows, **named):
        seen.append((threading.get_ident(), len(ids), len(starts) - 1))
        return forward(theta, config, ids, starts, rows, **named)

    monkeypatch.setattr(model, "forward", spying_forward)
    settings = replace(SETTINGS, batch_size=2, gradient_accumulation_steps=5, max_steps=1)
    in_threads(2, lambda ranks: run(theta, config, random_sequences(lengths=LENGTHS), settings, ranks))
    tokens = [sum(n for ident, n, _ in seen if ident == who) for who in {ident for ident, _, _ in seen}]
    assert sorted(tokens) == [23, 23]  # of 56 - 10 = 46
    assert max(count for _, _, count in seen) == 2


def test_pretraining_by_several_ranks_is_pretraining(config):
    settings, documents = replace(SETTINGS, seed=3), random_sequences(lengths=LENGTHS)
    *_, alone = train.pretrain(config, documents, settings, np.float64)

    def job(ranks):
        *_, state = train.pretrain(config, documents, settings, np.float64, ranks)
        return state.theta.flat

    for flat in in_threads(3, job):
        assert np.abs(flat - alone.theta.flat).max() <= 1e-12 * np.abs(flat).max()
        assert (flat != alone.theta.flat).any()  # three sums, not one process three times


def test_a_loss_that_is_not_finite_in_one_share_stops_all_ranks_with_the_same_words():
    """Token 16 is read in one sequence only, so one rank alone meets its infinite embedding."""
    config = tiny_config(tied=False)
    theta, sequences = random_theta(config), random_sequences(lengths=LENGTHS, vocabulary=16)
    theta.model.embed_tokens.weight[16] = np.inf
    sequences[0].ids[0] = 16
    settings = replace(SETTINGS, shuffle=False)
    results = in_threads(2, lambda ranks: run(theta, config, sequences, settings, ranks))
    assert all(isinstance(result, MinisftError) for result in results)
    assert str(results[0]) == str(results[1]) and str(results[0]).startswith("step 1: the loss is ")


# --- shares -----------------------------------------------------------------------------------------------------------


def test_every_sequence_has_one_taker_and_the_tokens_are_balanced():
    """By hand: 7 + 5 = 7 + 3 + 2; whoever takes them as they come has 7 + 7 and 2 + 5 + 3."""
    assert [sum(np.array((7, 2, 5, 7, 3))[Ranks(rank, 2).share((7, 2, 5, 7, 3))]) for rank in (0, 1)] == [12, 12]
    rng = np.random.default_rng(0)
    for size in range(1, 6):
        lengths = rng.integers(1, 100, 20)
        shares = np.array([Ranks(rank, size).share(lengths) for rank in range(size)])
        assert (shares.sum(0) == 1).all()
        loads = shares @ lengths
        assert loads.max() - loads.min() <= lengths.max()


def test_more_ranks_than_sequences_leave_some_without():
    assert [Ranks(rank, 3).share([4, 6]) for rank in range(3)] == [[False, True], [True, False], [False, False]]


def test_a_share_of_a_batch_has_its_sequences_in_order_with_the_weights_they_have_in_the_whole(sequences):
    whole = data.batch(sequences, 0.3, "token_mean", np.float64)
    parts = list(whole.split(1))
    share = whole.only([True, False, True, True, False])
    for ours, part in zip(share.split(1), (parts[0], parts[2], parts[3]), strict=True):
        for name in vars(part):
            assert_array_equal(getattr(ours, name), getattr(part, name))
    assert list(whole.only([False] * 5).split(1)) == []


# --- who is there -----------------------------------------------------------------------------------------------------


def mpi_of(size):
    """What mpi4py would be in a job of so many ranks."""
    return SimpleNamespace(COMM_WORLD=SimpleNamespace(size=size, rank=0), get_vendor=lambda: ("MPICH", (5, 0, 0)))


def without_mpi(error):
    module = ModuleType("mpi4py")

    def missing(name):
        raise error

    module.__getattr__ = missing
    return module


@pytest.mark.parametrize("name", ["PMI_SIZE", "OMPI_COMM_WORLD_SIZE"])
def test_what_mpiexec_says_about_the_number_of_ranks_must_be_what_mpi_finds(monkeypatch, capsys, name):
    """One MPI's mpiexec with another's library makes jobs of one rank, which would all write the same files."""
    monkeypatch.setenv(name, "2")
    monkeypatch.setitem(sys.modules, "mpi4py", SimpleNamespace(MPI=mpi_of(1)))
    assert_refused(capsys, SFT, "mpiexec: started 2 processes", "MPICH", "finds 1")
    monkeypatch.setitem(sys.modules, "mpi4py", SimpleNamespace(MPI=mpi_of(2)))
    assert parallel.join().size == 2


def test_one_process_of_mpiexec_is_alone(monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "1")
    assert parallel.join() is ALONE


@pytest.mark.parametrize("error", [ImportError("no mpi4py"), RuntimeError("cannot load MPI library")])
def test_without_the_package_or_its_library_the_message_says_what_to_install(monkeypatch, capsys, error):
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py", without_mpi(error))
    assert_refused(capsys, SFT, "mpiexec: ", str(error), "pip install mpi4py mpich")


def test_without_mpiexec_nothing_of_mpi_is_imported(shared, tmp_path):
    """A package of that name that does not let itself be imported lies first on the path."""
    (tmp_path / "mpi4py").mkdir()
    (tmp_path / "mpi4py" / "__init__.py").write_text("raise SystemExit('mpi4py was imported')")
    process = command(*sft_line(shared, tmp_path / "out"))
    process["env"]["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(**process, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    process["env"]["PMI_SIZE"] = "2"
    assert "mpi4py was imported" in subprocess.run(**process, capture_output=True, timeout=60).stderr


def test_other_commands_refuse_to_run_several_times(monkeypatch, capsys):
    ended = []
    mpi = SimpleNamespace(COMM_WORLD=SimpleNamespace(Abort=ended.append))
    monkeypatch.setattr(parallel, "join", lambda: Ranks(0, 2, mpi))
    assert_refused(capsys, "gradcheck", "gradcheck: is for one process", "pretrain and sft", "leave out mpiexec")
    assert ended == [2]


# --- threads of each rank ---------------------------------------------------------------------------------------------

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


@pytest.mark.parametrize("name", ["MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE"])
@pytest.mark.parametrize(("ranks", "threads"), [("1", None), ("2", "4"), ("3", "2"), ("9", "1")])
def test_the_ranks_of_a_machine_share_its_cores_and_one_process_is_left_alone(monkeypatch, name, ranks, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    for variable in THREADS:
        monkeypatch.setenv(variable, "")  # so that monkeypatch takes back what is set below
        monkeypatch.delenv(variable)
    monkeypatch.setenv(name, ranks)
    parallel.share_cores()
    assert [os.environ.get(variable) for variable in THREADS] == [threads, threads]


def test_threads_that_the_user_has_set_stay(monkeypatch):
    monkeypatch.setenv("MPI_LOCALNRANKS", "2")
    for variable in THREADS:
        monkeypatch.setenv(variable, "7")
    parallel.share_cores()
    assert [os.environ[variable] for variable in THREADS] == ["7", "7"]


def test_the_cores_are_shared_before_numpy_is_imported():
    """By the command, from its front door: what numpy would read is noted as it is imported."""
    code = """
import os, sys
class Note:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            print(os.environ.get("OPENBLAS_NUM_THREADS"), flush=True)
sys.meta_path.insert(0, Note())
from minisft.__main__ import main
sys.argv = ["minisft", "--version"]
main()
"""
    environment = {name: value for name, value in os.environ.items() if name not in THREADS}
    environment |= {"PYTHONPATH": str(ROOT), "MPI_LOCALNRANKS": "9999"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[0] == "1", done.stderr
    script = [line for line in (ROOT / "pyproject.toml").read_text().splitlines() if line.startswith("minisft = ")]
    assert script == ['minisft = "minisft.__main__:main"']


# --- by MPI -----------------------------------------------------------------------------------------------------------

BESIDE = Path(sys.executable).with_name("mpiexec")
MPIEXEC = str(BESIDE) if BESIDE.exists() else shutil.which("mpiexec")


def mpiexec(size, line):
    return {**line, "args": [MPIEXEC, "-n", str(size), *line["args"]]}


def finish(process, seconds=60):
    """Exit status, standard output and error. The job must end by itself within these seconds."""
    began = time.monotonic()
    with subprocess.Popen(**process, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as job:
        try:
            out, err = job.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(job.pid, signal.SIGKILL)
            raise AssertionError(f"the job hangs: {job.communicate()}") from None
    return SimpleNamespace(status=job.returncode, out=out, err=err, seconds=time.monotonic() - began)


def by_mpi(size, *arguments):
    return finish(mpiexec(size, command(*arguments)))


def script(code, *arguments):
    """A line of Python for every rank, after the imports and `rank`."""
    start = "import os, sys, hashlib, signal, numpy as np; from minisft import *; from minisft import model, runs\n"
    start += "from minisft.cli.main import main\n"
    start += "rank = int(os.environ.get('PMI_RANK') or os.environ['OMPI_COMM_WORLD_RANK'])\n"
    line = command(*arguments)
    line["args"][1:3] = ["-c", start + code]
    line["env"]["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return line


@pytest.fixture(scope="session")
def mpi():
    """Skips the test where no MPI works with this Python."""
    if not MPIEXEC:
        pytest.skip("no mpiexec: pip install mpi4py mpich")
    code = "from mpi4py import MPI; print(MPI.COMM_WORLD.size)"
    line = {"args": [sys.executable, "-c", code], "text": True}
    done = finish(mpiexec(2, line))
    if "".join(done.out.split()) != "22":
        pytest.skip(f"mpiexec does not start two ranks of this Python: {done.err.strip()[-200:]}")


needs_mpi = pytest.mark.usefixtures("mpi")


@needs_mpi
def test_sft_by_two_ranks_comes_to_the_run_of_one_process(shared, tmp_path):
    """θ̃ to 1e-12 in float64, the rows of metrics.jsonl, the files, the settings, and what is printed."""
    flags = ["--dtype", "float64", "--prompt-loss-weight", 0.3, "--save-steps", 4, "--eval-steps", 3]
    flags += ["--eval-data", shared / "train.jsonl", "--batch-size", 3, "--json"]
    one = subprocess_of(*sft_line(shared, tmp_path / "one", *flags))
    two = by_mpi(2, *sft_line(shared, tmp_path / "two", *flags))
    assert (one.returncode, two.status) == (0, 0), two.err
    theta, theta_2 = (checkpoint.load(tmp_path / name, np.float64)[0].flat for name in ("one", "two"))
    assert np.abs(theta - theta_2).max() <= 1e-12 * np.abs(theta).max()
    assert (theta != theta_2).any()  # two sums, not one process twice
    rows, rows_2 = (read_rows(tmp_path / name / "metrics.jsonl") for name in ("one", "two"))
    assert_same_rows(rows, rows_2)
    assert contents(tmp_path / "one").keys() == contents(tmp_path / "two").keys()
    record, record_2 = (json.loads((tmp_path / name / "train_config.json").read_text()) for name in ("one", "two"))
    assert record == record_2
    assert json.loads(two.out).keys() == json.loads(one.stdout).keys()  # one object, so one rank has printed
    assert len(two.err.splitlines()) == len(one.stderr.splitlines())


@needs_mpi
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sft_by_two_ranks_is_bit_for_bit_one_process_that_adds_up_their_slices(shared, tmp_path, dtype):
    flags = ["--dtype", dtype, "--batch-size", 4]
    assert by_mpi(2, *sft_line(shared, tmp_path / "out", *flags)).status == 0
    theta_hat, config, tokenizer = checkpoint.load(shared / "theta_hat", dtype)
    sequences = [data.encode(example, tokenizer) for example in data.read([shared / "train.jsonl"])]
    settings = TrainConfig(learning_rate=1e-3, batch_size=4, max_steps=6)
    expected = accumulated(theta_hat, config, sequences, settings)
    assert_array_equal(checkpoint.load(tmp_path / "out", dtype)[0].flat, expected.flat)


@needs_mpi
def test_what_is_frozen_stays_so_in_every_rank_and_the_rest_is_that_of_one_process(shared, tmp_path):
    flags = ["--train-only", "*.mlp.*", "model.norm.weight", "--dtype", "float64", "--batch-size", 3]
    flags += ["--max-grad-norm", 0.1]
    assert subprocess_of(*sft_line(shared, tmp_path / "one", *flags)).returncode == 0
    assert by_mpi(2, *sft_line(shared, tmp_path / "two", *flags)).status == 0
    places = shared / "theta_hat", tmp_path / "one", tmp_path / "two"
    theta_hat, one, two = (checkpoint.load(place, np.float64)[0] for place in places)
    assert np.abs(one.flat - two.flat).max() <= 1e-12 * np.abs(one.flat).max()
    moved = {name for name in two.named if (two.named[name] != theta_hat.named[name]).any()}
    assert moved == {name for name in two.named if ".mlp." in name or name == "model.norm.weight"}
    assert_same_rows(*(read_rows(place / "metrics.jsonl") for place in places[1:]))


@needs_mpi
@pytest.mark.parametrize(("size", "count"), [(2, 10), (3, 10), (3, 2)])
def test_every_rank_holds_the_same_bits(config, theta, size, count, tmp_path):
    """And those are θ̃ of one process; of three ranks one has no sequence if a step has two."""
    code = f"""
from conftest import *; from minisft import parallel, train; from minisft.config import TrainConfig
config = tiny_config()
settings = TrainConfig(learning_rate=0.01, batch_size=4, num_train_epochs=2, max_grad_norm=0.5)
sequences = random_sequences(lengths={LENGTHS[:count]})
for state in train.finetune(random_theta(config), config, sequences, settings, parallel.join()):
    pass
with open(os.path.join(sys.argv[1], str(rank)), "wb") as file:
    file.write(state.theta.flat.tobytes())
"""
    done = finish(mpiexec(size, script(code, tmp_path)))
    assert done.status == 0, done.err
    thetas = [(tmp_path / str(rank)).read_bytes() for rank in range(size)]
    assert len(set(thetas)) == 1
    alone, _ = run(theta, config, random_sequences(lengths=LENGTHS[:count]), SETTINGS)
    assert np.abs(np.frombuffer(thetas[0]) - alone.flat).max() <= 1e-12 * np.abs(alone.flat).max()


@needs_mpi
def test_pretrain_by_two_ranks_comes_to_the_run_of_one_process(shared, tmp_path):
    line = ["pretrain", "--data", shared / "texts.jsonl", *SIZES, "--dtype", "float64", "--max-steps", 4]
    assert minisft(*line, "--output-dir", tmp_path / "one") == 0
    assert by_mpi(2, *line, "--output-dir", tmp_path / "two").status == 0
    theta, theta_2 = (checkpoint.load(tmp_path / name, np.float64)[0].flat for name in ("one", "two"))
    assert np.abs(theta - theta_2).max() <= 1e-12 * np.abs(theta).max() and (theta != theta_2).any()
    assert_same_rows(*(read_rows(tmp_path / name / "metrics.jsonl") for name in ("one", "two")))


@needs_mpi
def test_a_run_of_two_ranks_resumes_bit_for_bit_and_a_finished_one_ends_at_once(shared, tmp_path):
    for name in ("whole", "parts"):
        assert by_mpi(2, *sft_line(shared, tmp_path / name, "--save-steps", 4)).status == 0
    (tmp_path / "parts" / "model.safetensors").unlink()
    resumed = by_mpi(2, *sft_line(shared, tmp_path / "parts", "--save-steps", 4, "--resume"))
    assert resumed.status == 0 and "going on after step 4" in resumed.err
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    flags = ["--save-steps", 3, "--resume"]
    for after in (4, 6):  # its checkpoint-6 is written by the first
        resumed = by_mpi(2, *sft_line(shared, tmp_path / "parts", *flags))
        assert resumed.status == 0 and f"going on after step {after}" in resumed.err
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


FAILURES = {
    "raise MinisftError('it is broken')": (2, "minisft: error: it is broken"),
    "raise MemoryError('all is full')": (2, "not enough memory (all is full)"),
    "raise RuntimeError('a bug')": (1, "RuntimeError: a bug"),
    "raise KeyboardInterrupt": (130, "minisft: interrupted"),
    "sys.exit(3)": (1, "SystemExit: 3"),
    "os.kill(os.getpid(), signal.SIGKILL)": (None, ""),
}


@needs_mpi
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


@needs_mpi
@pytest.mark.parametrize("line", [f"{SFT} --batch-size 0", SFT, f"{PRETRAIN} --tokenizer nowhere", "evaluate"])
def test_a_mistake_that_all_ranks_meet_is_said_once(line):
    done = by_mpi(2, *line.split())
    assert done.status == 2 and done.out == ""
    assert done.err.count("minisft: error: ") == 1 and "Traceback" not in done.err


@needs_mpi
def test_help_is_printed_once():
    done = by_mpi(2, "sft", "--help")
    assert done.status == 0 and done.out.count("usage: minisft sft") == 1


@needs_mpi
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


@needs_mpi
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


@needs_mpi
def test_ranks_that_read_other_data_are_refused(shared, tmp_path):
    """As on a second machine with an old copy: rank 1 alone notices, and the job ends."""
    other = tmp_path / "other.jsonl"
    other.write_text((shared / "train.jsonl").read_text().replace("Lima", "Lema"))
    code = f"main([{str(other)!r} if rank and 'train.jsonl' in word else word for word in sys.argv[1:]])"
    done = finish(mpiexec(2, script(code, *sft_line(shared, tmp_path / "out"))))
    assert done.status == 2 and "minisft: error: --data: its content on" in done.err


@needs_mpi
def test_only_rank_0_reads_and_writes_in_the_directory_of_the_run(shared, tmp_path):
    """The other is given another one, with a broken run in it, at which it must not even look."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "metrics.jsonl").write_text("nonsense\n")
    before = contents(tmp_path)
    code = f"main([{str(tmp_path / 'broken')!r} if rank and word.endswith('out') else word for word in sys.argv[1:]])"
    done = finish(mpiexec(2, script(code, *sft_line(shared, tmp_path / "out", "--save-steps", 2))))
    assert done.status == 0, done.err
    assert before.items() <= contents(tmp_path).items() and len(contents(tmp_path / "broken")) == 1
    assert (tmp_path / "out" / "checkpoint-6").exists()


@needs_mpi
def test_the_parameters_that_all_start_from_are_those_of_rank_0(shared, tmp_path):
    assert by_mpi(2, *sft_line(shared, tmp_path / "whole")).status == 0
    code = """
load = checkpoint.load
def other(*arguments):
    theta, config, tokenizer = load(*arguments)
    theta.flat[:] += rank
    return theta, config, tokenizer
checkpoint.load = other
main(sys.argv[1:])
"""
    code = "from minisft import checkpoint\n" + code
    done = finish(mpiexec(2, script(code, *sft_line(shared, tmp_path / "parts"))))
    assert done.status == 0, done.err
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


@needs_mpi
def test_one_mpi_told_of_two_ranks_and_finding_one_refuses(shared, tmp_path):
    line = command(*sft_line(shared, tmp_path / "out"))
    line["env"] |= {"PMI_SIZE": "2"}
    done = finish(line)
    assert done.status == 2 and "mpiexec: started 2 processes" in done.err and "finds 1" in done.err
    assert not (tmp_path / "out").exists()
