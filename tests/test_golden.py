"""The model beside numbers that PyTorch computed once, in float64 (golden/make.py); PyTorch is not needed here.

Float64 rounds at 1e-16 and the sums here have a few hundred terms: 1e-12 of a tensor's largest entry is rounding. Ten
steps of AdamW divide by √v̂ and feed errors back: 1e-10.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from minisft import model, train
from minisft.config import ModelConfig, TrainConfig
from minisft.data import Sequence, collate
from minisft.optim import SGD
from minisft.params import Params

GOLDEN = json.loads(Path(__file__).with_name("golden").joinpath("golden.json").read_text())


def assert_close(ours, theirs, tolerance, what=""):
    """Relative to the largest entry of the tensor."""
    ours, theirs = np.array(ours), np.array(theirs)
    assert ours.shape == theirs.shape and np.isfinite(theirs).all(), what
    assert np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max(), what


@pytest.fixture(params=["tied", "untied"])
def stored(request):
    return GOLDEN[request.param]


@pytest.fixture
def config(stored):
    return ModelConfig(**stored["config"])


@pytest.fixture
def theta(stored, config):
    theta = Params(model.shapes(config), np.float64)
    assert set(theta.named) == set(stored["theta"])
    for name, view in theta.named.items():
        view[...] = stored["theta"][name]
    return theta


@pytest.fixture
def sequences(stored):
    return [Sequence(np.array(ids), np.array(mask, bool), "golden.json") for ids, mask in stored["sequences"]]


def measure(theta, config, whole):
    """The metrics and ∇L at θ: a step of rate 0, without clipping, in micro-batches of 3 sequences."""
    settings, grad = TrainConfig(optim="sgd", max_grad_norm=0, batch_size=3), theta.like()
    return train.step(theta, grad, SGD(theta, settings), whole, config, settings, 0.0), grad


def test_the_logits_are_those_of_pytorch(stored, theta, config, sequences):
    whole = collate(sequences, dtype=np.float64)
    logits, _ = model.forward(theta, config, whole.ids, whole.starts, np.arange(len(whole.ids)))
    assert_close(logits, stored["by_pytorch"]["logits"], 1e-12)


@pytest.mark.parametrize("prompt_loss_weight", [0.0, 0.25])
@pytest.mark.parametrize("reduction", ["sum", "token_mean", "sequence_mean"])
def test_the_loss_is_that_of_pytorch_under_every_reduction(
    reduction, prompt_loss_weight, stored, theta, config, sequences
):
    """With λ = 0 one of the sequences has no target."""
    metrics, _ = measure(theta, config, collate(sequences, prompt_loss_weight, reduction, np.float64))
    assert_close(metrics["loss"], stored["by_pytorch"]["losses"][str(prompt_loss_weight)][reduction], 1e-12)


def test_every_gradient_is_that_of_pytorch(stored, theta, config, sequences):
    _, grad = measure(theta, config, collate(sequences, 0.25, "token_mean", np.float64))
    theirs = stored["by_pytorch"]["gradients"]
    assert set(grad.named) == set(theirs)
    for name, view in grad.named.items():
        assert_close(view, theirs[name], 1e-12, name)


def test_ten_steps_of_adamw_leave_the_trace_of_pytorch_and_end_in_its_theta(stored, theta, config, sequences):
    """Each step has three of the four sequences: 30 examples in order, 3 a step."""
    given = dict(stored["training"])
    beta1, beta2 = given.pop("betas")
    settings = TrainConfig(
        **given | {"adam_epsilon": given.pop("eps")},
        adam_beta1=beta1,
        adam_beta2=beta2,
        max_steps=10,
        batch_size=3,
        shuffle=False,
    )
    data = [sequences[i] for step in stored["steps"] for i in step]
    rows = []
    for state in train.finetune(theta, config, data, settings):
        rows.append(state.metrics)
    theirs = stored["by_pytorch"]
    assert set(theirs["trace"]) == {"loss", "grad_norm", "learning_rate"}
    for quantity, values in theirs["trace"].items():
        for row, value in zip(rows, values, strict=True):
            assert_close(row[quantity], value, 1e-10, f"{quantity} of step {row['step']}")
    assert_close(np.linalg.norm(state.theta.flat), theirs["theta_tilde_norm"], 1e-10)
    for name, view in state.theta.named.items():
        assert_close(view.flat[-1], theirs["theta_tilde"][name], 1e-10, name)
