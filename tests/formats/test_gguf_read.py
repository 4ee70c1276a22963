"""A model in a GGUF file is the model it was made from; a file that is damaged is refused in one line."""

import json
import struct
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from support.commandline import minisft
from support.conversations import render
from support.refusals import refusal
from support.small_sentencepiece import BYTES, ZEPHYR, learned
from support.small_sentencepiece import SPECIAL as SPECIAL

from minisft import checkpoint, model
from minisft.config import ModelConfig, RopeScaling
from minisft.errors import MinisftError
from minisft.formats.gguf import read as gguf_files
from minisft.formats.gguf.header import Walk
from minisft.formats.sentencepiece import from_scores
from minisft.params import Params
from minisft.tokenizer import Tokenizer

gguf = pytest.importorskip("gguf", reason="needs the extra gguf")
KINDS = [gguf.GGMLQuantizationType[name] for name in ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1")]
TEXTS = ["the cat sat on the mat in 1984, the hat", "user\n  the cat\nassistant\n  the mat"] * 20
TEMPLATE = (
    "{% for m in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a cat<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
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
THEIR_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
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


def their_name(name):
    name, _, kind = name.rpartition(".")
    if not name.startswith("model.layers."):
        return f"{THEIR_NAMES[name]}.{kind}"
    number, _, part = name.removeprefix("model.layers.").partition(".")
    return f"blk.{number}.{THEIR_NAMES[part]}.{kind}"


def in_their_order(name, tensor, config):
    """The rows of q and k as llama.cpp's converter writes them: channels i and i + D/2 of a head become neighbours.

    Not in a Qwen2, which llama.cpp turns as transformers does.
    """
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}.get(name.split(".")[-2])
    if not heads or config.qkv_bias:
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
    family = "qwen2" if config.qkv_bias else "llama"
    writer = gguf.GGUFWriter(path, family)
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
    add = {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string, list: writer.add_array}
    add[bool] = writer.add_bool
    for key, value in (values | dict(fields)).items():
        if key not in drop:
            add[type(value)](key.replace("llama.", f"{family}.", 1), value)
    result = {}
    for name in model.shapes(config):
        w, ours = theta.named[name], kind if theta.named[name].ndim == 2 else KINDS[0]
        stored = gguf.quantize(in_their_order(name, w, config), ours)
        if their_name(name) not in drop:
            writer.add_tensor(their_name(name), stored, raw_dtype=ours)
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


def logits_of(theta, config, ids):
    return model.forward(theta, config, np.array(ids), np.array([0, len(ids)]), np.arange(len(ids)))[0]


# What is read


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("config", [CONFIG, UNTIED], ids=["tied", "untied"])
def test_a_gguf_file_is_the_model_whose_safetensors_hold_the_same_numbers(config, kind, theta, tokenizer, tmp_path):
    numbers = write(tmp_path / "model.gguf", theta, config, tokenizer, kind)
    twin = Params(model.shapes(config))
    for name, view in twin.named.items():
        view[...] = numbers[name]
    checkpoint.save(tmp_path / "twin", twin, config, tokenizer)
    loaded, read, its_tokenizer = checkpoint.load(tmp_path / "model.gguf")
    expected, config_of_twin, tokenizer_of_twin = checkpoint.load(tmp_path / "twin")
    assert read == config == config_of_twin
    for name, view in expected.named.items():
        assert_array_equal(loaded.named[name], view, strict=True)
    ids = its_tokenizer.encode("the cat sat in 1984")
    assert ids == tokenizer_of_twin.encode("the cat sat in 1984")
    assert_array_equal(logits_of(loaded, read, ids), logits_of(expected, config, ids))


def test_a_file_of_any_kind_becomes_the_runs_dtype(theta, tokenizer, tmp_path):
    numbers = write(tmp_path / "model.gguf", theta, CONFIG, tokenizer, gguf.GGMLQuantizationType.Q4_1)
    loaded, _, _ = checkpoint.load(tmp_path / "model.gguf", np.float64)
    for name, view in loaded.named.items():
        assert_array_equal(view, numbers[name].astype(np.float64), strict=True)


@pytest.mark.parametrize("piece", [1, 200, 1000])
def test_how_many_rows_are_read_at_a_time_changes_nothing(piece, theta, tokenizer, tmp_path, monkeypatch):
    write(tmp_path / "model.gguf", theta, CONFIG, tokenizer, gguf.GGMLQuantizationType.Q8_0)
    expected, _, _ = checkpoint.load(tmp_path / "model.gguf")
    monkeypatch.setattr(gguf_files, "PIECE", piece)
    assert_array_equal(checkpoint.load(tmp_path / "model.gguf")[0].flat, expected.flat)


def test_neighbours_turn_in_the_file_and_halves_in_theta_so_scores_are_the_same(theta, tokenizer, tmp_path):
    """A second opinion on the order of rows: the scores of the file's own rows, turned as llama.cpp turns them."""
    path = tmp_path / "model.gguf"
    write(path, theta, CONFIG, tokenizer)
    loaded, config, _ = checkpoint.load(path, np.float64)
    stored = {tensor.name: tensor.data.astype(np.float64) for tensor in gguf.GGUFReader(path).tensors}
    D, x = config.head_dim, np.random.default_rng(1).standard_normal((2, config.hidden_size))
    omega = config.rope_base ** (-np.arange(0, D, 2) / D)

    def turned(rows, t, neighbours):
        a = rows @ x[t]
        z = a[::2] + 1j * a[1::2] if neighbours else a[: D // 2] + 1j * a[D // 2 :]
        return z * np.exp(5j * t * omega)

    for j in range(config.num_attention_heads):
        mine, shared = slice(j * D, (j + 1) * D), slice(j // 2 * D, (j // 2 + 1) * D)
        scores = [
            np.vdot(turned(k[shared], 1, neighbours), turned(q[mine], 0, neighbours)).real
            for q, k, neighbours in (
                (stored["blk.1.attn_q.weight"], stored["blk.1.attn_k.weight"], True),
                (*(loaded.named[f"model.layers.1.self_attn.{name}_proj.weight"] for name in "qk"), False),
            )
        ]
        assert_allclose(scores[0], scores[1], rtol=1e-12)


def test_linear_scaling_of_positions_is_read(theta, tokenizer, tmp_path):
    fields = {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 2.0}
    write(tmp_path / "model.gguf", theta, CONFIG, tokenizer, fields=fields)
    assert checkpoint.load(tmp_path / "model.gguf")[1] == replace(CONFIG, rope_scaling=RopeScaling(2.0))


def rounded(table):
    """As llama.cpp's converter computes Llama 3's divisors, everything in float32; by cases and wavelengths."""
    D, theta, factor = table
    waves = np.float32(2 * np.pi) * np.float32(theta) ** (np.arange(0, D, 2, dtype=np.float32) / np.float32(D))
    smooth = (np.float32(8192) / waves - np.float32(1)) / np.float32(3)
    between = 1 / ((1 - smooth) / np.float32(factor) + smooth)
    result = np.where(waves < 8192 / 4, 1, np.where(waves > 8192, factor, between)).astype(np.float32)
    assert 1 in result and factor in result and len(set(result)) > 2  # all three cases are met
    return result


@pytest.mark.parametrize("factor", [8.0, 32.0])
def test_llama_3s_table_of_divisors_is_read_as_its_scaling(factor, theta, tokenizer, tmp_path):
    """As a file has it, to float32: the numbers differ by up to 2e-6, those of a context of 8200 by 5e-4."""
    config = replace(CONFIG, rope_base=500000.0)
    also = {"rope_freqs.weight": (rounded((24, 500000.0, factor)), None)}
    write(tmp_path / "model.gguf", theta, config, tokenizer, also=also)
    loaded, read, _ = checkpoint.load(tmp_path / "model.gguf")
    assert read == replace(config, rope_scaling=RopeScaling(factor, 1.0, 4.0, 8192))
    assert set(loaded.named) == set(model.shapes(config))


def table_like(change):
    table = rounded((24, 500000.0, 8.0))
    return np.array(change(table), np.float32)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table * np.float32(1.001),
        lambda table: np.where(table == table.max(), table, table * 1.01),
        lambda table: table[:-1],
        lambda table: table[:0],
        lambda table: table[::-1],
        lambda table: 1 / table,
        lambda table: 0 * table,
        lambda table: np.where(table == 1, np.nan, table),
        lambda table: np.where(table == 1, np.inf, table),
    ],
    ids=["scaled", "bent", "short", "empty", "reversed", "inverse", "zero", "nan", "infinite"],
)
def test_any_other_table_of_divisors_is_refused(change, theta, tokenizer, tmp_path):
    path = tmp_path / "model.gguf"
    config = replace(CONFIG, rope_base=500000.0)
    write(path, theta, config, tokenizer, also={"rope_freqs.weight": (table_like(change), None)})
    refusal(lambda: checkpoint.load(path), path, "rope_freqs.weight", "Llama 3")


def test_a_table_of_divisors_beside_linear_scaling_is_refused(theta, tokenizer, tmp_path):
    path = tmp_path / "model.gguf"
    fields = {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 2.0}
    also = {"rope_freqs.weight": (rounded((24, 500000.0, 8.0)), None)}
    write(path, theta, replace(CONFIG, rope_base=500000.0), tokenizer, fields=fields, also=also)
    refusal(lambda: checkpoint.load(path), path, "rope_freqs.weight")


def test_a_file_of_a_qwen2_has_biases_and_rows_that_are_not_dealt_out(tokenizer, tmp_path):
    config = replace(CONFIG, qkv_bias=True)
    twin = random_theta(config)
    write(tmp_path / "model.gguf", twin, config, tokenizer)
    loaded, read, _ = checkpoint.load(tmp_path / "model.gguf")
    assert read == config
    assert_array_equal(loaded.flat, twin.flat)


def test_a_llama_with_biases_and_a_qwen2_without_are_refused(tokenizer, theta, tmp_path):
    path, name = tmp_path / "model.gguf", "blk.1.attn_k.bias"
    write(path, theta, CONFIG, tokenizer, also={name: (np.ones(48, np.float32), None)})
    refusal(lambda: checkpoint.load(path), path, "model.layers.1.self_attn.k_proj.bias", "not part of the model")
    config = replace(CONFIG, qkv_bias=True)
    write(path, random_theta(config), config, tokenizer, drop=[name])
    refusal(lambda: checkpoint.load(path), path, "model.layers.1.self_attn.k_proj.bias", "missing")


def test_what_the_file_leaves_out_follows_from_the_rest(theta, tokenizer, tmp_path):
    config = replace(CONFIG, head_dim=16, num_key_value_heads=4, rope_base=10000.0)
    drop = ["llama.attention.head_count_kv", "llama.attention.key_length", "llama.attention.value_length"]
    drop += ["llama.rope.freq_base", "llama.rope.dimension_count", "llama.vocab_size", "llama.expert_count"]
    write(tmp_path / "model.gguf", random_theta(config), config, tokenizer, drop=drop)
    assert checkpoint.load(tmp_path / "model.gguf")[1] == config


def test_what_is_loaded_from_gguf_is_saved_as_a_directory_and_is_the_same_there(theta, tokenizer, tmp_path):
    write(tmp_path / "model.gguf", theta, CONFIG, tokenizer)
    loaded, config, its_tokenizer = checkpoint.load(tmp_path / "model.gguf")
    checkpoint.save(tmp_path / "saved", loaded, config, its_tokenizer)
    again, config_again, tokenizer_again = checkpoint.load(tmp_path / "saved")
    assert_array_equal(again.flat, loaded.flat)
    assert config_again == config
    assert tokenizer_again.template == TEMPLATE
    assert tokenizer_again.encode("in 1984") == its_tokenizer.encode("in 1984")


# Its tokenizer


@pytest.fixture(scope="module")
def its_tokenizer(whole, tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "model.gguf"
    path.write_bytes(whole)
    return checkpoint.load(path)[2]


@given(text=st.text())
def test_any_text_has_the_ids_it_has_in_the_tokenizer_the_file_was_made_from(its_tokenizer, tokenizer, text):
    assert its_tokenizer.encode(text) == tokenizer.encode(text)


def test_special_tokens_end_of_text_and_system_text_are_those_of_the_file(its_tokenizer):
    assert its_tokenizer.special_ids == {0, 1, 2}
    assert (its_tokenizer.eos_id, its_tokenizer.end_of_turn_id) == (2, 2)
    assert its_tokenizer.default_system == "You are a cat"
    assert its_tokenizer.config["bos_token"] == "<|im_start|>"


def test_digits_stand_alone_for_smollm_and_together_for_gpt_2(tokenizer, tmp_path):
    merged = Tokenizer.train(TEXTS, 300)
    source = json.loads(merged.source)
    vocabulary = source["model"]["vocab"]
    last = max(vocabulary, key=vocabulary.get)
    source["model"]["merges"] = [pair for pair in source["model"]["merges"] if "".join(pair) != last] + [["1", "9"]]
    vocabulary["19"] = vocabulary.pop(last)
    merged.source = json.dumps(source).encode()
    ids = {}
    for cut in ("smollm", "gpt-2"):
        write(tmp_path / "model.gguf", random_theta(CONFIG), CONFIG, merged, fields={"tokenizer.ggml.pre": cut})
        ids[cut] = checkpoint.load(tmp_path / "model.gguf")[2].encode("1984")
    assert (len(ids["smollm"]), len(ids["gpt-2"])) == (4, 3)


@pytest.mark.parametrize(
    ("cut", "pieces"),
    [
        ("gpt-2", ["I", "'", "LL", " pay", " 12345", " \n", "\n", "now", " e", "\u0301"]),
        ("smollm", ["I", "'", "LL", " pay", " ", "1", "2", "3", "4", "5", " \n", "\n", "now", " e", "\u0301"]),
        ("llama-bpe", ["I", "'LL", " pay", " ", "123", "45", " \n\n", "now", " e", "\u0301"]),
        ("qwen2", ["I", "'LL", " pay", " ", "1", "2", "3", "4", "5", " \n\n", "now", " \u00e9"]),
    ],
)
def test_a_text_is_cut_in_the_way_that_the_file_names(cut, pieces, tokenizer, tmp_path):
    write(tmp_path / "model.gguf", random_theta(CONFIG), CONFIG, tokenizer, fields={"tokenizer.ggml.pre": cut})
    backend = checkpoint.load(tmp_path / "model.gguf")[2].backend
    text = "I'LL pay 12345 \n\nnow e\u0301"
    text = backend.normalizer.normalize_str(text) if backend.normalizer else text
    found = backend.pre_tokenizer.pre_tokenize_str(text)
    assert [backend.decoder.decode([piece]) for piece, _ in found] == pieces


def test_a_word_of_the_vocabulary_needs_no_merges_in_llama_bpe(tokenizer, tmp_path):
    tokens = [*tokens_of(tokenizer), "qz"]
    config, ids = replace(CONFIG, vocab_size=len(tokens)), {}
    for cut in ("llama-bpe", "gpt-2"):
        fields = {"tokens": tokens, "token_type": [1] * len(tokens), "pre": cut}
        fields = {f"tokenizer.ggml.{key}": value for key, value in fields.items()}
        write(tmp_path / "model.gguf", random_theta(config), config, tokenizer, fields=fields)
        ids[cut] = checkpoint.load(tmp_path / "model.gguf")[2].encode("qz")
    assert ids["llama-bpe"] == [len(tokens) - 1] and len(ids["gpt-2"]) == 2


def test_words_that_the_makers_added_are_found_whole_and_are_no_special_tokens(theta, tokenizer, tmp_path):
    tokens = tokens_of(tokenizer)
    added = {"tokenizer.ggml.tokens": [*tokens, "<tool>"], "tokenizer.ggml.token_type": [1] * len(tokens) + [4]}
    config = replace(CONFIG, vocab_size=len(tokens) + 1)
    write(tmp_path / "model.gguf", random_theta(config), config, tokenizer, fields=added)
    loaded = checkpoint.load(tmp_path / "model.gguf")[2]
    assert len(tokens) in loaded.encode("the<tool>cat")
    assert len(tokens) not in loaded.special_ids
    assert loaded.decode(loaded.encode("the<tool>cat")) == "the<tool>cat"


def test_special_tokens_are_all_those_that_the_file_calls_so_and_text_cannot_make_them(theta, tokenizer, tmp_path):
    tokens = tokens_of(tokenizer)
    added = {"tokenizer.ggml.tokens": [*tokens, "<tool>"], "tokenizer.ggml.token_type": [1] * len(tokens) + [3]}
    config = replace(CONFIG, vocab_size=len(tokens) + 1)
    write(tmp_path / "model.gguf", random_theta(config), config, tokenizer, fields=added)
    loaded = checkpoint.load(tmp_path / "model.gguf")[2]
    assert len(tokens) in loaded.special_ids
    assert len(tokens) not in loaded.encode("the<tool>cat")
    assert loaded.decode(loaded.encode("the<tool>cat")) == "the<tool>cat"


def test_a_file_with_one_token_twice_is_refused(theta, tokenizer, tmp_path):
    tokens = tokens_of(tokenizer)
    write(tmp_path / "model.gguf", theta, CONFIG, tokenizer, fields={"tokenizer.ggml.tokens": [*tokens[:-1], "a"]})
    refusal(lambda: checkpoint.load(tmp_path / "model.gguf"), "tokens", "do not fit together")


def test_a_file_without_a_template_chats_in_chatml(theta, tokenizer, tmp_path):
    write(tmp_path / "model.gguf", theta, CONFIG, tokenizer, drop=["tokenizer.chat_template"])
    loaded = checkpoint.load(tmp_path / "model.gguf")[2]
    messages = [{"role": "user", "content": "the cat"}]
    assert render(loaded, messages) == render(tokenizer, messages)


# Its tokenizer, of SentencePiece's kind


LEARNED = [*learned()[0], "<tool>"]
TOKENS = [*SPECIAL, *BYTES, *LEARNED]
SCORES = dict(zip(LEARNED, range(0, -len(LEARNED), -1)))
OF_SCORES = {
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": TOKENS,
    "tokenizer.ggml.scores": [float(SCORES.get(token, 0)) for token in TOKENS],
    "tokenizer.ggml.token_type": [2, 3, 3, *[6] * 256, *[1] * (len(LEARNED) - 1), 4],
    "tokenizer.ggml.unknown_token_id": 0,
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.chat_template": ZEPHYR,
}


def of_scores(path, **fields):
    fields = OF_SCORES | {f"tokenizer.ggml.{key}": value for key, value in fields.items()}
    config = replace(CONFIG, vocab_size=len(fields["tokenizer.ggml.tokens"]), num_hidden_layers=1)
    drop = ["tokenizer.ggml.merges", "tokenizer.ggml.pre"]
    write(path, random_theta(config), config, Tokenizer.train(TEXTS, 300), drop=drop, fields=fields)
    return checkpoint.load(path)[2]


@pytest.fixture(scope="module")
def sentencepiece(tmp_path_factory):
    return of_scores(tmp_path_factory.mktemp("scores") / "model.gguf")


def by_scores(text):
    """The ids as llama.cpp finds them: of all neighbours that together are a token, the best score, the first such."""
    parts = list(text.replace(" ", "▁"))
    while pairs := [
        (-SCORES[left + right], i) for i, (left, right) in enumerate(pairwise(parts)) if left + right in SCORES
    ]:
        i = min(pairs)[1]
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    spelled = ([part] if part in SCORES else [f"<0x{byte:02X}>" for byte in part.encode()] for part in parts)
    return [TOKENS.index(token) for tokens in spelled for token in tokens]


@given(text=st.one_of(st.text(), st.text("theca sonm", max_size=60)).filter(lambda text: "<tool>" not in text))
def test_neighbours_merge_in_the_order_of_their_scores(sentencepiece, text):
    assert sentencepiece.encode(text, [5]) == by_scores(text)
    assert sentencepiece.encode(text) == by_scores(f" {text}" if text else "")


def test_its_special_tokens_and_its_dialect_are_those_of_the_file(sentencepiece):
    assert sentencepiece.special_ids == {0, 1, 2}
    assert (sentencepiece.eos_id, sentencepiece.end_of_turn_id) == (2, 2)
    assert [sentencepiece.config[role] for role in ("bos_token", "unk_token")] == ["<s>", "<unk>"]
    runs = render(sentencepiece, [{"role": "user", "content": "the cat"}], add_generation_prompt=True)
    assert "".join(sentencepiece.token_text(i) for ids, _ in runs for i in ids) == (
        " <|user|>\nthe cat</s> \n<|assistant|>\n"
    )


def test_words_that_the_makers_added_are_found_whole_and_special_tokens_and_bytes_never(sentencepiece):
    assert TOKENS.index("<tool>") in sentencepiece.encode("the<tool>")
    for text in ("</s>", "<unk>", "<0x41>"):
        assert sentencepiece.decode(sentencepiece.encode(text)) == f" {text}"
        assert not {0, 2, TOKENS.index("<0x41>")} & set(sentencepiece.encode(text))


@pytest.mark.parametrize(
    ("fields", "text"), [({}, " the"), ({"add_space_prefix": True}, " the"), ({"add_space_prefix": False}, "the")]
)
def test_a_blank_is_put_before_a_text_unless_the_file_says_no(fields, text, tmp_path):
    loaded = of_scores(tmp_path / "model.gguf", **fields)
    assert loaded.decode(loaded.encode("the")) == text


def test_what_is_loaded_with_scores_is_saved_as_a_directory_and_is_the_same_there(sentencepiece, tmp_path):
    sentencepiece.save(tmp_path)
    again = Tokenizer.load(tmp_path)
    messages = [{"role": "user", "content": " the é"}, {"role": "assistant", "content": "the mat"}]
    assert again.encode("the cat\n é") == sentencepiece.encode("the cat\n é")
    assert render(again, messages) == render(sentencepiece, messages)


def test_merges_of_a_vocabulary_of_32000_take_less_than_two_seconds():
    rng = np.random.default_rng(0)
    syllables = [a + b for a in "bcdfghklmnprst" for b in "aeiou"]
    words = dict.fromkeys("".join(rng.choice(syllables, rng.integers(1, 6))) for _ in range(60_000))
    tokens = [*SPECIAL, *BYTES, "▁", *"abcdefghijklmnopqrstuvwxyz", *words][:32_000]
    began = time.perf_counter()
    from_scores(tokens, [-float(i) for i in range(len(tokens))], [1] * len(tokens), True)
    assert len(tokens) == 32_000 and time.perf_counter() - began < 2


def test_a_token_that_is_as_long_as_a_book_is_refused(tmp_path):
    """The halves of a token are looked up one after the other, so a damaged file could keep us for hours."""
    long = {"tokens": [*TOKENS[:-1], "a" * 10_000]}
    refusal(lambda: of_scores(tmp_path / "model.gguf", **long), tmp_path / "model.gguf", "more than 512 characters")


# Refusals


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"general.architecture": "qwen3"}, ["general.architecture", "qwen3", "llama", "qwen2"]),
        ({"llama.attention.sliding_window": 5}, ["llama.attention.sliding_window", "5"]),
        ({"llama.expert_count": 8}, ["llama.expert_count", "8"]),
        ({"llama.rope.scaling.type": "yarn"}, ["llama.rope.scaling.type", "yarn", "linear"]),
        ({"llama.rope.scaling.type": [1, 2]}, ["llama.rope.scaling.type"]),
        ({"llama.rope.scaling.type": "linear"}, ["llama.rope.scaling.factor"]),
        ({"llama.rope.dimension_count": 12}, ["llama.rope.dimension_count", "12", "24"]),
        ({"llama.attention.value_length": 12}, ["llama.attention.value_length", "12", "24"]),
        ({"llama.attention.head_count_kv": [2, 2]}, ["llama.attention.head_count_kv"]),
        ({"llama.attention.head_count_kv": 3}, ["num_key_value_heads", "3"]),
        ({"llama.block_count": "two"}, ["llama.block_count"]),
        ({"llama.block_count": 2**24}, ["num_hidden_layers", 2**24]),
        ({"llama.block_count": 3}, ["model.layers.2.input_layernorm.weight", "missing"]),
        ({"llama.embedding_length": 2**24}, ["model.embed_tokens.weight", "(300, 64)", 2**24]),
        ({"llama.attention.head_count": 2**24, "llama.attention.head_count_kv": 2**24}, ["q_proj", 24 * 2**24]),
        ({"llama.rope.freq_base": float("nan")}, ["rope.freq_base", "nan"]),
        ({"tokenizer.ggml.model": "t5"}, ["tokenizer.ggml.model", "t5", "gpt2", "llama"]),
        ({"tokenizer.ggml.model": "llama"}, ["tokenizer.ggml.scores"]),
        ({"tokenizer.ggml.model": "llama", "tokenizer.ggml.scores": [0.0] * 5}, [" 5 scores"]),
        ({"tokenizer.ggml.model": "llama", "tokenizer.ggml.scores": ["a"]}, ["tokenizer.ggml.scores"]),
        ({"tokenizer.ggml.pre": "tekken"}, ["tokenizer.ggml.pre", "tekken", "smollm"]),
        ({"tokenizer.ggml.eos_token_id": 300}, ["tokens"]),
        ({"tokenizer.ggml.tokens": [1, 2]}, ["tokenizer.ggml.tokens"]),
        ({"tokenizer.ggml.tokens": ["a", "a"]}, ["tokens"]),
        ({"tokenizer.ggml.merges": ["no such"]}, ["merges"]),
        ({"tokenizer.ggml.merges": ["one"]}, ["merges"]),
        ({"tokenizer.chat_template": "{{ messages }}"}, ["chat template", "ChatML"]),
        ({"tokenizer.chat_template": 5}, ["chat template", "ChatML"]),
    ],
)
def test_a_key_that_asks_for_what_is_not_implemented_or_impossible_is_refused(
    fields, words, theta, tokenizer, tmp_path
):
    path = tmp_path / "model.gguf"
    write(path, theta, CONFIG, tokenizer, fields=fields)
    refusal(lambda: checkpoint.load(path), path, *words)


@pytest.mark.parametrize(
    "key",
    [
        "llama.block_count",
        "llama.attention.layer_norm_rms_epsilon",
        "tokenizer.ggml.model",
        "tokenizer.ggml.pre",
        "tokenizer.ggml.tokens",
        "tokenizer.ggml.token_type",
        "tokenizer.ggml.eos_token_id",
        "token_embd.weight",
        "output_norm.weight",
        "blk.1.ffn_up.weight",
    ],
)
def test_a_file_without_a_key_or_tensor_that_is_needed_is_refused(key, theta, tokenizer, tmp_path):
    path = tmp_path / "model.gguf"
    write(path, theta, CONFIG, tokenizer, drop=[key])
    named = "model.layers.1.mlp.up_proj.weight" if key.startswith("blk") else key.replace("output_norm", "model.norm")
    refusal(lambda: checkpoint.load(path), path, named)


def test_a_tensor_that_a_llama_has_not_is_refused(theta, tokenizer, tmp_path):
    path = tmp_path / "model.gguf"
    write(path, theta, CONFIG, tokenizer, also={"blk.0.attn_q_norm.weight": (np.ones(24, np.float32), None)})
    refusal(lambda: checkpoint.load(path), path, "blk.0.attn_q_norm.weight")


def test_a_type_of_blocks_that_is_not_read_is_refused_by_name(theta, tokenizer, tmp_path):
    path, other = tmp_path / "model.gguf", gguf.GGMLQuantizationType.Q5_0
    write(
        path,
        theta,
        CONFIG,
        tokenizer,
        drop=["output_norm.weight"],
        also={"output_norm.weight": (gguf.quantize(np.ones((1, 64), np.float32), other), other)},
    )
    refusal(lambda: checkpoint.load(path), path, "output_norm.weight", "Q5_0", "Q4_1")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_not_finite_is_refused(value, tokenizer, tmp_path):
    theta, path = random_theta(CONFIG), tmp_path / "model.gguf"
    theta.named["model.norm.weight"][7] = value
    write(path, theta, CONFIG, tokenizer)
    refusal(lambda: checkpoint.load(path), path, "model.norm.weight", "NaN")


def test_without_the_package_the_error_says_how_to_install_it(whole, tmp_path, monkeypatch):
    (tmp_path / "model.gguf").write_bytes(whole)
    monkeypatch.setitem(__import__("sys").modules, "gguf", None)
    refusal(lambda: checkpoint.load(tmp_path / "model.gguf"), "pip install 'minisft[gguf]'")


# Damage


def tried(path, content):
    """Whether the bytes load; if not, they are refused in one line that names the file, and soon."""
    path.write_bytes(content)
    began = time.perf_counter()
    try:
        checkpoint.load(path)
    except MinisftError as error:
        assert "\n" not in str(error)
        assert str(path) in str(error)
        return False
    finally:
        assert time.perf_counter() - began < 10
    return True


def test_a_file_that_is_missing_empty_or_of_another_kind_is_refused(tmp_path):
    refusal(lambda: checkpoint.load(tmp_path / "nowhere.gguf"), tmp_path / "nowhere.gguf", "No such file")
    for content in (b"", b"GGUF", b"GGML" + bytes(100), b"PK\x03\x04" * 1000, b"GGUF" + b"\xff" * 1000):
        assert not tried(tmp_path / "model.gguf", content)


def test_a_file_that_is_cut_off_anywhere_is_refused(whole, tmp_path):
    path = tmp_path / "model.gguf"
    last_tensor = 64 * 4  # of the last norm; after it nothing follows
    for keep in [*range(0, 400), *range(400, len(whole) - last_tensor, 997), len(whole) - 1 - len(whole) % 32]:
        assert not tried(path, whole[:keep]), keep


@pytest.mark.parametrize("number", [2**60, 2**64 - 1, 2**32, 2**31, 10**6])
def test_a_length_or_count_that_lies_is_refused(whole, number, tmp_path):
    """Every eight bytes of the header that hold a small number, and so may be a length, say something else."""
    path, places = tmp_path / "model.gguf", range(8, 4000)
    likely = [i for i in places if 0 < struct.unpack_from("<Q", whole, i)[0] < 2**16]
    assert len(likely) > 100
    for i in likely[:: max(1, len(likely) // 60)]:
        tried(path, whole[:i] + struct.pack("<Q", number) + whole[i + 8 :])
    for i in (8, 16):  # tensors, keys
        assert not tried(path, whole[:i] + struct.pack("<Q", number) + whole[i + 8 :])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bytes_of_the_header_that_changed_are_refused_in_one_line_or_harmless(whole, tmp_path, data):
    end = whole.index(b"output_norm.weight") + 200
    place = data.draw(st.one_of(st.integers(4, 1500), st.integers(end - 1200, end), st.integers(4, end)))
    flipped = whole[place] ^ data.draw(st.integers(1, 255))
    tried(tmp_path / "model.gguf", whole[:place] + bytes([flipped]) + whole[place + 1 :])


def with_entry(whole, name, dimensions=None, kind=None, offset=None, number_of_dimensions=None):
    """The file whose header says something else of one tensor."""
    at = whole.index(name.encode()) + len(name)
    count = struct.unpack_from("<I", whole, at)[0]
    old = struct.unpack_from(f"<{count}QIQ", whole, at + 4)
    new = [*(dimensions or old[:count]), *(b if a is None else a for a, b in zip((kind, offset), old[count:]))]
    end = at + 4 + struct.calcsize(f"<{count}QIQ")
    return whole[:at] + struct.pack(f"<I{count}QIQ", number_of_dimensions or count, *new) + whole[end:]


NORM, UP = "output_norm.weight", "blk.0.ffn_up.weight"


@pytest.mark.parametrize(
    "changes, word",
    [
        ({"offset": 2**60}, NORM),
        ({"offset": 2**64 - 32}, NORM),
        ({"offset": 0}, NORM),  # where another tensor lies
        ({"kind": 2**32 - 1}, 2**32 - 1),
        ({"kind": 4}, "type 4"),  # a number that was given up
        ({"dimensions": [2**63]}, NORM),
        ({"dimensions": [2**20]}, NORM),  # beyond the end of the file
        ({"dimensions": [0]}, "(0,)"),
        ({"dimensions": [32]}, "(32,)"),
        ({"number_of_dimensions": 2**31}, "dimensions"),
    ],
)
def test_an_entry_that_lies_is_refused_before_there_is_memory_for_it(changes, word, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "Params", lambda *_: pytest.fail("asked for memory"))
    assert with_entry(whole, NORM) == whole
    (tmp_path / "model.gguf").write_bytes(with_entry(whole, NORM, **changes))
    refusal(lambda: checkpoint.load(tmp_path / "model.gguf"), tmp_path / "model.gguf", word)


def test_a_file_whose_data_are_cut_off_is_refused_before_there_is_memory_for_them(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "Params", lambda *_: pytest.fail("asked for memory"))
    (tmp_path / "model.gguf").write_bytes(whole[:-100])
    refusal(lambda: checkpoint.load(tmp_path / "model.gguf"), "cut off")


@pytest.mark.parametrize("old, new", [("ffn_up", "ffn_no"), ("attn_q", "attn_k"), ("ffn_up", "ffn\nup")])
def test_a_name_that_is_unknown_or_there_twice_or_no_name_is_refused(old, new, whole, tmp_path):
    old, new = (f"blk.0.{name}.weight".encode() for name in (old, new))
    (tmp_path / "model.gguf").write_bytes(whole.replace(old, new))
    refusal(lambda: checkpoint.load(tmp_path / "model.gguf"), tmp_path / "model.gguf")


def test_a_key_that_is_there_twice_is_refused(whole, tmp_path):
    (tmp_path / "model.gguf").write_bytes(whole.replace(b"ggml.bos_token_id", b"ggml.eos_token_id"))
    refusal(lambda: checkpoint.load(tmp_path / "model.gguf"), "tokenizer.ggml.eos_token_id twice")


def test_rows_that_are_no_whole_blocks_are_refused(whole, tmp_path):
    config = replace(CONFIG, hidden_size=33)
    entries = {NORM: ((33,), gguf.GGMLQuantizationType.Q8_0.value, 0)}
    (tmp_path / "model.gguf").write_bytes(whole)
    with open(tmp_path / "model.gguf", "rb") as file:
        walk = Walk(file, tmp_path / "model.gguf")
        refusal(lambda: gguf_files.tensors(walk, {}, entries, config, gguf), NORM, "(33,)", "Q8_0")


def test_a_directory_is_one_whatever_its_name(theta, tokenizer, tmp_path):
    twin = random_theta(CONFIG)
    checkpoint.save(tmp_path / "model.gguf", twin, CONFIG, tokenizer)
    assert_array_equal(checkpoint.load(tmp_path / "model.gguf")[0].flat, twin.flat)


def test_a_damaged_file_ends_a_command_with_status_2(whole, tmp_path, capsys):
    path = tmp_path / "model.gguf"
    path.write_bytes(whole[: len(whole) // 2])
    assert minisft("generate", "--model", path, "--prompt", "the") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_commands_take_the_file_as_a_model(whole, tmp_path, capsys):
    path = tmp_path / "model.gguf"
    path.write_bytes(whole)
    assert minisft("generate", "--model", path, "--prompt", "the", "--max-new-tokens", "3", "--json") == 0
    assert json.loads(capsys.readouterr().out)["prompt"] == [{"role": "user", "content": "the"}]


def test_a_run_starts_from_the_file_and_never_writes_where_it_is(whole, tmp_path, capsys):
    path = tmp_path / "models" / "model.gguf"
    path.parent.mkdir()
    path.write_bytes(whole)
    (tmp_path / "data.jsonl").write_text('{"prompt": "the cat", "completion": " sat"}\n')
    line = ["sft", "--model", path, "--data", tmp_path / "data.jsonl", "--max-steps", "2", "--output-dir"]
    assert minisft(*line, path.parent) == 2
    assert "holds the model that is read" in capsys.readouterr().err
    assert path.read_bytes() == whole and list(path.parent.iterdir()) == [path]
    assert minisft(*line, tmp_path / "run") == 0
    assert checkpoint.load(tmp_path / "run")[1] == replace(CONFIG, num_hidden_layers=1)
