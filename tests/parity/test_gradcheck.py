"""`minisft gradcheck` where PyTorch is installed: a third column, by an oracle that shares nothing with the others."""

import json
from dataclasses import replace

import numpy as np
import pytest
from support.commandline import make_theta_hat, minisft, write_pairs

from minisft import checkpoint, model
from minisft.layers import swiglu
from minisft.params import Params

backward = swiglu.backward


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    make_theta_hat(directory)
    write_pairs(directory / "train.jsonl")
    return ["gradcheck", "--model", directory / "theta_hat", "--data", directory / "train.jsonl"]


@pytest.mark.parametrize("weight", [0, 0.3])
def test_every_tensor_of_a_model_is_compared_with_autograd(line, weight, capsys):
    assert minisft(*line, "--prompt-loss-weight", weight, "--json") == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert all(check["pytorch"] <= 1e-12 for check in checks)


def test_a_model_with_biases_is_compared_with_the_qwen2_of_transformers(line, tmp_path, capsys):
    _, config, tokenizer = checkpoint.load(line[2])
    config = replace(config, qkv_bias=True)
    checkpoint.save(tmp_path, Params.random(np.random.default_rng(0), model.shapes(config)), config, tokenizer)
    assert minisft("gradcheck", "--model", tmp_path, *line[3:], "--json") == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert sum(check["tensor"].endswith("_proj.bias") for check in checks) == 3 * config.num_hidden_layers
    assert all(check["pytorch"] <= 1e-12 for check in checks)


def test_the_tiny_models_are_compared_too_and_the_layers_alone_are_not(capsys):
    assert minisft("gradcheck", "--json") == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert {check["tensor"].split(" ")[0] for check in checks if check["pytorch"] is not None} == {"tied", "untied"}
    assert all(check["pytorch"] is None or check["pytorch"] <= 1e-12 for check in checks)


def test_autograd_alone_notices_a_wrong_gradient(line, monkeypatch, capsys):
    """The other oracles are made to agree; 3 is the verdict, and the tensor has its name."""
    from minisft import gradcheck

    def forgetful(p, g, cache, dy):
        dx = backward(p, g, cache, dy)
        g.up_proj.weight *= 2
        return dx

    monkeypatch.setattr(swiglu, "backward", forgetful)
    monkeypatch.setattr(gradcheck, "relative", lambda *arguments: 0.0)
    assert minisft(*line) == 3
    out, err = capsys.readouterr()
    assert "pytorch" in out and "WRONG" in out
    assert "model.layers.0.mlp.up_proj.weight" in err and "gate_proj" not in err
