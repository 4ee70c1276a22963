"""Model directories, tokens and conversations beside transformers: what one writes the other reads, in the same ids."""

import unicodedata
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from transformers import AutoModelForCausalLM, AutoTokenizer

from minisft import checkpoint, data, model
from minisft.config import ModelConfig
from minisft.formats import huggingface
from minisft.params import Params

from . import reference
from .measured import WORST, assert_close

CONFIG = ModelConfig(
    vocab_size=400,
    hidden_size=12,
    intermediate_size=14,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=6,
    max_position_embeddings=64,
    rms_norm_eps=2e-5,
    rope_base=5000.0,
)
tied_or_not = pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])


@pytest.fixture
def theirs(tokenizer, tmp_path):
    """The tokenizer that transformers reads from what ours writes."""
    tokenizer.save(tmp_path / "tokenizer", model_max_length=10**6)
    return AutoTokenizer.from_pretrained(tmp_path / "tokenizer")


def random_theta(config, dtype):
    return Params.random(np.random.default_rng(0), model.shapes(config)).astype(dtype)


def random_ids(seed=1):
    return np.random.default_rng(seed).integers(0, CONFIG.vocab_size, 20)


def our_logits(theta, config, ids):
    return model.forward(theta, config, ids, np.array([0, len(ids)]), np.arange(len(ids)))[0]


# --- weights ----------------------------------------------------------------------------------------------------------


@tied_or_not
@pytest.mark.parametrize(("dtype", "allowed"), [(np.float64, 1e-12), (np.float32, 1e-5)], ids=["float64", "float32"])
def test_transformers_reads_what_minisft_writes_and_computes_the_same_logits(tied, dtype, allowed, tokenizer, tmp_path):
    """In the dtype of the file. Tolerances as in test_model.py: rounding, and what sums make of it."""
    config = replace(CONFIG, tie_word_embeddings=tied)
    theta, ids = random_theta(config, dtype), random_ids()
    checkpoint.save(tmp_path, theta, config, tokenizer)
    with reference.precisely(getattr(torch, np.dtype(dtype).name)):
        other, report = AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
        logits = reference.logits_of(other.eval(), ids.tolist()).detach().numpy()
    assert not any(report.values()), report
    assert other.dtype is getattr(torch, np.dtype(dtype).name)
    assert {name: tuple(p.shape) for name, p in other.named_parameters()} == theta.shapes
    what = f"logits of a file in {np.dtype(dtype).name}"
    assert_close("from_pretrained", what, our_logits(theta, config, ids), logits, allowed)


@tied_or_not
@pytest.mark.parametrize("shards", [False, True], ids=["one-file", "sharded"])
@pytest.mark.parametrize("stored", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_minisft_reads_bit_for_bit_what_transformers_writes(tied, shards, stored, theirs, tmp_path):
    config = replace(CONFIG, tie_word_embeddings=tied)
    sizes = {name: getattr(config, name) for name in huggingface.SIZES}
    sizes |= {name: getattr(config, name) for name in ("num_key_value_heads", "head_dim", "rms_norm_eps")}
    rope = {"rope_type": "default", "rope_theta": config.rope_base}
    theta = random_theta(config, np.float64)
    other = reference.build(
        sizes | {"rope_parameters": rope, "tie_word_embeddings": tied, "max_position_embeddings": 64}, theta.named
    ).to(stored)
    other.save_pretrained(tmp_path, max_shard_size="8KB" if shards else "1GB")
    theirs.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").exists() is not shards
    assert len(list(tmp_path.glob("*.safetensors"))) > 1 or not shards

    loaded, read, tokenizer = checkpoint.load(tmp_path, np.float64)
    assert read == config
    for name, tensor in other.named_parameters():
        assert_array_equal(loaded.named[name], tensor.detach().double().numpy())
    assert tokenizer.encode("A cat’s 12 mice") == theirs.encode("A cat’s 12 mice")


def test_what_went_to_transformers_and_back_is_theta_bit_for_bit(tokenizer, tmp_path):
    theta = random_theta(CONFIG, np.float32)
    checkpoint.save(tmp_path / "ours", theta, CONFIG, tokenizer)
    AutoModelForCausalLM.from_pretrained(tmp_path / "ours").save_pretrained(tmp_path / "theirs")
    AutoTokenizer.from_pretrained(tmp_path / "ours").save_pretrained(tmp_path / "theirs")
    back, config, _ = checkpoint.load(tmp_path / "theirs")
    assert config == CONFIG
    assert_array_equal(back.flat, theta.flat)


# --- tokens -----------------------------------------------------------------------------------------------------------


def random_texts(count, seed=0):
    """Texts of up to 40 characters: words, digits and runs of white space; one script; any assigned characters."""
    rng = np.random.default_rng(seed)
    words = [
        *"  \t\n\r",
        "\r\n",
        "   ",
        "\u00a0",
        "the",
        " The",
        "don't",
        "’s",
        "3.14",
        "1000",
        "é",
        "e\u0301",
        "—",
        "<|",
        "|>",
    ]
    words += ["👩\u200d🚀", "東京", "العربية", "\u200b", "\ufeff", "ß", "assistant", "user", "\x00", "\x7f"]
    assigned = [chr(i) for i in range(0x110000) if unicodedata.category(chr(i)) not in ("Cn", "Cs", "Co")]
    for number in range(count):
        length = int(rng.integers(0, 40))
        if number % 3 == 0:
            yield "".join(words[i] for i in rng.integers(0, len(words), length // 2))
        elif number % 3 == 1:
            first = int(rng.integers(0x20, 0x2000))
            yield "".join(chr(i) for i in rng.integers(first, first + 128, length))
        else:
            yield "".join(assigned[i] for i in rng.integers(0, len(assigned), length))


def test_thousands_of_random_texts_have_the_ids_of_transformers(tokenizer, theirs):
    texts = list(random_texts(3000))
    assert len(set(texts)) > 2500
    different = [text for text in texts if tokenizer.encode(text) != theirs.encode(text, add_special_tokens=False)]
    WORST["transformers", "texts with other ids, of 3000"] = len(different), 0
    assert not different


def random_conversations(count):
    """1 to 3 exchanges, some after a system turn. No answer begins with white space: see below."""
    rng, texts = np.random.default_rng(1), random_texts(100 * count, seed=2)
    for number in range(count):
        messages = [{"role": "system", "content": next(texts)}] if number % 2 else []
        for _ in range(int(rng.integers(1, 4))):
            messages.append({"role": "user", "content": next(texts)})
            messages.append({"role": "assistant", "content": next(text for text in texts if text == text.lstrip())})
        yield messages


def rendered(theirs, messages):
    result = theirs.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    return result["input_ids"], [bool(m) for m in result["assistant_masks"]]


def test_conversations_have_the_ids_and_the_assistant_mask_of_the_written_template(tokenizer, theirs):
    different = []
    for messages in random_conversations(500):
        ours = data.encode(data.Example([], messages, "here"), tokenizer)
        if (ours.ids.tolist(), ours.is_y.tolist()) != rendered(theirs, messages):
            different.append(messages)
    WORST["transformers", "conversations with other ids or mask, of 500"] = len(different), 0
    assert not different


def test_only_an_answer_that_begins_with_white_space_is_cut_elsewhere_and_its_text_is_the_same(tokenizer, theirs):
    """The one deliberate difference: an answer is encoded apart from its header, as the model meets it."""
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "\n Hello"}]
    ours = data.encode(data.Example([], messages, "here"), tokenizer)
    ids, mask = rendered(theirs, messages)
    assert theirs.decode(ours.ids) == theirs.decode(ids)
    assert theirs.decode(ours.ids[ours.is_y]) == "\n Hello<|im_end|>"
    assert theirs.decode([i for i, is_answer in zip(ids, mask) if is_answer]) != "\n Hello<|im_end|>"


def test_what_the_model_is_asked_has_the_ids_of_the_generation_prompt(tokenizer, theirs):
    for messages in random_conversations(100):
        asked, _ = data.question(data.Example([], messages, "here"), tokenizer)
        assert asked == theirs.apply_chat_template(messages[:-1], add_generation_prompt=True)["input_ids"]
