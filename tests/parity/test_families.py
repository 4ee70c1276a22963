"""Mistral and Qwen2 beside transformers: read from what it writes, the same logits and gradients, and written again.

Tolerances as in test_model.py: rounding, and what sums of a few hundred terms make of it.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import trl
from numpy.testing import assert_array_equal
from tokenizers import Regex, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend
from transformers import AutoModelForCausalLM, AutoTokenizer, MistralConfig, Qwen2Config, Qwen2Tokenizer
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

from minisft import checkpoint, data, model, train
from minisft.config import TrainConfig
from minisft.data import Sequence, collate
from minisft.formats import resources
from minisft.optim import SGD
from minisft.tokenizer import Tokenizer

from . import reference
from .measured import WORST, assert_close
from .test_files import random_conversations, random_texts

CONTEXT = 32
SIZES = {
    "vocab_size": 270,
    "hidden_size": 24,
    "intermediate_size": 14,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
    "rms_norm_eps": 2e-5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 5000.0},
}
FAMILIES = {
    "Mistral": MistralConfig(**SIZES, head_dim=8, sliding_window=None),
    "Mistral with a window": MistralConfig(**SIZES, tie_word_embeddings=True, sliding_window=CONTEXT),
    "Qwen2": Qwen2Config(**SIZES, tie_word_embeddings=True),
    "Qwen2, untied": Qwen2Config(**SIZES, sliding_window=7, max_window_layers=0),
}
DTYPES = {"float64": (np.float64, 1e-12), "float32": (np.float32, 1e-5)}


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture
def directory(family, tmp_path):
    """A random model of transformers, every tensor of it far from where training starts, in float64."""
    other = AutoModelForCausalLM.from_config(FAMILIES[family]).double()
    generator = torch.Generator().manual_seed(0)
    for p in other.parameters():
        scale = p.shape[1] ** -0.5 if p.ndim == 2 else 1.0
        p.data.normal_(0, scale, generator=generator)
    other.save_pretrained(tmp_path / "theirs")
    Tokenizer.train(["the cat"], 259).save(tmp_path / "theirs")
    return tmp_path / "theirs"


def loaded_by_transformers(directory, dtype):
    other, report = AutoModelForCausalLM.from_pretrained(
        directory, dtype=getattr(torch, dtype), attn_implementation="eager", output_loading_info=True
    )
    assert not any(report.values()), report
    return other.train()


def random_sequences():
    """The longest fills the context, to the last token that a window could hide."""
    rng = np.random.default_rng(1)
    return [Sequence(rng.integers(0, 270, n), np.arange(n) >= n // 2, "") for n in (CONTEXT + 1, 2, 9, 9)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_logits_loss_and_every_gradient_are_those_of_transformers(family, directory, dtype):
    ours, allowed = DTYPES[dtype]
    sequences = random_sequences()
    with reference.precisely(getattr(torch, dtype)):
        other = loaded_by_transformers(directory, dtype)
        pairs = [(sequence.ids.tolist(), sequence.is_y.tolist()) for sequence in sequences]
        logits = torch.cat([reference.logits_of(other, ids[:-1]) for ids, _ in pairs]).detach().numpy()
        loss = reference.loss_of(other, pairs, 0.1, "token_mean")
        loss.backward()
    theta, config, _ = checkpoint.load(directory, ours)
    assert {tensor: tuple(p.shape) for tensor, p in other.named_parameters()} == theta.shapes
    whole = collate(sequences, 0.1, "token_mean", ours)
    found, _ = model.forward(theta, config, whole.ids, whole.starts, np.arange(len(whole.ids)))
    assert_close(family, f"logits, {dtype}", found, logits, allowed)
    how, grad = TrainConfig(optim="sgd", max_grad_norm=0, batch_size=3, prompt_loss_weight=0.1), theta.like()
    metrics = train.step(theta, grad, SGD(theta, how), whole, config, how, 0.0)
    assert_close(family, f"loss, {dtype}", metrics["loss"], loss.item(), allowed)
    theirs = reference.gradients_of(other)
    for tensor, view in grad.named.items():
        assert_close(family, f"gradient of any tensor, {dtype}", view, theirs[tensor], allowed, tensor)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_saved_answers_in_transformers_as_the_model_it_was_read_from(family, directory, tmp_path, dtype):
    checkpoint.save(tmp_path / "ours", *checkpoint.load(directory, DTYPES[dtype][0]))
    ids = random_sequences()[0].ids[:-1].tolist()
    one, other = (
        reference.logits_of(loaded_by_transformers(place, dtype).eval(), ids).detach().numpy()
        for place in (directory, tmp_path / "ours")
    )
    assert_array_equal(one, other)


def test_a_window_shorter_than_the_text_hides_something(tmp_path):
    """Or the tests above would see nothing."""
    torch.manual_seed(0)
    wide, narrow = (
        AutoModelForCausalLM.from_config(
            MistralConfig(**SIZES, sliding_window=window), attn_implementation="eager"
        ).double()
        for window in (CONTEXT, CONTEXT - 1)
    )
    narrow.load_state_dict(wide.state_dict())
    ids = random_sequences()[0].ids[:-1].tolist()
    one, other = (reference.logits_of(each.eval(), ids).detach().numpy() for each in (wide, narrow))
    assert_array_equal(one[:-1], other[:-1])
    assert (one[-1] != other[-1]).any()


# --- Qwen2's tokens and conversations ---------------------------------------------------------------------------------

TEMPLATE = Path(trl.__file__).parent / "chat_templates" / "qwen2_5.jinja"  # that of Qwen2.5, as its makers wrote it


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """A tokenizer of Qwen2's kind, with merges of its own and Qwen2.5's template; saved, and read by transformers."""
    directory, backend = tmp_path_factory.mktemp("qwen2"), Backend(models.BPE())
    cut = pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), "isolated")
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.Sequence([cut, pre_tokenizers.ByteLevel(use_regex=False)])
    texts = [example.completion for example in data.read([resources.path("pretrain.jsonl")])[::10]]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet))
    learned = json.loads(backend.to_str())["model"]
    merges = [tuple(pair) for pair in learned["merges"]]
    made = Qwen2Tokenizer(learned["vocab"], merges, chat_template=TEMPLATE.read_text(), eos_token="<|im_end|>")
    made.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    made.save_pretrained(directory)
    return directory, AutoTokenizer.from_pretrained(directory)


def test_texts_have_the_ids_of_qwen2(theirs):
    directory, their = theirs
    ours, texts = Tokenizer.load(directory), list(random_texts(1000))
    different = [text for text in texts if ours.encode(text) != their.encode(text, add_special_tokens=False)]
    WORST["Qwen2", "texts with other ids, of 1000"] = len(different), 0
    assert not different


def test_conversations_have_the_ids_of_qwen2_5s_template_with_a_system_turn_and_without(theirs):
    """Without one the template inserts its own."""
    directory, their = theirs
    ours, different = Tokenizer.load(directory), []
    asked = ours.chat.write([{"role": "user", "content": "Hi"}])
    assert "system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>" in asked
    for messages in random_conversations(300):
        encoded = data.encode(data.Example([], messages, "here"), ours).ids.tolist()
        asked = data.question(data.Example([], messages, "here"), ours)[0]
        expected = [
            their.apply_chat_template(messages)["input_ids"],
            their.apply_chat_template(messages[:-1], add_generation_prompt=True)["input_ids"],
        ]
        if [encoded, asked] != expected:
            different.append(messages)
    WORST["Qwen2", "conversations with other ids, of 300"] = len(different), 0
    assert not different
