import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: two threads on shared cores spin
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import json

import numpy as np
import pytest
from support.browser import chromium, visit  # noqa: F401  (fixtures)
from support.commandline import make_theta_hat, minisft, sft_line, write_pairs
from support.systems import NOT_IMPORTABLE, POSIX, skip_what_needs_posix

from minisft import checkpoint, model
from minisft.config import ModelConfig
from minisft.data import Sequence, collate
from minisft.params import Params

collect_ignore_glob = [] if POSIX else NOT_IMPORTABLE


def pytest_collection_modifyitems(items):
    skip_what_needs_posix(items)


def tiny_config(tied=True, layers=2):
    """Sizes all different, so that a wrong transpose does not fit: C 10, H·D 24, G·D 12, F 14, V 17."""
    return ModelConfig(
        vocab_size=17,
        hidden_size=10,
        intermediate_size=14,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=6,
        max_position_embeddings=16,
        tie_word_embeddings=tied,
    )


def random_theta(config, seed=0):
    """float64, away from any initialisation: gains are normal numbers, not 1."""
    return Params.random(np.random.default_rng(seed), model.shapes(config))


def random_sequences(seed=0, lengths=(7, 2, 5, 7, 3), vocabulary=17):
    """Ragged sequences with a prompt of at least one token and a completion of at least one."""
    rng = np.random.default_rng(seed)
    result = []
    for number, n in enumerate(lengths):
        prompt = int(rng.integers(1, n))
        result.append(Sequence(rng.integers(0, vocabulary, n), np.arange(n) >= prompt, f"data.jsonl:{number + 1}"))
    return result


@pytest.fixture
def config():
    return tiny_config()


@pytest.fixture
def theta(config):
    return random_theta(config)


@pytest.fixture
def sequences():
    return random_sequences()


@pytest.fixture
def ragged(sequences):
    """The batch of the sequences, λ = 0, `sum`, float64."""
    return collate(sequences, 0.0, "sum", np.float64)


# For the command line: files that no test changes, and the flags that name them.


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A directory with theta_hat/, texts.jsonl that it was trained on, and train.jsonl with 9 pairs."""
    directory = tmp_path_factory.mktemp("shared")
    make_theta_hat(directory)
    write_pairs(directory / "train.jsonl")
    return directory


@pytest.fixture
def base(shared):
    return ["--model", shared / "theta_hat"]


@pytest.fixture
def pairs(shared):
    return ["--data", shared / "train.jsonl"]


@pytest.fixture
def loaded(shared):
    """(θ̂, config, tokenizer) as a notebook loads it, in float64."""
    return checkpoint.load(shared / "theta_hat", np.float64)


@pytest.fixture
def sft(shared, tmp_path):
    """Run `minisft sft` with these further flags; returns its exit status. 9 examples, 2 a step: 5 steps an epoch."""

    def run(output_dir, *flags):
        return minisft(*sft_line(shared, tmp_path / output_dir, *flags))

    return run


@pytest.fixture
def json_of(capsys):
    """The one object that a command with --json prints; all of standard output must be that."""

    def run(*arguments, status=0):
        capsys.readouterr()
        assert minisft(*arguments, "--json") == status
        out = capsys.readouterr().out
        assert out.endswith("\n") and out.count("\n") == 1
        return json.loads(out, parse_constant=pytest.fail)  # NaN and Infinity are no JSON

    return run
