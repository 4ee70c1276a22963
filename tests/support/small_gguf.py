"""A small model in a GGUF file, written by llama.cpp's own package; without that package, its tests are skipped.

A file of tests that needs the three fixtures takes them by their names: `tokenizer, theta, whole = fixtures`.
"""

import json
from dataclasses import replace

import numpy as np
import pytest

from minisft import model
from minisft.config import ModelConfig
from minisft.params import Params
from minisft.tokenizer import Tokenizer

gguf = pytest.importorskip("gguf", reason="needs the extra gguf")
KINDS = [gguf.GGMLQuantizationType[name] for name in ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1")]
TEXTS = ["the cat sat on the mat in 1984, the hat", "user\n  the cat\nassistant\n  the mat"] * 20
TEMPLATE = (
    "{% for m in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a cat<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CONFIG = ModelConfig(  # rows of 32 weights and more, as the blocks want; H·D apart from C
    vocab_size=300,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=24,
    max_position_embeddings=64,
    rms_norm_eps=2.0**-16,
    rope_base=5000.0,
    tie_word_embeddings=True,
)
UNTIED = replace(CONFIG, tie_word_embeddings=False)
FAMILIES = {  # the name of each in a file, and what it has
    "qwen2": {"qkv_bias": True},
    "qwen3": {"qk_norm": "head"},
    "olmo2": {"qk_norm": "all", "norms": "after"},
    "gemma3": {
        "qk_norm": "head",
        "norms": "both",
        "hidden_act": "gelu_pytorch_tanh",
        "embedding_scale": 8.0,  # √64
        "layer_types": ("sliding_attention",) * 2,  # of two blocks none is the sixth
        "sliding_window": 5,
    },
}
THEIR_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
}


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(TEXTS, 300)


@pytest.fixture(scope="module")
def theta():
    return random_theta(UNTIED)


def random_theta(config):
    return Params.random(np.random.default_rng(0), model.shapes(config)).astype(np.float32)


AFTER_BRANCHES = {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}


def family(config):
    """The name in a file of the family that a config is of."""
    kind = config.qkv_bias, config.qk_norm, config.norms
    has = {
        name: (fields.get("qkv_bias", False), fields.get("qk_norm", "none"), fields.get("norms", "before"))
        for name, fields in FAMILIES.items()
    }
    return next((name for name, its in has.items() if its == kind), "llama")


def their_name(name, config=None):
    name, _, kind = name.rpartition(".")
    if not name.startswith("model.layers."):
        return f"{THEIR_NAMES[name]}.{kind}"
    number, _, part = name.removeprefix("model.layers.").partition(".")
    names = THEIR_NAMES if config is None or config.norms == "before" else THEIR_NAMES | AFTER_BRANCHES
    return f"blk.{number}.{names[part]}.{kind}"


def in_their_order(name, tensor, config):
    """The rows of q and k as llama.cpp's converter writes them: channels i and i + D/2 of a head become neighbours.

    In a Llama alone: llama.cpp turns the others as transformers does.
    """
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}.get(name.split(".")[-2])
    if not heads or family(config) != "llama":
        return tensor
    rows, columns = tensor.shape
    return tensor.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def tokens_of(tokenizer):
    vocabulary = json.loads(tokenizer.source)["model"]["vocab"]
    return sorted(vocabulary, key=vocabulary.get)


def write(path, theta, config, tokenizer, kind=KINDS[0], drop=(), fields=(), also=()):
    """A GGUF file by the package's own writer; norms are F32, as always. Returns what its numbers stand for.

    drop    names of tensors and keys to leave out;  fields: {key: value} to add or change;  also: {name: array}
    """
    architecture = family(config)
    writer = gguf.GGUFWriter(path, architecture)
    tokens, merges = tokens_of(tokenizer), json.loads(tokenizer.source)["model"]["merges"]
    values = {
        "llama.block_count": config.num_hidden_layers,
        "llama.context_length": config.max_position_embeddings,
        "llama.embedding_length": config.hidden_size,
        "llama.feed_forward_length": config.intermediate_size,
        "llama.attention.head_count": config.num_attention_heads,
        "llama.attention.head_count_kv": config.num_key_value_heads,
        "llama.attention.key_length": config.head_dim,
        "llama.attention.value_length": config.head_dim,
        "llama.attention.layer_norm_rms_epsilon": config.rms_norm_eps,
        "llama.rope.freq_base": config.rope_base,
        "llama.rope.dimension_count": config.head_dim,
        "llama.vocab_size": config.vocab_size,
        "llama.expert_count": 0,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [
            3 if token in ("<|endoftext|>", "<|im_start|>", "<|im_end|>") else 1 for token in tokens
        ],
        "tokenizer.ggml.merges": [" ".join(pair) for pair in merges],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.chat_template": TEMPLATE,
    }
    if architecture == "gemma3":
        values["llama.attention.sliding_window"] = config.sliding_window
    add = {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string, list: writer.add_array}
    add[bool] = writer.add_bool
    for key, value in (values | dict(fields)).items():
        if key not in drop:
            add[type(value)](key.replace("llama.", f"{architecture}.", 1), value)
    result = {}
    for name in model.shapes(config):
        w, ours = theta.named[name], kind if theta.named[name].ndim == 2 else KINDS[0]
        stored = gguf.quantize(in_their_order(name, w, config), ours)
        if their_name(name, config) not in drop:
            writer.add_tensor(their_name(name, config), stored, raw_dtype=ours)
        result[name] = gguf.dequantize(gguf.quantize(w, ours), ours)
    for name, (array, other) in dict(also).items():
        writer.add_tensor(name, array, raw_dtype=other)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return result


@pytest.fixture(scope="module")
def whole(theta, tokenizer, tmp_path_factory):
    """The bytes of a small file that is in order."""
    path = tmp_path_factory.mktemp("whole") / "model.gguf"
    write(path, theta, replace(CONFIG, num_hidden_layers=1), tokenizer)
    return path.read_bytes()


fixtures = tokenizer, theta, whole


def logits_of(theta, config, ids):
    return model.forward(theta, config, np.array(ids), np.array([0, len(ids)]), np.arange(len(ids)))[0]
