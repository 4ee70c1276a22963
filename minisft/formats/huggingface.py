"""A model's directory in the Hugging Face layout: reads config.json and the safetensors files, and writes config.json.

Nothing is executed and nothing is unpickled. What this library would compute wrongly is refused by name.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from minisft.config import LAYER_TYPES, ModelConfig, RopeScaling, is_whole
from minisft.errors import MinisftError, one_line, quoted
from minisft.formats.families import FAMILIES, LEFT_OUT, family_of, gemma
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

# What must be as it is here, whatever the family; a field that is left out is.
PLAIN = {
    "attention_bias": "false",
    "mlp_bias": "false",
    "use_sliding_window": "false",
    "use_bidirectional_attention": "false",
    "clip_qkv": "null",
    "attn_logit_softcapping": "null",
    "final_logit_softcapping": "null",
}


def read_config(directory: str | Path) -> ModelConfig:
    """The config.json of a model of one of the families, if it has no window or, in a Mistral, one that hides nothing.

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

    name = config.get("model_type")
    if not isinstance(name, str) or name not in FAMILIES:
        refuse("model_type", name, ", ".join(map(json.dumps, FAMILIES)))
    family = FAMILIES[name]
    if config.get("architectures") not in (None, [family.architecture]):
        refuse("architectures", config["architectures"], f'["{family.architecture}"]')
    act, field = family.has.get("hidden_act", "silu"), "hidden_activation" if name == "gemma3_text" else "hidden_act"
    if config.get(field, act) != act:
        refuse(field, config[field], f'"{act}"')
    for field, only in PLAIN.items():
        if config.get(field):
            refuse(field, config[field], only)
    missing = [field for field in SIZES if field not in config]
    if missing:
        raise MinisftError(f"{path}: {missing[0]} is missing; copy the model's config.json again")
    values: dict[str, Any] = {field: config[field] for field in SIZES}
    values |= {field: config.get(field, default) for field, default in (LEFT_OUT | family.left_out).items()}
    values["head_dim"] = config.get("head_dim", family.left_out.get("head_dim")) or 0
    heads = config.get("num_key_value_heads", family.left_out.get("num_key_value_heads"))
    values["num_key_value_heads"] = heads or config["num_attention_heads"]
    where = "rope_scaling" if config.get("rope_scaling") else "rope_parameters"  # the older name, where used, counts
    if name == "gemma3_text":
        pattern = config.get("sliding_window_pattern", 6)
        if not (is_whole(pattern) and pattern > 0):
            refuse("sliding_window_pattern", pattern, "a positive whole number")
        if all(is_whole(config[field]) for field in SIZES):  # else refused by name, below
            values |= gemma(config, pattern) | {k: config[k] for k in ("layer_types",) if config.get(k) is not None}
        rope = gemma_rope(config, values, refuse)
    else:
        if name in ("qwen2", "qwen3") and set(config.get("layer_types") or ()) - {"full_attention"}:
            refuse("layer_types", config["layer_types"], '"full_attention"')
        rope = config.get(where) or {}
    kind = rope.get("rope_type", rope.get("type", "default")) if isinstance(rope, dict) else None
    if not isinstance(kind, str) or kind not in ROPE_TYPES:
        refuse(where, config.get(where, rope), f"the rope_type {', '.join(map(json.dumps, ROPE_TYPES))}")
    if rope.get("partial_rotary_factor", config.get("partial_rotary_factor", 1)) != 1:
        refuse("partial_rotary_factor", rope.get("partial_rotary_factor", config.get("partial_rotary_factor")), "1")
    missing = [f"{where}.{field}" for field in ROPE_TYPES[kind] if field not in rope]
    if missing:
        raise MinisftError(f"{path}: {missing[0]} is missing; copy the model's config.json again")
    values["rope_base"] = rope.get("rope_theta", config.get("rope_theta", 1e6 if name == "gemma3_text" else 1e4))
    try:
        if kind != "default":
            values["rope_scaling"] = RopeScaling(**{field: rope[field] for field in ROPE_TYPES[kind]})
        result = ModelConfig(**values | family.has)
    except MinisftError as error:
        raise MinisftError(f"{path}: {str(error).replace('rope_base', 'rope_theta')}") from error
    context = result.max_position_embeddings
    window = config.get("sliding_window", 4096) if name == "mistral" else None  # left out: 4096 in transformers
    if window is not None and not (is_whole(window) and window >= context):  # so long, it hides nothing
        refuse("sliding_window", window, f"null or at least {context}, max_position_embeddings,")
    return result


def gemma_rope(config: dict[str, Any], values: dict[str, Any], refuse: Callable) -> dict[str, Any]:
    """The rotations of its blocks that see everything; the base of the others goes into values."""
    by_kind = config.get("rope_parameters") or {}
    if not isinstance(by_kind, dict) or set(by_kind) - set(LAYER_TYPES):
        refuse("rope_parameters", by_kind, " and ".join(LAYER_TYPES))
    full, sliding = (by_kind.get(kind) or {} for kind in LAYER_TYPES)
    scaling = config.get("rope_scaling") or {}
    if not isinstance(scaling, dict):
        refuse("rope_scaling", scaling, "an object")
    if not (isinstance(full, dict) and isinstance(sliding, dict)):
        refuse("rope_parameters", by_kind, "an object for every type of layer")
    if sliding.get("rope_type", "default") != "default":
        refuse("rope_parameters.sliding_attention", sliding, 'the rope_type "default"')
    values["rope_local_base"] = sliding.get("rope_theta", config.get("rope_local_base_freq", 1e4))
    return full | scaling


def architecture_fields(config: ModelConfig) -> dict:
    """The architecture in the words of transformers' config of the family. Raises MinisftError if it is of none."""
    name, fields = family_of(config), asdict(config)
    rope: dict[str, Any] = {"rope_theta": fields.pop("rope_base"), "rope_type": "default"}
    scaling = fields.pop("rope_scaling")
    if scaling:
        rope["rope_type"] = "llama3" if scaling["original_max_position_embeddings"] else "linear"
        rope |= {field: scaling[field] for field in ROPE_TYPES[rope["rope_type"]]}
    local = {"rope_theta": fields.pop("rope_local_base"), "rope_type": "default"}
    sliding = {field: fields.pop(field) for field in ("sliding_window", "layer_types", "query_pre_attn_scalar")}
    for field in ("qkv_bias", "qk_norm", "norms", "embedding_scale"):
        del fields[field]
    fields |= {"model_type": name, "rope_parameters": rope, "attention_dropout": 0.0}
    if name != "qwen2":
        fields["attention_bias"] = False
    if name == "llama":
        fields["mlp_bias"] = False
    if name in ("qwen2", "qwen3"):
        fields["use_sliding_window"] = False
    if name == "gemma3_text":
        sliding["query_pre_attn_scalar"] = sliding["query_pre_attn_scalar"] or config.head_dim
        sliding["layer_types"] = list(config.kinds)
        sliding["hidden_activation"] = fields.pop("hidden_act")
        fields |= sliding | {"rope_parameters": dict(zip(LAYER_TYPES, (rope, local)))}
    return fields


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
