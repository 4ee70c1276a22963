"""The model, its gradients and the optimiser beside PyTorch's autograd and transformers, on random checkpoints.

Tolerances: float64 rounds at 1e-16, float32 at 6e-8; sums of a few hundred terms and cancellation between them leave
1e-12 and 1e-5 of a tensor's largest entry. Ten steps of AdamW divide by √v̂ and feed errors back: 1e-10.
"""

import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from golden import make
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minisft import checkpoint, model, train
from minisft.config import REDUCTIONS, SCHEDULES, ModelConfig, RopeScaling, TrainConfig
from minisft.data import Sequence, collate
from minisft.formats.families import in_files
from minisft.optim import SGD
from minisft.params import Params
from minisft.tokenizer import Tokenizer

from . import reference
from .measured import assert_close, distance

TOKENIZER = Tokenizer.train(["the cat"], 259)
VOCABULARY = 24  # tokens that occur; those beyond are wrong answers only
ALLOWED = {np.float64: 1e-12, np.float32: 1e-5}
TORCH = {np.float64: torch.float64, np.float32: torch.float32}


def drawn(examples):
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=slow)


@st.composite
def configs(draw, depth=3):
    """Shapes of at most `depth` blocks, with 1 to 3 groups of 1 to 3 heads, of a size apart from C / H."""
    groups = draw(st.integers(1, 3))
    heads = groups * draw(st.integers(1, 3))
    return ModelConfig(
        vocab_size=draw(st.integers(259, 270)),
        # A multiple of H, as transformers wants whatever D is; a norm over few channels has hardly a derivative.
        hidden_size=heads * draw(st.integers(-(-8 // heads), 12 // heads + 1)),
        intermediate_size=draw(st.integers(5, 17)),
        num_hidden_layers=draw(st.integers(1, depth)),
        num_attention_heads=heads,
        num_key_value_heads=groups,
        head_dim=draw(st.sampled_from([2, 4, 6, 8])),
        max_position_embeddings=32,
        rms_norm_eps=draw(st.sampled_from([1e-6, 1e-5, 1e-2])),
        rope_base=draw(st.sampled_from([3.0, 100.0, 10000.0, 500000.0])),
        tie_word_embeddings=draw(st.booleans()),
        rope_scaling=draw(st.sampled_from([None, RopeScaling(3.0), RopeScaling(8.0, 0.5, 4.0, 16)])),
        qkv_bias=draw(st.sampled_from([False, False, True])),
    )


@st.composite
def data(draw, count):
    """Ragged sequences with any mask, for steps of up to four.

    Every fourth has six different tokens and a target everywhere, so every step has a target, and no tensor's gradient
    is 0 by symmetry, as that of the queries would be if there were a single key.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    result = []
    for number in range(count):
        length, share = draw(st.integers(2, 12)), draw(st.sampled_from([0.0, 0.5, 1.0]))
        ids, mask = rng.integers(0, VOCABULARY, length), rng.random(length) < share
        if number % 4 == 0:
            ids, mask = rng.permutation(VOCABULARY)[:6], np.arange(6) > 0
        result.append(Sequence(ids, mask, f"sequence {number}"))
    return result


def random_theta(config, seed, dtype=np.float64):
    """Random matrices; gains between ½ and 2, far from 1, and of both signs."""
    rng = np.random.default_rng(seed)
    theta = Params.random(rng, model.shapes(config))
    for view in theta.named.values():
        if view.ndim == 1:
            view[...] = rng.uniform(0.5, 2, view.shape) * rng.choice([-1, 1], view.shape)
    return theta.astype(dtype)


def plain(sequences):
    return [(sequence.ids.tolist(), sequence.is_y.tolist()) for sequence in sequences]


def loaded_by_transformers(theta, config):
    """The checkpoint that minisft writes, read by the other library."""
    with tempfile.TemporaryDirectory() as directory:
        checkpoint.save(directory, theta, config, TOKENIZER)
        return reference.load(directory, TORCH[theta.flat.dtype.type])


def name_of(dtype):
    return f"transformers, {np.dtype(dtype).name}"


@pytest.mark.parametrize(("dtype", "depth"), [(np.float64, 3), (np.float32, 2)], ids=["float64", "float32"])
def test_logits_loss_and_every_gradient_are_those_of_pytorch(dtype, depth):
    @drawn(40)
    @given(
        configs(depth), data(4), st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 1.0]), st.sampled_from(REDUCTIONS)
    )
    def check(config, sequences, seed, prompt_loss_weight, reduction):
        theta, library = random_theta(config, seed, dtype), name_of(dtype)
        with reference.precisely(TORCH[dtype]):
            other = loaded_by_transformers(theta, config)
            pairs = plain(sequences)
            logits = torch.cat([reference.logits_of(other, ids[:-1]) for ids, _ in pairs]).detach().numpy()
            loss = reference.loss_of(other, pairs, prompt_loss_weight, reduction)
            loss.backward()

        whole = collate(sequences, prompt_loss_weight, reduction, dtype)
        ours, _ = model.forward(theta, config, whole.ids, whole.starts, np.arange(len(whole.ids)))
        assert_close(library, "logits", ours, logits, ALLOWED[dtype])
        how = TrainConfig(optim="sgd", max_grad_norm=0, batch_size=3, prompt_loss_weight=prompt_loss_weight)
        grad = theta.like()
        metrics = train.step(theta, grad, SGD(theta, how), whole, config, how, 0.0)
        assert_close(library, "loss", metrics["loss"], loss.item(), ALLOWED[dtype])
        theirs = reference.gradients_of(other)
        assert set(theirs) == set(grad.named)
        for name, view in grad.named.items():
            assert_close(library, "gradient of any tensor", view, theirs[name], ALLOWED[dtype], name)

    check()


@st.composite
def training(draw):
    """Settings of a run: schedule, warm-up, decay, clipping, moments, reduction, λ; micro-batches of 2, 4 a step."""
    return TrainConfig(
        learning_rate=draw(st.sampled_from([1e-3, 1e-2])),
        max_steps=10,
        batch_size=2,
        gradient_accumulation_steps=2,
        adam_beta1=draw(st.sampled_from([0.0, 0.9])),
        adam_beta2=draw(st.sampled_from([0.95, 0.999])),
        adam_epsilon=draw(st.sampled_from([1e-8, 1e-3])),
        weight_decay=draw(st.sampled_from([0.0, 0.1, 1.0])),
        max_grad_norm=draw(st.sampled_from([0.0, 0.1, 1.0])),
        lr_scheduler_type=draw(st.sampled_from(SCHEDULES)),
        warmup_steps=draw(st.integers(0, 4)),
        prompt_loss_weight=draw(st.sampled_from([0.0, 0.1, 1.0])),
        loss_reduction=draw(st.sampled_from(REDUCTIONS)),
        shuffle=False,
    )


def assert_same_training(config, sequences, seed, settings, tolerance, what):
    """θ̂ → θ̃ by both, from one checkpoint, over the same steps: every row of metrics, and every tensor of θ̃."""
    theta_hat = random_theta(config, seed)
    rows = []
    for state in train.finetune(theta_hat, config, sequences, settings):
        rows.append(state.metrics)

    pairs, size = plain(sequences), settings.batch_size * settings.gradient_accumulation_steps
    epoch = [pairs[first : first + size] for first in range(0, len(pairs), size)]
    steps = [epoch[t % len(epoch)] for t in range(settings.max_steps)]
    theirs = asdict(settings) | {"betas": (settings.adam_beta1, settings.adam_beta2), "eps": settings.adam_epsilon}
    with reference.float64_throughout():
        other = loaded_by_transformers(theta_hat, config)
        trace = reference.train(other, steps, theirs)
    for quantity in ("loss", "grad_norm", "learning_rate"):
        for ours, its in zip(rows, trace, strict=True):
            assert_close("PyTorch", f"{quantity}, {what}", ours[quantity], its[quantity], tolerance, ours["step"])
    tensors = reference.tensors_of(other)
    for name, view in in_files(state.theta, config).items():
        assert_close("PyTorch", f"any tensor of θ̃ after {what}", view, tensors[name], tolerance, name)


def test_ten_steps_of_adamw_lead_to_the_theta_of_pytorch():
    @drawn(15)
    @given(configs(), data(7), st.integers(0, 2**32), training())
    def check(config, sequences, seed, settings):
        assert_same_training(config, sequences, seed, settings, 1e-10, "10 steps of AdamW")

    check()


def test_a_step_of_sgd_leads_to_the_theta_of_pytorch():
    @drawn(10)
    @given(configs(), data(4), st.integers(0, 2**32), training())
    def check(config, sequences, seed, settings):
        settings = replace(settings, optim="sgd", learning_rate=0.1, max_steps=1, warmup_steps=0)
        assert_same_training(config, sequences, seed, settings, 1e-12, "a step of SGD")

    check()


def test_after_the_float64_reference_pytorch_is_as_it_was():
    with reference.float64_throughout():
        assert (
            torch.ones(1, dtype=torch.float32).float().dtype is torch.ones(1, dtype=torch.float).dtype is torch.float64
        )
    assert torch.ones(1, dtype=torch.float32).dtype is torch.ones(1, dtype=torch.float64).float().dtype
    assert str(torch.float32) == str(torch.float) == "torch.float32"


def test_the_stored_values_of_golden_json_are_those_pytorch_computes_today():
    """Two versions of PyTorch may sum in another order, so not bit for bit."""
    stored = json.loads(Path(make.__file__).with_name("golden.json").read_text())
    today = json.loads(make.lines(make.make()))
    for name in ("tied", "untied"):
        ours, given = today[name].pop("by_pytorch"), stored[name].pop("by_pytorch")
        assert today[name] == stored[name]
        assert_same_leaves(ours, given)


def assert_same_leaves(ours, theirs):
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for name in theirs:
            assert_same_leaves(ours[name], theirs[name])
    else:
        assert distance(ours, theirs) < 1e-12
