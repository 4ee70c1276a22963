"""How much work a step is, without a clock: page faults, padding, rows that nobody reads, multiplications."""

import json
import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from minisft import model, objective, train
from minisft.config import ModelConfig, TrainConfig
from minisft.data import Sequence, collate
from minisft.layers import attention, linear
from minisft.optim import AdamW
from minisft.params import Params

CONFIG = ModelConfig(50, 24, 40, 3, 4, 2, head_dim=8, max_position_embeddings=200)


class Counted(np.ndarray):
    """An array that counts the multiplications and additions of matrix products it takes part in."""

    flop = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        plain = [np.asarray(value) for value in inputs]
        if out is not None:
            options["out"] = tuple(np.asarray(value) for value in out)
        result = getattr(ufunc, method)(*plain, **options)
        if ufunc is np.matmul:
            Counted.flop += 2 * result.size * plain[0].shape[-1]
        return out[0] if out is not None else np.asarray(result).view(Counted)


def sequences(lengths, asked):
    """Of n + 1 tokens each, so that n are inputs; the last m of those predict y."""
    rng = np.random.default_rng(0)
    return [Sequence(rng.integers(0, 50, n + 1), np.arange(n + 1) > n - m, "") for n, m in zip(lengths, asked)]


def test_a_step_makes_the_multiplications_of_the_formula_and_no_more(monkeypatch):
    """Products with weights for the rows that are read, scores for the keys that a block of queries may see."""
    lengths, asked = (150, 64, 64, 7), (70, 20, 64, 3)
    whole = collate(sequences(lengths, asked), dtype=np.float64)
    shapes = model.shapes(CONFIG)
    theta = Params(
        shapes, flat=np.random.default_rng(1).standard_normal(sum(map(np.prod, shapes.values()))).view(Counted)
    )
    monkeypatch.setattr(Counted, "flop", 0)
    train.value_and_grad(theta, theta.like(), CONFIG, whole, dJ=-1.0)

    C, F, V, HD, GD = 24, 40, 50, 32, 16
    every, reading = 2 * C * GD, 2 * C * HD + 3 * C * F  # a row: k and v; q, o and the MLP
    scores_all = 64 * 64 + 64 * 128 + 22 * 150 + 64 * 64 + 64 * 64 + 7 * 7  # blocks of 64 queries
    scores_last = 64 * 144 + 6 * 150 + 20 * 64 + 64 * 64 + 3 * 7  # of the rows that ask
    N, M = sum(lengths), sum(asked)
    products = 2 * (N * (every + reading)) + N * every + M * reading + M * C * V
    scores = 2 * scores_all + scores_last
    sums = 4 * scores + C * (5 * N + 2 * M)  # of softmax, one for each query head; of the rows, in 7 norms backward
    assert Counted.flop == 2 * (3 * (products + 2 * HD * scores) + sums)


@pytest.mark.parametrize("lowest", [0, 1, 2, 3])
def test_frozen_tensors_cost_no_gradient_and_backward_ends_at_the_lowest_block_that_is_trained(lowest, monkeypatch):
    """Of the blocks from the lowest on: all that is passed down, and the gradient of what is trained, up_proj alone.

    All sequences are of one length below 64 and every token is a target, so that every product is easily counted.
    """
    S, T, (C, F, V, HD, GD) = 5, 40, (24, 40, 50, 32, 16)
    N = S * T
    whole = collate(sequences([T] * S, [T] * S), dtype=np.float64)
    shapes = model.shapes(CONFIG)
    theta = Params(
        shapes, flat=np.random.default_rng(1).standard_normal(sum(map(np.prod, shapes.values()))).view(Counted)
    )
    trained = [f"model.layers.{i}.mlp.up_proj.weight" for i in range(lowest, 3)] or ["model.norm.weight"]
    grad, rows = theta.part(trained), np.arange(N)
    monkeypatch.setattr(Counted, "flop", 0)
    logits, c_model = model.forward(theta, CONFIG, whole.ids, whole.starts, rows, None, model.lowest(grad))
    block, scores = N * (2 * C * GD + 2 * C * HD + 3 * C * F), N * T * HD
    sums = N * T * 4  # of softmax: one for each query head
    assert Counted.flop == 2 * (3 * (block + 2 * scores + sums) + N * C * V)
    monkeypatch.setattr(Counted, "flop", 0)
    dlogits = objective.backward(objective.forward(logits, whole.targets, whole.weights)[1], -1.0)
    model.backward(theta, grad, CONFIG, c_model, dlogits)
    blocks = 3 - lowest
    rows = N * C * (lowest == 3)  # the sum over the rows of the one norm that is trained
    assert Counted.flop == 2 * (N * C * V + blocks * (block + 4 * scores + N * C * F) + rows)


def test_no_array_of_padding_exists(monkeypatch):
    """Every linear map sees exactly as many rows as there are tokens, or targets; never sequences × longest."""
    seen, forward = set(), linear.forward
    monkeypatch.setattr(linear, "forward", lambda p, x: seen.add(len(x)) or forward(p, x))
    whole = collate(sequences((150, 2, 7, 64), (3, 1, 2, 10)))
    theta = model.init(CONFIG, np.random.default_rng(0))
    settings = TrainConfig(batch_size=4)
    train.step(theta, theta.like(), AdamW(theta, settings), whole, CONFIG, settings, 1e-3)
    assert seen == {150 + 2 + 7 + 64, 3 + 1 + 2 + 10}


def test_rows_of_weight_0_never_reach_the_vocabulary(monkeypatch):
    counted, forward = [], objective.forward
    monkeypatch.setattr(
        objective, "forward", lambda logits, *rest: counted.append(logits.shape) or forward(logits, *rest)
    )
    theta = model.init(CONFIG, np.random.default_rng(0))
    for weight, rows in ((0.0, 16), (0.5, 223)):
        whole = collate(sequences((150, 2, 7, 64), (3, 1, 2, 10)), weight)
        settings = TrainConfig(batch_size=4)
        train.step(theta, theta.like(), AdamW(theta, settings), whole, CONFIG, settings, 1e-3)
        assert counted.pop() == (rows, 50)


STEPS = """
import json, resource
import numpy as np
from minisft import model, train
from minisft.runs import allocator
from minisft.config import ModelConfig, TrainConfig
from minisft.data import Sequence, collate
from minisft.optim import AdamW

kept = allocator.keep_freed_arrays() if {keep} else False
config = ModelConfig(2048, 128, 352, 4, 4, 2, head_dim=32, max_position_embeddings=128)
rng, settings = np.random.default_rng(0), TrainConfig(batch_size=16)
theta = model.init(config, rng)
grad, optimizer = theta.like(), AdamW(theta, settings)
counts = []
for step in range(24):
    lengths = np.full(16, 128) if {fixed} else rng.integers(20, 128, 16)
    sequences = [Sequence(rng.integers(0, 2048, n + 1), np.arange(n + 1) > n // 2, "") for n in lengths]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    train.step(theta, grad, optimizer, collate(sequences), config, settings, 1e-3)
    counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(json.dumps([kept, float(np.median(counts[8:]))]))
"""


def faults(keep, fixed):
    """Whether glibc agreed, and the median of page faults a step, after 8 steps, in a process of its own."""
    environment = os.environ | {"NUMPY_MADVISE_HUGEPAGE": "0"}
    for name in [name for name in environment if name.startswith("MALLOC_") or name == "GLIBC_TUNABLES"]:
        del environment[name]
    code = STEPS.format(keep=keep, fixed=fixed)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
@pytest.mark.parametrize("fixed, most", [(True, 10), (False, 500)])
def test_a_step_faults_in_no_memory_once_the_first_ones_have_passed(fixed, most):
    """Freed arrays are kept for the next step; with lengths that vary a step longer than all before faults once."""
    kept, median = faults(True, fixed)
    assert kept and median <= most
    if fixed:  # otherwise this test would see nothing
        assert faults(False, fixed)[1] > 1000


def test_the_work_is_cut_as_these_numbers_suppose():
    assert attention.QUERIES == 64
