"""Several ranks make the θ̃ of one process: by MPI, where it is installed."""

import json

import numpy as np
import pytest
from conftest import random_sequences, random_theta
from numpy.testing import assert_array_equal
from support.commandline import SIZES, assert_same_run, contents, minisft, read_rows, sft_line, subprocess_of
from support.mpi import by_mpi, finish, mpiexec, script
from support.whole_runs import LENGTHS, SETTINGS, accumulated, assert_same_rows, run

from minisft import checkpoint, data, frozen
from minisft.config import TrainConfig

pytestmark = pytest.mark.usefixtures("mpi")


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
    assert record.pop("ranks") == 1 and record_2.pop("ranks") == 2
    assert record.pop("saved")["num_tokens"] == record_2.pop("saved")["num_tokens"]  # of θ, which differs by rounding
    assert record == record_2
    assert json.loads(two.out).keys() == json.loads(one.stdout).keys()  # one object, so one rank has printed
    assert len(two.err.splitlines()) == len(one.stderr.splitlines())


def test_patience_ends_all_ranks_after_the_same_step(shared, tmp_path):
    """The rate is so small that eval_loss stays as it is: what rank 0 measures ends the others as well."""
    flags = ["--dtype", "float64", "--eval-steps", 1, "--eval-data", shared / "train.jsonl", "--learning-rate", 1e-30]
    flags += ["--load-best-model-at-end", "--early-stopping-patience", 2]
    one = subprocess_of(*sft_line(shared, tmp_path / "one", *flags))
    two = by_mpi(2, *sft_line(shared, tmp_path / "two", *flags))
    assert (one.returncode, two.status) == (0, 0), two.err
    rows, rows_2 = (read_rows(tmp_path / name / "metrics.jsonl") for name in ("one", "two"))
    assert rows[-1]["step"] == rows_2[-1]["step"] == 3
    saved = [json.loads((tmp_path / name / "train_config.json").read_text())["saved"] for name in ("one", "two")]
    assert saved[0]["best_step"] == saved[1]["best_step"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sft_by_two_ranks_is_bit_for_bit_one_process_that_adds_up_their_slices(shared, tmp_path, dtype):
    flags = ["--dtype", dtype, "--batch-size", 4]
    assert by_mpi(2, *sft_line(shared, tmp_path / "out", *flags)).status == 0
    theta_hat, config, tokenizer = checkpoint.load(shared / "theta_hat", dtype)
    sequences = [data.encode(example, tokenizer) for example in data.read([shared / "train.jsonl"])]
    settings = TrainConfig(learning_rate=1e-3, batch_size=4, max_steps=6)
    expected = accumulated(theta_hat, config, sequences, settings)
    assert_array_equal(checkpoint.load(tmp_path / "out", dtype)[0].flat, expected.flat)


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


def test_pretrain_by_two_ranks_comes_to_the_run_of_one_process(shared, tmp_path):
    line = ["pretrain", "--data", shared / "texts.jsonl", *SIZES, "--dtype", "float64", "--max-steps", 4]
    assert minisft(*line, "--output-dir", tmp_path / "one") == 0
    assert by_mpi(2, *line, "--output-dir", tmp_path / "two").status == 0
    theta, theta_2 = (checkpoint.load(tmp_path / name, np.float64)[0].flat for name in ("one", "two"))
    assert np.abs(theta - theta_2).max() <= 1e-12 * np.abs(theta).max() and (theta != theta_2).any()
    assert_same_rows(*(read_rows(tmp_path / name / "metrics.jsonl") for name in ("one", "two")))


def test_a_run_of_two_ranks_resumes_bit_for_bit_and_a_finished_one_ends_at_once(shared, tmp_path):
    for name in ("whole", "parts"):
        assert by_mpi(2, *sft_line(shared, tmp_path / name, "--save-steps", 4)).status == 0
    (tmp_path / "parts" / "model.safetensors").unlink()
    resumed = by_mpi(2, *sft_line(shared, tmp_path / "parts", "--save-steps", 4, "--resume"))
    assert resumed.status == 0 and "going on after step 4" in resumed.err
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    before = contents(tmp_path / "parts")
    resumed = by_mpi(2, *sft_line(shared, tmp_path / "parts", "--save-steps", 3, "--resume"))
    assert resumed.status == 0 and "is finished" in resumed.err and contents(tmp_path / "parts") == before
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


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


@pytest.mark.parametrize("kept", ["0", "1024"])
def test_an_adapter_of_two_ranks_is_that_of_one_process_and_theta_hat_moves_in_none(shared, tmp_path, kept):
    """And rows of frozen blocks, of which each rank computes a part: there is one block here, so none are kept."""
    flags = ["--lora-r", 2, "--dtype", "float64", "--batch-size", 3, "--cache-frozen", kept]
    assert subprocess_of(*sft_line(shared, tmp_path / "one", *flags)).returncode == 0
    assert by_mpi(2, *sft_line(shared, tmp_path / "two", *flags)).status == 0
    theta_hat = checkpoint.load(shared / "theta_hat", np.float64)[0]
    one, two = (checkpoint.load_adapter(tmp_path / name, theta_hat).flat for name in ("one", "two"))
    assert np.abs(one - two).max() <= 1e-12 * np.abs(one).max() and (one != two).any()
    assert_same_rows(*(read_rows(tmp_path / name / "metrics.jsonl") for name in ("one", "two")))


@pytest.mark.parametrize("size", [2, 3])
def test_the_rows_of_frozen_blocks_are_computed_once_by_all_ranks_together(config, size, tmp_path):
    """The same bits in every rank, and those of one process; a rank computes only the groups that are its own."""
    code = """
from conftest import *; from minisft import frozen, parallel
frozen.GROUP, ranks, made = 8, parallel.join(), []
original = frozen.model.rows_entering
def noted(*arguments):
    made.append(1)
    return original(*arguments)
frozen.model.rows_entering = noted
config, sequences = tiny_config(), random_sequences(lengths=(7, 2, 5, 9, 3, 12, 4))
known = frozen.remember(random_theta(config), config, sequences, 1, list(range(7)), ranks)
with open(os.path.join(sys.argv[1], str(rank)), "wb") as file:
    file.write(bytes([len(made)]) + b"".join(s.below.x.tobytes() for s in known))
"""
    done = finish(mpiexec(size, script(code, tmp_path)))
    assert done.status == 0, done.err
    found = [(tmp_path / str(rank)).read_bytes() for rank in range(size)]
    assert len({rows[1:] for rows in found}) == 1 and all(rows[0] < 6 for rows in found)
    assert sum(rows[0] for rows in found) == 6  # of at most 8 rows: 6 + 1, 4, 8, 2, 11, 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frozen, "GROUP", 8)
        sequences = random_sequences(lengths=(7, 2, 5, 9, 3, 12, 4))
        alone = frozen.remember(random_theta(config), config, sequences, 1, list(range(7)))
    assert found[0][1:] == b"".join(s.below.x.tobytes() for s in alone)
