"""θ as one GGUF file, for llama.cpp and the programs around it: what gguf_files.py reads, written, in F32.

Such a file does not say how a text is cut before BPE, it names one of the ways that llama.cpp knows. Which one that is
shows by trial: the tokenizer that is made of the file again must be the one that is written.
"""

import json
from contextlib import closing
from pathlib import Path

import numpy as np

from minisft.config import ModelConfig
from minisft.errors import MinisftError
from minisft.formats.files import replacing
from minisft.formats.gguf import read as gguf_files
from minisft.params import Params
from minisft.tokenizer import Tokenizer

NORMAL, SPECIAL, ADDED, UNUSED = 1, 3, 4, 5  # kinds of tokens


def write(path: Path, theta: Params, config: ModelConfig, tokenizer: Tokenizer):
    """Write a file that `checkpoint.load`, llama.cpp and transformers read; it is whole, or as it was.

    Raises MinisftError if the tokenizer has no place in the format, the file cannot be written, or the `gguf` package
    is missing.
    """
    try:
        import gguf  # an extra
    except ImportError:
        raise MinisftError(f"{path}: a GGUF file is written by the package gguf: pip install 'minisft[gguf]'") from None
    family = "qwen2" if config.qkv_bias else "llama"
    fields = {f"{family}.{key}": value for key, value in sizes(config).items()} | texts(tokenizer, config, path)
    theirs = {ours: name for name, ours in gguf_files.names_of(config).items()}
    with replacing(path) as beside, closing(gguf.GGUFWriter(beside, family)) as file:
        add = {int: file.add_uint32, float: file.add_float32, bool: file.add_bool, str: file.add_string}
        for key, value in fields.items():
            add.get(type(value), file.add_array)(key, value)
        for name, tensor in theta.named.items():
            heads = gguf_files.heads_of(name, config)
            tensor = tensor[gguf_files.dealt(len(tensor), heads)] if heads else tensor
            file.add_tensor(theirs[name], tensor.astype(np.float32, copy=False))
        if config.rope_scaling and config.rope_scaling.original_max_position_embeddings:
            file.add_tensor(gguf_files.DIVISORS, gguf_files.divisors(config).astype(np.float32))
        file.write_header_to_file()
        file.write_kv_data_to_file()
        file.write_tensors_to_file()


def sizes(config) -> dict:
    """The config by the keys of the format: whole numbers, and floats, which it rounds to float32."""
    result = {key: getattr(config, field) for field, key in gguf_files.SIZES.items()}
    result |= dict.fromkeys(("attention.key_length", "attention.value_length", "rope.dimension_count"), config.head_dim)
    result |= {"attention.head_count_kv": config.num_key_value_heads, "vocab_size": config.vocab_size}
    result["rope.freq_base"] = float(config.rope_base)
    scaling = config.rope_scaling
    if scaling and not scaling.original_max_position_embeddings:
        result |= {"rope.scaling.type": "linear", "rope.scaling.factor": float(scaling.factor)}
    return result


def texts(tokenizer, config, path) -> dict:
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
        "add_bos_token": False,
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


def way_of_cutting(tokenizer, fields, path) -> str:
    """The name by which our own reader makes of the fields a tokenizer that gives every text the same ids."""
    fields = fields | {"tokenizer.ggml.token_type": np.array(fields["tokenizer.ggml.token_type"])}
    for name in gguf_files.CUTS:
        again = gguf_files.read_tokenizer(path, fields | {"tokenizer.ggml.pre": name})
        if rules(again) == rules(tokenizer) and fields["tokenizer.ggml.merges"]:  # the format has no empty lists
            return name
    raise MinisftError(
        f"{path}: cannot hold the tokenizer of the model, which merges nothing or cuts texts in another way than "
        f"{' or '.join(gguf_files.CUTS)}; use the directory, or llama.cpp's own converter"
    )


def rules(tokenizer):
    """All that decides which ids a text has, but for the list of tokens; in one spelling."""
    source = json.loads(tokenizer.backend.to_str())
    cut = source["pre_tokenizer"] or {}
    steps = [step | {"trim_offsets": None} for step in cut.get("pretokenizers", [cut])]
    bpe = {key: value for key, value in source["model"].items() if value and key != "vocab"}
    return source["normalizer"], steps, bpe, [token | {"normalized": None} for token in source["added_tokens"]]
