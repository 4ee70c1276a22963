"""Qwen3, OLMo-2 and Gemma 3 beside PyTorch and transformers, on random shapes: the tests of test_model.py once more.

Those of test_families.py, of what is read and written again, are here for the same models. Tolerances as there, but in
float32: a block has up to six norms, some of four channels, and each divides by a length that may be small.
"""

import tempfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from transformers import AutoConfig, AutoModelForCausalLM

from minisft import checkpoint, generate, model, train
from minisft.config import LAYER_TYPES, REDUCTIONS, RopeScaling, TrainConfig
from minisft.data import collate
from minisft.formats.families import in_files
from minisft.formats.huggingface import architecture_fields
from minisft.optim import SGD

from . import reference
from .measured import assert_close
from .test_model import (
    TOKENIZER,
    TORCH,
    assert_same_training,
    configs,
    data,
    drawn,
    loaded_by_transformers,
    plain,
    random_theta,
    training,
)

FAMILIES = {
    "qwen3": {"qk_norm": "head"},
    "olmo2": {"qk_norm": "all", "norms": "after"},
    "gemma3_text": {"qk_norm": "head", "norms": "both", "hidden_act": "gelu_pytorch_tanh"},
}
ALLOWED = {np.float64: 1e-12, np.float32: 1e-4}
each_family = pytest.mark.parametrize("family", FAMILIES)
by_dtype = pytest.mark.parametrize(("dtype", "depth"), [(np.float64, 3), (np.float32, 2)], ids=["float64", "float32"])


@st.composite
def of_family(draw, family, depth=3):
    """A model of the family; of a Gemma 3 any blocks may slide, with windows shorter than a sequence, or longer.

    Not with a window of a single key, as the gradient of the queries would be 0.
    """
    config = replace(
        draw(configs(depth)),
        qkv_bias=False,
        head_dim=draw(st.sampled_from([4, 6, 8])),  # a norm over two channels has hardly a derivative
        **FAMILIES[family],
    )
    if family != "gemma3_text":
        return config
    layers = config.num_hidden_layers
    return replace(
        config,
        query_pre_attn_scalar=draw(st.sampled_from([config.head_dim, 3, 256])),
        embedding_scale=config.hidden_size**0.5,
        layer_types=tuple(draw(st.lists(st.sampled_from(LAYER_TYPES), min_size=layers, max_size=layers))),
        sliding_window=draw(st.sampled_from([2, 3, 5, 64])),
        rope_local_base=draw(st.sampled_from([2.0, 10000.0])),
        rope_scaling=draw(st.sampled_from([None, RopeScaling(3.0)])),
    )


@by_dtype
@each_family
def test_logits_loss_and_every_gradient_are_those_of_pytorch(family, dtype, depth):
    @drawn(20)
    @given(of_family(family, depth), data(4), st.integers(0, 2**32), st.sampled_from(REDUCTIONS))
    def check(config, sequences, seed, reduction):
        theta, library = random_theta(config, seed, dtype), f"{family}, {np.dtype(dtype)}"
        with reference.precisely(TORCH[dtype]):
            other = loaded_by_transformers(theta, config)
            assert other.config.model_type == family
            pairs = plain(sequences)
            logits = torch.cat([reference.logits_of(other, ids[:-1]) for ids, _ in pairs]).detach().numpy()
            loss = reference.loss_of(other, pairs, 0.1, reduction)
            loss.backward()
        whole = collate(sequences, 0.1, reduction, dtype)
        ours, _ = model.forward(theta, config, whole.ids, whole.starts, np.arange(len(whole.ids)))
        assert_close(library, "logits", ours, logits, ALLOWED[dtype])
        how, grad = TrainConfig(optim="sgd", max_grad_norm=0, batch_size=3, prompt_loss_weight=0.1), theta.like()
        metrics = train.step(theta, grad, SGD(theta, how), whole, config, how, 0.0)
        assert_close(library, "loss", metrics["loss"], loss.item(), ALLOWED[dtype])
        theirs = reference.gradients_of(other)
        assert set(theirs) == set(grad.named)
        for name, view in grad.named.items():
            assert_close(library, "gradient of any tensor", view, theirs[name], ALLOWED[dtype], name)

    check()


@each_family
def test_ten_steps_of_adamw_lead_to_the_theta_of_pytorch(family):
    @drawn(6)
    @given(of_family(family), data(7), st.integers(0, 2**32), training())
    def check(config, sequences, seed, settings):
        assert_same_training(config, sequences, seed, settings, 1e-10, f"10 steps of AdamW, {family}")

    check()


@each_family
def test_what_transformers_writes_is_read_and_written_again_the_same(family):
    """A random model of theirs -> a directory -> θ -> a directory: its config and tensors, and ours, are unchanged."""

    @drawn(8)
    @given(of_family(family), st.integers(0, 2**31))
    def check(config, seed):
        torch.manual_seed(seed)
        fields = architecture_fields(config)
        other = AutoModelForCausalLM.from_config(AutoConfig.for_model(**fields)).double()
        for p in other.parameters():
            p.data.normal_()
        with tempfile.TemporaryDirectory() as theirs, tempfile.TemporaryDirectory() as ours:
            other.save_pretrained(theirs)
            TOKENIZER.save(theirs)
            theta, read, tokenizer = checkpoint.load(theirs, np.float64)
            checkpoint.save(ours, theta, read, tokenizer)
            again, report = AutoModelForCausalLM.from_pretrained(ours, output_loading_info=True)
            assert not any(report.values()), report
            assert checkpoint.load(ours, np.float64)[1] == read
        full = {"layer_types": config.kinds} if family == "gemma3_text" else {}
        assert read == replace(config, **full)
        less = in_files(theta, read)
        for (name, one), (_, two) in zip(other.named_parameters(), again.named_parameters(), strict=True):
            np.testing.assert_allclose(less[name], one.detach().numpy(), rtol=0, atol=1e-15)  # 1 + w, rounded
            np.testing.assert_allclose(two.detach().numpy(), one.detach().numpy(), rtol=0, atol=1e-15)
        assert {k: v for k, v in again.config.to_dict().items() if k in fields} == {
            k: v for k, v in other.config.to_dict().items() if k in fields
        }

    check()


@each_family
def test_greedy_answers_are_those_of_transformers_token_by_token(family):
    @drawn(8)
    @given(of_family(family), st.integers(0, 2**32), st.integers(1, 9))
    def check(config, seed, n):
        theta = random_theta(config, seed)
        prompt = np.random.default_rng(seed).integers(0, config.vocab_size, n).tolist()
        [answer] = generate.generate(theta, config, [prompt], 12, ())
        with reference.float64_throughout():
            other = loaded_by_transformers(theta, config).eval()
            logits = reference.logits_of(other, prompt + answer.ids)
        assert_array_equal(answer.ids, logits[n - 1 : -1].argmax(-1).numpy())

    check()
