"""A model in one file, as llama.cpp reads it: config, tokenizer and tensors, most of these in blocks of small integers.

The arithmetic of the blocks is done by the `gguf` package. Two things differ from the Hugging Face layout, which is
that of θ: the names, and in a Llama alone the rows of q_proj and k_proj. A rotation turns channels 2i and 2i + 1 of a
head in such a file, but i and i + D/2 in θ (layers/rotary.py), so the rows of each head are dealt out anew.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers import Tokenizer as Backend

from minisft.config import ModelConfig, RopeScaling, is_whole
from minisft.errors import MinisftError, one_line, quoted
from minisft.formats import sentencepiece
from minisft.formats.chat_templates import CHAT_TEMPLATE
from minisft.formats.families import FAMILIES, family_of, gemma
from minisft.formats.files import Stored, require_regular
from minisft.formats.gguf.header import Entry, Walk
from minisft.formats.native import native
from minisft.formats.tokenizer_files import own_config
from minisft.layers import rotary
from minisft.tokenizer import Tokenizer

TYPES = ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K")
PIECE = 2**20  # weights that are read at a time

SIZES = {
    "hidden_size": "embedding_length",
    "intermediate_size": "feed_forward_length",
    "num_hidden_layers": "block_count",
    "num_attention_heads": "attention.head_count",
    "max_position_embeddings": "context_length",
    "rms_norm_eps": "attention.layer_norm_rms_epsilon",
}
ATTENTION = ("attention.head_count_kv", "attention.key_length", "attention.value_length")
ROPE = ("rope.freq_base", "rope.dimension_count", "rope.scaling.type", "rope.scaling.factor")
KNOWN = (*SIZES.values(), *ATTENTION, *ROPE, "vocab_size")
WINDOW, LOCAL = "attention.sliding_window", "rope.freq_base_swa"  # of a Gemma 3, where every sixth block sees all

DIVISORS = "rope_freqs.weight"  # not part of θ: (D/2,), what Llama 3 divides the angles by
NAMES = {family.gguf: name for name, family in FAMILIES.items() if family.gguf}
OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OF_HEADS = {"attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"}
AFTER = {  # where norms stand after the branches, theirs have these names
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}

# How a text is cut before BPE, by tokenizer.ggml.pre: into words, and numbers into digits, threes or not at all.
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
AS_GPT_2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
BYTES_ONLY = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
CUTS: dict[str, list[pre_tokenizers.PreTokenizer]] = {
    "gpt-2": [AS_GPT_2],
    "smollm": [pre_tokenizers.Digits(individual_digits=True), AS_GPT_2],
    "llama-bpe": [pre_tokenizers.Split(Regex(WORDS % "{1,3}"), "isolated"), BYTES_ONLY],
    "qwen2": [pre_tokenizers.Split(Regex(WORDS % ""), "isolated"), BYTES_ONLY],
}


def read(path: Path) -> tuple[ModelConfig, Tokenizer, list[Stored]]:
    """Sizes, tokenizer and tensors of a model, under the names of θ. No tensor of θ is read yet.

    Raises MinisftError naming the file and what is damaged or not implemented in it, or the package that is missing.
    """
    try:
        import gguf  # an extra
    except ImportError:
        raise MinisftError(f'{path}: a GGUF file is read by the package gguf: pip install "minisft[gguf]"') from None
    require_regular(path)
    try:
        with open(path, "rb") as file:
            walk = Walk(file, path)
            fields, entries = walk.header()
    except OSError as error:
        raise MinisftError(f"{path}: cannot be read ({error.strerror}); name a model's directory or file") from error
    config = read_config(path, fields, entries)
    tokenizer = read_tokenizer(path, fields)
    stored = {tensor.name: tensor for tensor in tensors(walk, fields, entries, config, gguf)}
    if DIVISORS in stored:
        config = slowed(config, stored.pop(DIVISORS))
    return config, tokenizer, list(stored.values())


def read_config(path: Path, fields: dict[str, Any], entries: dict[str, Entry]) -> ModelConfig:
    family = require(path, fields, "general.architecture", list(NAMES))

    def number(key: str, default: float | None = None) -> Any:  # int or float
        value = fields.get(f"{family}.{key}", default)
        if not isinstance(value, (int, float)):
            raise MinisftError(f"{path}: {family}.{key} is missing or not a number; copy the file again")
        return value

    require(path, fields, f"{family}.rope.scaling.type", ["none", "linear"], "none")
    known = (*KNOWN, WINDOW, LOCAL) if family == "gemma3" else KNOWN
    for key in fields:
        if key.startswith(f"{family}.") and key.removeprefix(f"{family}.") not in known:
            require(path, fields, key, [0])
    if "token_embd.weight" not in entries:
        raise MinisftError(f"{path}: tensor token_embd.weight is missing; copy the file again")
    values = {field: number(key) for field, key in SIZES.items()}
    values["num_key_value_heads"] = number("attention.head_count_kv", values["num_attention_heads"])
    values |= {"head_dim": number("attention.key_length", 0), "rope_base": number("rope.freq_base", 10000.0)}
    values |= {"vocab_size": entries["token_embd.weight"][0][0], "tie_word_embeddings": "output.weight" not in entries}
    values |= FAMILIES[NAMES[family]].has
    if family == "gemma3":
        values |= {"sliding_window": number(WINDOW), "rope_local_base": number(LOCAL, 10000.0)}
        if values["num_hidden_layers"] == 62:  # where llama.cpp divides the scores by something else
            require(path, fields, "gemma3.block_count", ["any number but 62"])
        if is_whole(values["hidden_size"]) and is_whole(values["num_hidden_layers"]):
            values |= gemma(values)
    factor = number("rope.scaling.factor") if fields.get(f"{family}.rope.scaling.type") == "linear" else None
    try:
        config = ModelConfig(**values, rope_scaling=None if factor is None else RopeScaling(factor))
    except MinisftError as error:
        raise MinisftError(f"{path}: {str(error).replace('rope_base', 'rope.freq_base')}") from error
    for key in ("attention.value_length", "rope.dimension_count"):
        require(path, fields, f"{family}.{key}", [config.head_dim], config.head_dim)
    return config


def require(
    path: Path, fields: dict[str, Any], key: str, known: Collection[str | float], default: str | float | None = None
) -> Any:
    """The value of a key. Raises MinisftError if it is not one of the known ones."""
    value = fields.get(key, default)
    if not isinstance(value, (str, int, float)) or value not in known:
        only = " or ".join(map(repr, known))
        raise MinisftError(f"{path}: {key} {quoted(value)} is not implemented, only {only} is; use another model")
    return value


def read_tokenizer(path: Path, fields: dict[str, Any]) -> Tokenizer:
    """BPE, byte-level or of SentencePiece's kind; its tokenizer.json is written here from the lists of the header."""

    def wanted(key: str, kind: type, default: Any = None) -> Any:
        value = fields.get(f"tokenizer.ggml.{key}", default)
        if type(value) is not kind:  # True is no number here
            raise MinisftError(f"{path}: tokenizer.ggml.{key} is missing or of another kind; copy the file again")
        return value

    model = require(path, fields, "tokenizer.ggml.model", ["gpt2", "llama"])
    tokens, kinds, eos = wanted("tokens", list), wanted("token_type", np.ndarray), wanted("eos_token_id", int)
    vocabulary = {token: i for i, token in enumerate(tokens)}
    if not len(vocabulary) == len(tokens) == len(kinds) or not 0 <= eos < len(tokens):
        raise MinisftError(f"{path}: the lists of tokens and their types do not fit together; copy the file again")
    if model == "llama":
        scores = wanted("scores", np.ndarray)
        if not np.isfinite(scores).all():
            raise MinisftError(f"{path}: tokenizer.ggml.scores has NaN or infinity; copy the file again")
        blank_before = wanted("add_space_prefix", bool, True)
    else:
        cut, merges = require(path, fields, "tokenizer.ggml.pre", CUTS), wanted("merges", list)
    with native(path, "its tokens and merges or scores do not form a BPE", "copy the file again"):
        if model == "llama":
            backend = sentencepiece.from_scores(tokens, scores.tolist(), kinds.tolist(), blank_before)
        else:
            pairs = [tuple(merge.split(" ")) for merge in merges]
            backend = Backend(models.BPE(vocab=vocabulary, merges=pairs, ignore_merges=cut == "llama-bpe"))
            backend.pre_tokenizer = pre_tokenizers.Sequence(CUTS[cut])
            backend.decoder = decoders.ByteLevel()
            if cut == "qwen2":
                backend.normalizer = normalizers.NFC()
        # Special tokens, <unk>, and words added by the model's makers.
        for kind, special in ((3, True), (2, True), (4, False)):
            chosen = [tokens[i] for i in np.flatnonzero(kinds == kind)]
            backend.add_tokens([AddedToken(token, special=special, normalized=False) for token in chosen])
        begin: Any = fields.get("tokenizer.ggml.bos_token_id")
        if wanted("add_bos_token", bool, model == "llama") and is_whole(begin) and 0 <= begin < len(tokens):
            pair = (tokens[begin], begin)
            backend.post_processor = processors.TemplateProcessing([pair[0], "$A"], special_tokens=[pair])
        source = backend.to_str().encode()
    template = fields.get("tokenizer.chat_template", CHAT_TEMPLATE)
    config = own_config() | {"eos_token": tokens[eos]}
    for role, key in {"bos_token": "bos", "pad_token": "padding", "unk_token": "unknown"}.items():
        i: Any = fields.get(f"tokenizer.ggml.{key}_token_id")
        config[role] = tokens[i] if is_whole(i) and 0 <= i < len(tokens) else None
    stops = [i for key in ("eot", "eom") if is_whole(i := fields.get(f"tokenizer.ggml.{key}_token_id"))]
    return Tokenizer(source, config, template, stops, path, path)


def names_of(config: ModelConfig) -> dict[str, str]:
    """{name in a file: name in θ} of every tensor that may be there."""
    layer = LAYER | (OF_HEADS if config.qk_norm != "none" else {}) | (AFTER if config.norms != "before" else {})
    names = {DIVISORS: DIVISORS} | {f"{theirs}.weight": f"{ours}.weight" for theirs, ours in OUTSIDE.items()}
    for i in range(config.num_hidden_layers):
        for theirs, ours in layer.items():
            names |= {f"blk.{i}.{theirs}.{kind}": f"model.layers.{i}.{ours}.{kind}" for kind in ("weight", "bias")}
    return names


def heads_of(name: str, config: ModelConfig) -> int:
    """The number of heads among which a file deals out the rows of a tensor of θ; 0: they lie as in θ."""
    rows = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    return rows.get(name.split(".")[-2], 0) if family_of(config) == "llama" else 0


def dealt(rows: int, heads: int) -> np.ndarray:
    """The places in θ of the rows of a tensor, in the order of the file."""
    return np.arange(rows).reshape(heads, 2, -1).swapaxes(1, 2).ravel() if heads else np.arange(rows)


def divisors(config: ModelConfig) -> np.ndarray:
    """(D/2,): what the scaling of the rotation divides its angles by."""
    plain, slower = (rotary.frequencies(config.head_dim, config.rope_base, s) for s in (None, config.rope_scaling))
    return plain / slower


def slowed(config: ModelConfig, table: Stored) -> ModelConfig:
    """The config with Llama 3's scaling, if that gives the table of divisors; its factor is the largest of them."""
    found = np.zeros(config.head_dim // 2)
    if table.shape == found.shape:
        table.fill(found)
    factor = float(found.max(initial=0))
    scaling = RopeScaling(factor, original_max_position_embeddings=8192) if 0 < factor < np.inf else None
    result = replace(config, rope_scaling=scaling)
    expected = divisors(result)
    if config.rope_scaling or not np.allclose(found, expected, rtol=1e-5, atol=0):
        raise MinisftError(
            f"{table.path}: tensor {DIVISORS} is not that of Llama 3 for a context of 8192, the only one implemented; "
            "use another model"
        )
    return result


def tensors(
    walk: Walk, fields: dict[str, Any], entries: dict[str, Entry], config: ModelConfig, gguf: ModuleType
) -> list[Stored]:
    """What the file says of its data, checked against its size: tensors lie end to end, each at a multiple of bytes."""
    names = names_of(config)
    kinds = {kind.value: kind for kind in gguf.GGMLQuantizationType}
    alignment = fields.get("general.alignment", 32)
    if not (is_whole(alignment) and 0 < alignment <= 2**16 and alignment % 8 == 0):
        raise walk.damaged(f"general.alignment is {quoted(alignment)}, not a multiple of 8 bytes")
    start = at = -(-walk.position // alignment) * alignment
    result = []
    for name, (shape, number, offset) in entries.items():
        kind = kinds.get(number)
        if name not in names:
            raise MinisftError(
                f"{walk.path}: tensor {one_line(name)} is not part of a model of this architecture; use another"
            )
        if kind is None or kind.name not in TYPES:
            raise MinisftError(
                f"{walk.path}: tensor {name} has the type {kind.name if kind else number}; only "
                f"{', '.join(TYPES)} are read: convert the model to one of them"
            )
        weights, size = gguf.GGML_QUANT_SIZES[kind]  # of a block
        row = shape[-1] // weights * size
        end = at + math.prod(shape[:-1]) * row
        if shape[-1] % weights or offset != at - start or end > walk.size:
            raise walk.damaged(
                f"tensor {name} of shape {shape} and type {kind.name} should lie at {at - start} and end before "
                f"{walk.size - start} of the data, not lie at {offset} and end at {end - start}"
            )
        heads = heads_of(names[name], config)
        fill = partial(fill_from, walk.path, at, row, partial(gguf.dequantize, qtype=kind), heads)
        result.append(Stored(walk.path, names[name], shape, fill))
        at = -(-end // alignment) * alignment
    return result


def fill_from(
    path: Path, at: int, row: int, dequantize: Callable[[np.ndarray], np.ndarray], heads: int, view: np.ndarray
) -> None:
    """Read one tensor: rows of `row` bytes each, the first at byte `at`, dealt out among so many heads (0: not)."""
    rows, step = view.reshape(-1, view.shape[-1]), max(1, PIECE // view.shape[-1])
    places = dealt(len(rows), heads)
    with open(path, "rb") as file:
        file.seek(at)
        for first in range(0, len(rows), step):
            here = places[first : first + step]
            data = np.frombuffer(file.read(row * len(here)), np.uint8)
            if len(data) < row * len(here):
                raise MinisftError(f"{path}: has become shorter while it was being read; copy it again")
            with native(path, "has a tensor that cannot be converted"):
                rows[here] = dequantize(data.reshape(-1, row))
