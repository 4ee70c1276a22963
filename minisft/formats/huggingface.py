"""A model's directory in the Hugging Face layout: reads config.json and the safetensors files, and writes config.json.

Nothing is executed and nothing is unpickled. What this library would compute wrongly is refused by name.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from minisft.config import ModelConfig, RopeScaling, is_whole
from minisft.errors import MinisftError, one_line, quoted
from minisft.formats.files import Stored, read_json, replacing, require_regular
from minisft.formats.native import native

FLOATS = ("F64", "F32", "F16", "BF16")
SIZES = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")

# What a rope_type needs besides its name.
ROPE_TYPES: dict[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
}

# The families that are Llamas, some under another name, each with its class in transformers. A field that config.json
# leaves out has the value that transformers gives such a model, not the default of ModelConfig.
ARCHITECTURES = {"llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM", "qwen2": "Qwen2ForCausalLM"}
CONTEXT = {"llama": 2**11, "mistral": 2**17, "qwen2": 2**15}
LEFT_OUT = {"rms_norm_eps": 1e-6, "tie_word_embeddings": False, "initializer_range": 0.02}


def read_config(directory: str | Path) -> ModelConfig:
    """The config.json of a Llama, of a Mistral whose window hides nothing, or of a Qwen2 without a window.

    Raises MinisftError naming file and field if it is broken or not implemented.
    """
    path = Path(directory) / "config.json"
    if not Path(directory).is_dir():
        raise MinisftError(
            f"{directory}: no such directory; give one with config.json, model.safetensors and tokenizer.json"
        )
    config = read_json(path)

    def refuse(field: str, value: object, only: str) -> NoReturn:
        raise MinisftError(f"{path}: {field} {quoted(value)} is not implemented, only {only} is; use another model")

    family = config.get("model_type")
    if not isinstance(family, str) or family not in ARCHITECTURES:
        refuse("model_type", family, ", ".join(map(json.dumps, ARCHITECTURES)))
    if config.get("architectures") not in (None, [ARCHITECTURES[family]]):
        refuse("architectures", config["architectures"], f'["{ARCHITECTURES[family]}"]')
    if config.get("hidden_act", "silu") != "silu":
        refuse("hidden_act", config["hidden_act"], '"silu"')
    for field in ("attention_bias", "mlp_bias", "use_sliding_window"):
        if config.get(field):
            refuse(field, config[field], "false")
    where = "rope_scaling" if config.get("rope_scaling") else "rope_parameters"  # the older name, where used, counts
    rope = config.get(where) or {}
    kind = rope.get("rope_type", rope.get("type", "default")) if isinstance(rope, dict) else None
    if not isinstance(kind, str) or kind not in ROPE_TYPES:
        refuse(where, config[where], f"the rope_type {', '.join(map(json.dumps, ROPE_TYPES))}")
    if rope.get("partial_rotary_factor", config.get("partial_rotary_factor", 1)) != 1:
        refuse("partial_rotary_factor", rope.get("partial_rotary_factor", config.get("partial_rotary_factor")), "1")

    missing = [field for field in SIZES if field not in config]
    missing += [f"{where}.{field}" for field in ROPE_TYPES[kind] if field not in rope]
    if missing:
        raise MinisftError(f"{path}: {missing[0]} is missing; copy the model's config.json again")
    values: dict[str, Any] = {field: config[field] for field in SIZES}
    defaults = LEFT_OUT | {"max_position_embeddings": CONTEXT[family]}
    values |= {field: config.get(field, default) for field, default in defaults.items()}
    values["rope_base"] = rope.get("rope_theta", config.get("rope_theta", 10000.0))
    values["head_dim"] = config.get("head_dim") or 0
    values["qkv_bias"] = family == "qwen2"
    values["num_key_value_heads"] = config.get("num_key_value_heads") or config["num_attention_heads"]
    try:
        if kind != "default":
            values["rope_scaling"] = RopeScaling(**{field: rope[field] for field in ROPE_TYPES[kind]})
        result = ModelConfig(**values)
    except MinisftError as error:
        raise MinisftError(f"{path}: {str(error).replace('rope_base', 'rope_theta')}") from error
    context = result.max_position_embeddings
    window = config.get("sliding_window", 4096) if family == "mistral" else None  # left out: 4096 in transformers
    if window is not None and not (is_whole(window) and window >= context):  # so long, it hides nothing
        refuse("sliding_window", window, f"null or at least {context}, max_position_embeddings,")
    return result


def architecture_fields(config: ModelConfig) -> dict:
    """The architecture in the words of transformers' LlamaConfig, or of its Qwen2Config if there are biases."""
    fields = asdict(config)
    if fields.pop("qkv_bias"):
        fields |= {"model_type": "qwen2", "use_sliding_window": False}
    else:
        fields |= {"model_type": "llama", "attention_bias": False, "mlp_bias": False}
    rope, scaling = {"rope_theta": fields.pop("rope_base"), "rope_type": "default"}, fields.pop("rope_scaling")
    if scaling:
        rope["rope_type"] = "llama3" if scaling["original_max_position_embeddings"] else "linear"
        rope |= {field: scaling[field] for field in ROPE_TYPES[rope["rope_type"]]}
    return fields | {"hidden_act": "silu", "rope_parameters": rope, "attention_dropout": 0.0}


# --- weights ---------------------------------------------------------------------------------------------------------


def weight_files(directory: Path) -> list[Path]:
    """The files that contain θ: model.safetensors, or those that its index names."""
    single, index = directory / "model.safetensors", directory / "model.safetensors.index.json"
    if single.exists() or not index.exists():
        return [single]
    shards = read_json(index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise MinisftError(f"{index}: weight_map, the file of every tensor, is missing; copy the model again")
    for name in shards.values():
        if not (isinstance(name, str) and is_name(name) and name.endswith(".safetensors")):
            raise MinisftError(
                f"{index}: weight_map names {quoted(name)}, which is not a safetensors file beside it; copy "
                "the model again"
            )
    return [directory / name for name in sorted(set(shards.values()))]


def is_name(name: str) -> bool:
    """Whether a text out of a file may be the name of a file beside it."""
    return Path(name).name == name and len(name) < 256 and name.isprintable()


def read_tensors(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The tensors of one file, one at a time, by name; BF16 becomes float32."""
    return ((tensor.name, read_tensor(path, tensor.name)) for tensor in tensors(path))


def tensors(path: Path) -> list[Stored]:
    """What one safetensors file contains, in the order of the names."""
    result = []
    with opened(path) as file:
        for name in sorted(file.keys()):
            if name.endswith("rotary_emb.inv_freq"):  # a table that older tools saved: computed here
                continue
            tensor = file.get_slice(name)
            if tensor.get_dtype() not in FLOATS:
                raise MinisftError(
                    f"{path}: tensor {one_line(name)} has dtype {tensor.get_dtype()}; only {', '.join(FLOATS)} are "
                    "read: convert the model to one of them"
                )
            result.append(Stored(path, name, tuple(tensor.get_shape()), partial(fill, path, name)))
    return result


def fill(path: Path, name: str, view: np.ndarray) -> None:
    view[...] = read_tensor(path, name)


def read_tensor(path: Path, name: str) -> np.ndarray:
    with opened(path) as file:
        bfloat16 = file.get_slice(name).get_dtype() == "BF16"
        return read_bfloat16(path, name) if bfloat16 else file.get_tensor(name)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A safetensors file, which the package maps into memory. Raises MinisftError naming it if it is not one."""
    advice = "it is missing, cut off or not safetensors, the only kind that is read: copy or convert the model again"
    require_regular(path)
    with native(path, "cannot be read", advice), safe_open(path, framework="np") as file:
        yield file


def read_bfloat16(path: Path, name: str) -> np.ndarray:
    """A BF16 tensor as float32, of which it is the upper half: NumPy has no such type, so the package cannot."""
    with open(path, "rb") as file:  # the format: 8 bytes, a JSON header of that length, data
        length = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(length))[name]
        begin, end = entry["data_offsets"]
        file.seek(8 + length + begin)
        bits = np.frombuffer(file.read(end - begin), "<u2")
    return (bits.astype(np.uint32) << 16).view(np.float32).reshape(entry["shape"])


def write_tensors(path: Path, named: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file; it is whole, or as it was before. Raises MinisftError if it cannot be written."""
    with replacing(path) as beside:
        try:
            save_file(named, beside, metadata)
        except SafetensorError as error:
            raise OSError(str(error)) from error
