"""θ as one GGUF file, for llama.cpp and the programs around it: writes what read.py reads, in F32.

Such a file does not say how a text is cut before BPE; it names one of the ways that llama.cpp knows. Trying them shows
which one it is: the tokenizer made again from the file must be the one that is written.
"""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from minisft.config import ModelConfig
from minisft.errors import MinisftError, quoted
from minisft.formats.families import FAMILIES, family_of, gemma
from minisft.formats.files import replacing
from minisft.formats.gguf import read
from minisft.params import Params
from minisft.tokenizer import Tokenizer

NORMAL, SPECIAL, ADDED, UNUSED = 1, 3, 4, 5  # kinds of tokens


def write(path: Path, theta: Params, config: ModelConfig, tokenizer: Tokenizer) -> None:
    """Write a file that `checkpoint.load`, llama.cpp and transformers read; it is whole, or as it was before.

    Raises MinisftError if the format cannot hold the tokenizer, if the file cannot be written, or if the `gguf` package
    is missing.
    """
    try:
        import gguf  # an extra
    except ImportError:
        raise MinisftError(f'{path}: a GGUF file is written by the package gguf: pip install "minisft[gguf]"') from None
    family = FAMILIES[family_of(config)].gguf
    require_known(config, path)
    fields = {f"{family}.{key}": value for key, value in sizes(config).items()} | texts(tokenizer, config, path)
    theirs = {ours: name for name, ours in read.names_of(config).items()}
    with replacing(path) as beside, closing(gguf.GGUFWriter(beside, family)) as file:
        add: dict[type, Any] = {
            int: file.add_uint32,
            float: file.add_float32,
            bool: file.add_bool,
            str: file.add_string,
        }
        for key, value in fields.items():
            add.get(type(value), file.add_array)(key, value)
        for name, tensor in theta.named.items():
            heads = read.heads_of(name, config)
            tensor = tensor[read.dealt(len(tensor), heads)] if heads else tensor
            file.add_tensor(theirs[name], tensor.astype(np.float32, copy=False))
        if config.rope_scaling and config.rope_scaling.original_max_position_embeddings:
            file.add_tensor(read.DIVISORS, read.divisors(config).astype(np.float32))
        file.write_header_to_file()
        file.write_kv_data_to_file()
        file.write_tensors_to_file()


def require_known(config: ModelConfig, path: Path) -> None:
    """Refuse a Gemma 3 for which llama.cpp, which knows some of its numbers without the file, has others."""
    kinds = gemma({"hidden_size": config.hidden_size, "num_hidden_layers": config.num_hidden_layers})["layer_types"]
    known = {"query_pre_attn_scalar": (0, config.head_dim), "rope_local_base": (10000.0,), "layer_types": (kinds,)}
    for field, values in known.items() if family_of(config) == "gemma3_text" else ():
        if getattr(config, field) not in values:
            raise MinisftError(
                f"{path}: {field} {quoted(getattr(config, field))} cannot be said in this format; use the directory"
            )


def sizes(config: ModelConfig) -> dict[str, Any]:
    """The config under the keys of the format: whole numbers, and floats, which it rounds to float32."""
    result = {key: getattr(config, field) for field, key in read.SIZES.items()}
    result |= dict.fromkeys(("attention.key_length", "attention.value_length", "rope.dimension_count"), config.head_dim)
    result |= {"attention.head_count_kv": config.num_key_value_heads, "vocab_size": config.vocab_size}
    result["rope.freq_base"] = float(config.rope_base)
    if family_of(config) == "gemma3_text":
        result[read.WINDOW] = config.sliding_window
    scaling = config.rope_scaling
    if scaling and not scaling.original_max_position_embeddings:
        result |= {"rope.scaling.type": "linear", "rope.scaling.factor": float(scaling.factor)}
    return result


def texts(tokenizer: Tokenizer, config: ModelConfig, path: Path) -> dict[str, Any]:
    """Tokens, merges, ids of some tokens and template, under the keys of the format. Ids without a token are filled."""
    source = json.loads(tokenizer.backend.to_str())
    tokens = {i: token for token, i in tokenizer.backend.get_vocab().items()}
    kinds = {token["id"]: SPECIAL if token["special"] else ADDED for token in source["added_tokens"]}
    every = range(config.vocab_size)
    fields = {
        "model": "gpt2",
        "tokens": [tokens.get(i, f"[PAD{i}]") for i in every],
        "token_type": [kinds.get(i, NORMAL) if i in tokens else UNUSED for i in every],
        "merges": [" ".join(pair) for pair in source["model"].get("merges", [])],
        "eos_token_id": tokenizer.eos_id,
        "add_bos_token": bool(tokenizer.prefix),
    }
    if tokenizer.end_of_turn_id is not None:
        fields["eot_token_id"] = tokenizer.end_of_turn_id
    ids = {token: i for i, token in tokens.items()}
    for key, role in {"bos": "bos_token", "padding": "pad_token", "unknown": "unk_token"}.items():
        token = tokenizer.config.get(role)
        token = token.get("content") if isinstance(token, dict) else token
        if isinstance(token, str) and token in ids:
            fields[f"{key}_token_id"] = ids[token]
    fields = {f"tokenizer.ggml.{key}": value for key, value in fields.items()}
    fields["tokenizer.chat_template"] = tokenizer.template
    return fields | {"tokenizer.ggml.pre": way_of_cutting(tokenizer, fields, path)}


def way_of_cutting(tokenizer: Tokenizer, fields: dict[str, Any], path: Path) -> str:
    """The name with which our own reader makes, from the fields, a tokenizer that gives every text the same ids."""
    fields = fields | {"tokenizer.ggml.token_type": np.array(fields["tokenizer.ggml.token_type"])}
    for name in read.CUTS:
        again = read.read_tokenizer(path, fields | {"tokenizer.ggml.pre": name})
        if rules(again) == rules(tokenizer) and fields["tokenizer.ggml.merges"]:  # the format has no empty lists
            return name
    raise MinisftError(
        f"{path}: cannot hold the tokenizer of the model, which merges nothing or does not cut texts in the way of "
        f"{' or '.join(read.CUTS)}; use the directory, or llama.cpp's own converter"
    )


def rules(tokenizer: Tokenizer) -> tuple:
    """All that decides which ids a text has, except the list of tokens; in one spelling."""
    source = json.loads(tokenizer.backend.to_str())
    cut = source["pre_tokenizer"] or {}
    steps = [step | {"trim_offsets": None} for step in cut.get("pretokenizers", [cut])]
    bpe = {key: value for key, value in source["model"].items() if value and key != "vocab"}
    return source["normalizer"], steps, bpe, [token | {"normalized": None} for token in source["added_tokens"]]
