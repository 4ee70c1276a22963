"""A model that is written as a GGUF file is the same model when it is read; what the format cannot hold is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from support import small_gguf
from support.commandline import assert_refused, contents, minisft
from support.conversations import render
from support.refusals import refusal
from support.small_gguf import CONFIG, TEMPLATE, TEXTS, UNTIED, gguf, logits_of, random_theta, write
from tokenizers import AddedToken, Regex, normalizers, pre_tokenizers

from minisft import checkpoint
from minisft.config import RopeScaling
from minisft.formats import resources
from minisft.formats.gguf import read as gguf_files
from minisft.formats.gguf import write as gguf_export
from minisft.tokenizer import Tokenizer

tokenizer = small_gguf.tokenizer
LLAMA3 = RopeScaling(8.0, 1.0, 4.0, 8192)
KINDS = {
    "tied": CONFIG,
    "untied": UNTIED,
    "linear": replace(CONFIG, rope_scaling=RopeScaling(2.5)),
    "llama3": replace(CONFIG, rope_base=500000.0, rope_scaling=LLAMA3),
    "qwen2": replace(CONFIG, qkv_bias=True),
}
MESSAGES = [{"role": "user", "content": "the cat"}, {"role": "assistant", "content": " 1984"}]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.gguf"


def changed(tokenizer, change, **config):
    """The tokenizer of another file: change(its backend) first, and other entries of tokenizer_config.json."""
    backend = Tokenizer(tokenizer.source, tokenizer.config).backend
    change(backend)
    return Tokenizer(backend.to_str().encode(), tokenizer.config | config, tokenizer.template)


def keys_of(path):
    """As the package itself reads them."""
    return {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items()}


# --- there and back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)
def test_what_is_written_is_read_bit_for_bit(config, tokenizer, path):
    theta = random_theta(config)
    gguf_export.write(path, theta, config, tokenizer)
    loaded, read, its_tokenizer = checkpoint.load(path)
    assert read == config
    for name, view in theta.named.items():
        assert_array_equal(loaded.named[name], view, strict=True)
    ids = its_tokenizer.encode("the cat sat in 1984")
    assert ids == tokenizer.encode("the cat sat in 1984")
    assert_array_equal(logits_of(loaded, read, ids), logits_of(theta, config, ids))


def test_numbers_that_are_not_float32_are_rounded_to_it_and_the_logits_stay(tokenizer, path):
    config = replace(CONFIG, rms_norm_eps=1e-5, rope_base=10**4, rope_scaling=RopeScaling(4))
    gguf_export.write(path, random_theta(config), config, tokenizer)
    loaded, read, _ = checkpoint.load(path)
    assert read == replace(config, rms_norm_eps=float(np.float32(1e-5)))
    assert all(type(keys_of(path)[f"llama.rope.{key}"]) is float for key in ("freq_base", "scaling.factor"))
    assert_array_equal(logits_of(loaded, read, [3, 4, 5]), logits_of(random_theta(config), config, [3, 4, 5]))


def test_float64_becomes_float32(tokenizer, path):
    theta = random_theta(CONFIG).astype(np.float64)
    theta.flat += 1e-12
    gguf_export.write(path, theta, CONFIG, tokenizer)
    assert_array_equal(checkpoint.load(path)[0].flat, theta.flat.astype(np.float32))
    assert {tensor.tensor_type.name for tensor in gguf.GGUFReader(path).tensors} == {"F32"}


def test_the_tokenizer_that_is_read_is_the_one_that_was_written(tokenizer, path):
    kept = Tokenizer(tokenizer.source, tokenizer.config | {"bos_token": {"content": "<|im_start|>"}}, TEMPLATE)
    gguf_export.write(path, random_theta(CONFIG), CONFIG, kept)
    again = checkpoint.load(path)[2]
    assert again.template == TEMPLATE
    assert (again.eos_id, again.end_of_turn_id, again.special_ids) == (0, 2, {0, 1, 2})
    assert [again.config[role] for role in ("bos_token", "eos_token", "pad_token", "unk_token")] == [
        "<|im_start|>",
        "<|endoftext|>",
        None,
        None,
    ]
    assert render(again, MESSAGES) == render(kept, MESSAGES)
    for text in (*TEXTS, "<|im_end|> 12 ½ é 東京 🙂\r\n\t x", ""):
        assert again.encode(text) == kept.encode(text)


def test_ids_without_a_token_are_filled_and_no_text_has_them(tokenizer, path):
    """llama.cpp wants as many tokens as the embedding has rows."""
    n = tokenizer.vocab_size
    config = replace(CONFIG, vocab_size=n + 20)
    gguf_export.write(path, random_theta(config), config, tokenizer)
    assert checkpoint.load(path)[1] == config
    text = f"a [PAD{n}] b"
    assert checkpoint.load(path)[2].encode(text) == tokenizer.encode(text)
    keys = keys_of(path)
    last = tokenizer.backend.id_to_token(n - 1)
    assert keys["tokenizer.ggml.tokens"][n - 1 : n + 2] == [last, f"[PAD{n}]", f"[PAD{n + 1}]"]
    assert keys["tokenizer.ggml.token_type"] == 3 * [3] + (n - 3) * [1] + 20 * [5]


def test_words_that_the_makers_added_stay_so(tokenizer, path):
    with_words = changed(tokenizer, lambda backend: backend.add_tokens([AddedToken("<tool>", normalized=False)]))
    gguf_export.write(path, random_theta(CONFIG), CONFIG, with_words)
    again, ids = checkpoint.load(path)[2], with_words.encode("the<tool>cat")
    assert again.encode("the<tool>cat") == ids and tokenizer.vocab_size in ids
    assert tokenizer.vocab_size not in again.special_ids


def test_a_model_that_cannot_chat_is_written_too(tokenizer, path):
    other = Tokenizer(tokenizer.source.replace(b"<|im_end|>", b"<|another|>"), tokenizer.config)
    gguf_export.write(path, random_theta(CONFIG), CONFIG, other)
    assert checkpoint.load(path)[2].end_of_turn_id is None
    assert "tokenizer.ggml.eot_token_id" not in keys_of(path)


def test_the_way_of_cutting_has_the_name_that_llama_cpp_gives_it(tokenizer, path):
    cut = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False)  # offsets are nothing to us
    words = changed(tokenizer, lambda backend: set_cut(backend, cut))
    for made, name in ((tokenizer, "smollm"), (words, "gpt-2")):
        gguf_export.write(path, random_theta(CONFIG), CONFIG, made)
        assert keys_of(path)["tokenizer.ggml.pre"] == name


@pytest.mark.parametrize("name", gguf_files.CUTS)
def test_what_was_read_is_written_with_the_same_way_of_cutting(name, tokenizer, path):
    write(path, random_theta(CONFIG), CONFIG, tokenizer, fields={"tokenizer.ggml.pre": name})
    theta, config, read = checkpoint.load(path)
    gguf_export.write(path, theta, config, read)
    assert keys_of(path)["tokenizer.ggml.pre"] == name


def test_the_file_says_what_llama_cpp_asks_for(tokenizer, path):
    gguf_export.write(path, random_theta(KINDS["linear"]), KINDS["linear"], tokenizer)
    keys = keys_of(path)
    assert {name: keys[name] for name in keys if name.startswith(("llama.", "general."))} == {
        "general.architecture": "llama",
        "llama.block_count": 2,
        "llama.context_length": 64,
        "llama.embedding_length": 64,
        "llama.feed_forward_length": 96,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
        "llama.attention.key_length": 24,
        "llama.attention.value_length": 24,
        "llama.attention.layer_norm_rms_epsilon": 2.0**-16,
        "llama.rope.dimension_count": 24,
        "llama.rope.freq_base": 5000.0,
        "llama.rope.scaling.type": "linear",
        "llama.rope.scaling.factor": 2.5,
        "llama.vocab_size": 300,
    }
    kinds = {name: field.types[0].name for name, field in gguf.GGUFReader(path).fields.items()}
    assert kinds["llama.attention.layer_norm_rms_epsilon"] == kinds["llama.rope.freq_base"] == "FLOAT32"
    assert kinds["llama.block_count"] == kinds["tokenizer.ggml.eos_token_id"] == "UINT32"
    assert (keys["tokenizer.ggml.eos_token_id"], keys["tokenizer.ggml.eot_token_id"]) == (0, 2)
    assert keys["tokenizer.ggml.add_bos_token"] is False and "tokenizer.ggml.bos_token_id" not in keys


def test_another_llama_3_scaling_is_written_as_the_format_has_it_though_it_cannot_be_read_here(tokenizer, path):
    """The file has the divisors and not the context they come from: by hand, 1 where s = 1, the factor where s = 0."""
    config = replace(CONFIG, rope_base=500000.0, rope_scaling=RopeScaling(4.0, 1.0, 8.0, 100))
    gguf_export.write(path, random_theta(config), config, tokenizer)
    [table] = [tensor.data for tensor in gguf.GGUFReader(path).tensors if tensor.name == "rope_freqs.weight"]
    turns = 100 * 500000.0 ** (-np.arange(0, 24, 2) / 24) / (2 * np.pi)
    s = np.clip((turns - 1) / 7, 0, 1)
    np.testing.assert_allclose(table, 1 / (s + (1 - s) / 4), rtol=1e-6)
    refusal(lambda: checkpoint.load(path), path, "rope_freqs.weight")


# --- refusals ---------------------------------------------------------------------------------------------------------


def set_cut(backend, cut):
    backend.pre_tokenizer = cut


def set_normalizer(backend):
    backend.normalizer = normalizers.NFC()


def set_merges(backend):
    backend.model.ignore_merges = True


BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
FOREIGN = {
    "nothing": lambda backend: set_cut(backend, BYTES),
    "three digits": lambda backend: set_cut(
        backend, pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r"\p{N}{1,3}"), "isolated"), BYTES])
    ),
    "digits together": lambda backend: set_cut(
        backend, pre_tokenizers.Sequence([pre_tokenizers.Digits(), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    ),
    "normalizer": set_normalizer,
    "whole words first": set_merges,
    "strips": lambda backend: backend.add_tokens([AddedToken("the", lstrip=True)]),
}


@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN)
def test_a_tokenizer_that_cuts_texts_otherwise_is_refused_and_no_file_is_there(change, tokenizer, path):
    other = changed(tokenizer, change)
    refusal(lambda: gguf_export.write(path, random_theta(CONFIG), CONFIG, other), path, "tokenizer", "gpt-2", "smollm")
    assert list(path.parent.iterdir()) == []


def test_a_tokenizer_without_merges_is_refused(path):
    other, config = Tokenizer.train([""], 259), replace(CONFIG, vocab_size=259)
    refusal(lambda: gguf_export.write(path, random_theta(config), config, other), path, "merges nothing")


def test_without_the_package_the_error_says_how_to_install_it(tokenizer, path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gguf", None)
    call = lambda: gguf_export.write(path, random_theta(CONFIG), CONFIG, tokenizer)  # noqa: E731
    refusal(call, 'pip install "minisft[gguf]"')


def test_a_file_that_is_not_finished_leaves_the_one_before_as_it_was(tokenizer, path, monkeypatch):
    def no_space(self, **more):
        raise OSError(28, "No space left on device")

    path.write_bytes(b"before")
    monkeypatch.setattr(gguf.GGUFWriter, "write_tensors_to_file", no_space)
    refusal(lambda: gguf_export.write(path, random_theta(CONFIG), CONFIG, tokenizer), path, "No space left")
    assert contents(path.parent) == {path.relative_to(path.parent): b"before"}


# --- the command ------------------------------------------------------------------------------------------------------


def test_export_writes_the_file_and_says_what_is_in_it(json_of, base, tmp_path, capsys):
    path = tmp_path / "new" / "model.gguf"
    assert minisft("export", *base, "--gguf", path) == 0
    theta, _, _ = checkpoint.load(base[1])
    assert_array_equal(checkpoint.load(path)[0].flat, theta.flat)
    assert f"{theta.flat.size:,} parameters" in capsys.readouterr().out
    result = json_of("export", *base, "--gguf", path, "--overwrite")
    assert result == {"gguf": str(path), "num_parameters": theta.flat.size, "bytes": path.stat().st_size}
    assert [file.name for file in path.parent.iterdir()] == ["model.gguf"]


def test_a_shipped_model_and_a_gguf_file_can_be_exported_too(tmp_path):
    one, two = tmp_path / "one.gguf", tmp_path / "two.gguf"
    assert minisft("export", "--model", "atlas", "--gguf", one) == 0
    assert minisft("export", "--model", one, "--gguf", two) == 0
    assert_array_equal(checkpoint.load(two)[0].flat, checkpoint.load(resources.path("atlas"))[0].flat)
    assert one.read_bytes() == two.read_bytes()


def test_a_file_that_is_there_is_replaced_only_if_that_is_asked_for(base, tmp_path, capsys):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"before")
    assert_refused(capsys, ["export", *base, "--gguf", path], f"--gguf: {path} already exists", "--overwrite")
    assert path.read_bytes() == b"before"
    assert minisft("export", *base, "--gguf", path, "--overwrite") == 0
    assert checkpoint.load(path)


def test_the_model_that_is_read_is_never_overwritten(base, tmp_path, capsys):
    path = tmp_path / "model.gguf"
    assert minisft("export", *base, "--gguf", path) == 0
    before = path.read_bytes()
    for same in (path, tmp_path / "." / "model.gguf"):
        assert_refused(capsys, ["export", "--model", path, "--gguf", same, "--overwrite"], "--gguf", "is read")
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["model.safetensors", "model", "."])
def test_a_name_that_commands_would_not_take_for_a_gguf_file_is_refused(base, tmp_path, capsys, name):
    assert_refused(capsys, ["export", *base, "--gguf", tmp_path / name, "--overwrite"], "--gguf", ".gguf")
    assert list(tmp_path.iterdir()) == []


def test_a_model_with_another_tokenizer_is_refused_by_the_command_in_one_line(base, tmp_path, capsys):
    theta, config, tokenizer = checkpoint.load(base[1])
    checkpoint.save(tmp_path / "model", theta, config, changed(tokenizer, set_normalizer))
    assert_refused(capsys, ["export", "--model", tmp_path / "model", "--gguf", tmp_path / "a.gguf"], "tokenizer")
    assert json.loads((tmp_path / "model" / "tokenizer.json").read_text())["normalizer"] == {"type": "NFC"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
