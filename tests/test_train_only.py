"""--train-only: some tensors are trained, the others are frozen: no gradient, no moments, no work, and no bit moves."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from conftest import random_theta, tiny_config
from numpy.testing import assert_array_equal
from support.commandline import assert_refused, assert_same_run, contents, sft_line
from test_layers import LAYERS, run

from minisft import checkpoint, model, optim, train
from minisft.config import TrainConfig
from minisft.data import collate
from minisft.errors import MinisftError
from minisft.formats import huggingface

SETTINGS = TrainConfig(learning_rate=0.01, max_steps=4, batch_size=2, weight_decay=0.1)
PATTERNS = [
    ("*norm*",),
    ("model.layers.1.*",),
    ("model.layers.[01].mlp.*", "model.norm.weight"),
    ("*.q_proj.weight", "*.v_proj.weight"),
    ("model.embed_tokens.weight",),
    ("model.norm.weight",),
    ("*.0.*", "model.embed*"),
]
each_choice = pytest.mark.parametrize("patterns", PATTERNS, ids=" ".join)
each_optimizer = pytest.mark.parametrize("optimizer", ["adamw", "sgd"])


def gradient(theta, config, whole, grad):
    train.value_and_grad(theta, grad, config, whole, dJ=-1.0)
    return grad


def finetuned(theta, config, sequences, settings):
    *_, state = train.finetune(theta, config, sequences, settings)
    return state


# --- the mathematics --------------------------------------------------------------------------------------------------


@each_choice
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_the_gradient_of_what_is_trained_is_that_of_the_full_gradient_bit_for_bit(patterns, tied, ragged):
    config = tiny_config(tied)
    theta = random_theta(config)
    full = gradient(theta, config, ragged, theta.like())
    part = gradient(theta, config, ragged, theta.part(train.trained(theta, TrainConfig(train_only=patterns))))
    for name, view in part.named.items():
        assert np.abs(view).max() > 0
        assert_array_equal(view, full.named[name])
    assert part.flat.size == sum(view.size for view in part.named.values()) < theta.flat.size


@pytest.mark.parametrize("patterns", [("*.bias",), ("*.q_proj.*",), ("*.weight",)], ids=" ".join)
def test_biases_are_trained_or_frozen_by_their_names_as_other_tensors_are(patterns, ragged):
    config = replace(tiny_config(), qkv_bias=True)
    theta = random_theta(config)
    names = train.trained(theta, TrainConfig(train_only=patterns))
    full, part = (gradient(theta, config, ragged, grad) for grad in (theta.like(), theta.part(names)))
    assert 0 < len(names) < len(theta.named)
    for name, view in part.named.items():
        assert np.abs(view).max() > 0
        assert_array_equal(view, full.named[name])


def test_a_head_alone_can_be_trained_where_it_is_a_matrix_of_its_own(ragged):
    config = tiny_config(tied=False)
    theta = random_theta(config)
    full, part = (gradient(theta, config, ragged, grad) for grad in (theta.like(), theta.part(["lm_head.weight"])))
    assert_array_equal(part.flat, full.lm_head.weight.ravel())


@each_choice
@each_optimizer
def test_what_is_frozen_keeps_its_bits_and_the_rest_moves(config, theta, sequences, patterns, optimizer):
    settings = replace(SETTINGS, train_only=patterns, optim=optimizer)
    theta_tilde = finetuned(theta, config, sequences, settings).theta
    moved = {name for name in theta.named if (theta_tilde.named[name] != theta.named[name]).any()}
    assert moved == set(train.trained(theta, settings)) < set(theta.named)


@each_optimizer
def test_a_pattern_of_all_names_is_training_without_the_flag(config, theta, sequences, optimizer):
    plain = finetuned(theta, config, sequences, replace(SETTINGS, optim=optimizer))
    every = finetuned(theta, config, sequences, replace(SETTINGS, optim=optimizer, train_only=("*",)))
    assert_array_equal(plain.theta.flat, every.theta.flat)
    assert plain.metrics | {"tokens_per_second": 0} == every.metrics | {"tokens_per_second": 0}


def test_the_norm_of_the_gradient_and_its_clipping_are_those_of_what_is_trained(config, theta, sequences):
    chosen = ["model.layers.1.mlp.up_proj.weight", "model.norm.weight"]
    whole = collate(sequences[:2], dtype=np.float64)
    full = gradient(theta, config, whole, theta.like())
    norm = np.sqrt(sum((full.named[name] ** 2).sum() for name in chosen))
    settings = replace(
        SETTINGS, train_only=chosen, optim="sgd", max_grad_norm=norm / 2, max_steps=1, shuffle=False, weight_decay=0.0
    )
    state = finetuned(theta, config, sequences, settings)
    assert state.metrics["grad_norm"] == pytest.approx(norm, rel=1e-13)
    for name in chosen:
        expected = theta.named[name] - 0.01 * full.named[name] / 2  # up to the 1e-6 that clipping adds to the norm
        np.testing.assert_allclose(state.theta.named[name], expected, rtol=1e-6)


def test_each_layer_without_a_gradient_of_its_own_passes_the_same_one_down():
    for layer in (layer for layer in LAYERS if run(layer)[0]):
        p, _, _, cache, dy, g, dx = run(layer)
        assert_array_equal(layer.backward(p, p.part(()), cache, dy), dx)
        for name in p.named:
            one = p.part([name])
            layer.backward(p, one, cache, dy)
            assert_array_equal(one.named[name], g.named[name], f"{layer.__name__}: {name}")


# --- memory -----------------------------------------------------------------------------------------------------------


def test_only_what_is_trained_has_a_gradient_moments_and_a_copy_in_reserve(config, theta, sequences, monkeypatch):
    settings, copies, make = replace(SETTINGS, train_only=("model.layers.1.*",)), [], train.LastGood
    monkeypatch.setattr(train, "LastGood", lambda *given: copies.append(make(*given)) or copies[-1])
    state = finetuned(theta, config, sequences, settings)
    size = sum(view.size for name, view in theta.named.items() if name.startswith("model.layers.1."))
    assert [moment.size for moment in state.optimizer.moments.values()] == [size, size]
    assert copies[0].copy.flat.size == size < theta.flat.size / 2


def test_what_the_blocks_below_have_computed_is_not_kept(config, theta, ragged):
    rows = np.flatnonzero(ragged.weights)
    _, cache = model.forward(theta, config, ragged.ids, ragged.starts, rows, None, 1)
    assert cache.blocks[0] is None and cache.blocks[1] is not None


# --- mistakes ---------------------------------------------------------------------------------------------------------


def test_a_pattern_that_matches_no_tensor_is_refused_and_the_old_run_stays(sft, shared, tmp_path, capsys):
    assert sft("out") == 0
    before = contents(tmp_path)
    line = sft_line(shared, tmp_path / "out", "--overwrite", "--train-only", "*norm*", "layers.1.*")
    words = ("--train-only: 'layers.1.*'", "model.embed_tokens.weight", "model.norm.weight")
    assert_refused(capsys, [str(word) for word in line], *words)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("patterns", ["*norm*", [""], [3]])
def test_what_is_not_a_list_of_patterns_is_refused(patterns):
    with pytest.raises(MinisftError, match=r"^--train-only: "):
        TrainConfig(train_only=patterns)


# --- runs -------------------------------------------------------------------------------------------------------------

FLAGS = ["--train-only", "*.mlp.*", "model.norm.weight"]


@pytest.mark.parametrize("flags", [(), ("--optim", "sgd"), ("--dtype", "float64", "--max-grad-norm", "0.1")])
def test_a_resumed_run_ends_in_the_same_bytes(sft, tmp_path, flags):
    assert sft("whole", *FLAGS, *flags) == 0
    assert sft("parts", *FLAGS, *flags, "--save-steps", 2) == 0
    shutil.rmtree(tmp_path / "parts" / "checkpoint-6")
    (tmp_path / "parts" / "model.safetensors").unlink()
    assert sft("parts", *FLAGS, *flags, "--save-steps", 2, "--resume") == 0
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_the_patterns_are_recorded_and_others_are_refused_when_resuming(sft, tmp_path, capsys):
    assert sft("out", *FLAGS, "--save-steps", 3) == 0
    assert json.loads((tmp_path / "out" / "train_config.json").read_text())["train_only"] == FLAGS[1:]
    moments = dict(huggingface.read_tensors(tmp_path / "out" / "checkpoint-3" / "optimizer.safetensors"))
    theta = checkpoint.load(tmp_path / "out")[0]
    trained = sum(view.size for name, view in theta.named.items() if ".mlp." in name or name == "model.norm.weight")
    assert {moment.size for moment in moments.values()} == {trained}
    for other in ([], ["--train-only", "*.mlp.*"]):
        capsys.readouterr()
        assert sft("out", *other, "--save-steps", 3, "--resume") == 2
        assert capsys.readouterr().err.splitlines()[-1].startswith("minisft: error: --train-only is ")


def test_the_optimiser_visits_the_same_pieces_of_theta_and_of_the_gradient(theta):
    """A tensor longer than a block too: each number of the gradient meets its own of θ, once."""
    theta.flat[:] = np.arange(theta.flat.size)
    names = ["model.layers.0.mlp.down_proj.weight", "model.norm.weight"]
    grad = theta.part(names)
    for name in names:
        grad.named[name][...] = theta.named[name]
    seen = [(w, d) for w, d, _ in optim.pieces(theta, grad, 0.1)]
    assert all(np.shares_memory(w, theta.flat) and np.array_equal(w, d) for w, d in seen)
    assert sum(len(w) for w, _ in seen) == grad.flat.size
