"""The directory of an adapter as the package PEFT writes and reads it: adapter_config.json, adapter_model.safetensors.

Only plain LoRA is read. Whatever else a field asks for would be computed wrongly, so it is refused by its name.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minisft.config import ALL_LINEAR, is_number, is_whole
from minisft.errors import MinisftError, quoted
from minisft.formats.files import Stored, json_bytes, read_json
from minisft.formats.huggingface import tensors
from minisft.params import Params

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
WHOLE = ("model.safetensors", "model.safetensors.index.json")  # of a whole model
PREFIX = "base_model.model."  # of the names in the file: PEFT wraps a model twice
ADVICE = "merge the adapter with the tool that made it, and use the whole model"

# What a field must be if it is there; None stands for null, false, 0 or empty.
ONLY: dict[str, tuple[Any, ...]] = {
    "peft_type": ("LORA",),
    "task_type": ("CAUSAL_LM", None),
    "bias": ("none", None),
    "init_lora_weights": (True, False, "gaussian", "eva", "orthogonal", None),  # others change the base model
}
# What says nothing about the numbers of the model, or is read below.
FREE = {"base_model_name_or_path", "r", "lora_alpha", "target_modules", "use_rslora", "inference_mode", "revision"}
FREE |= {"auto_mapping", "peft_version", "lora_dropout", "megatron_core", "qalora_group_size", "runtime_config"}


class Lora(NamedTuple):
    """What adapter_config.json says: the name of the base model, and of the adapter its rank, α and modules."""

    base: str
    r: int
    alpha: float
    target_modules: list[str]
    dropout: float = 0.0  # of its training; here there is none


def is_adapter(directory: str | Path) -> bool:
    """Whether a directory holds an adapter. Raises MinisftError if it holds a whole model as well."""
    directory = Path(directory)
    if not (directory / CONFIG).exists():
        return False
    whole = next((name for name in WHOLE if (directory / name).exists()), None)
    if whole:
        raise MinisftError(f"{directory}: holds an adapter, {CONFIG}, and a model, {whole}; move one of them away")
    return True


def read_config(directory: str | Path) -> Lora:
    """Raises MinisftError naming file and field if it is broken, or asks for something else than plain LoRA."""
    path = Path(directory) / CONFIG
    if not path.exists():
        raise MinisftError(f"{directory}: has no {CONFIG}; give the directory of an adapter")
    config = read_json(path)
    for field, value in config.items():
        allowed = ONLY.get(field, (None,))
        if field not in FREE and not any(value is one or value == one for one in allowed) and (value or field in ONLY):
            words = " or ".join(quoted(one) for one in allowed if one is not None) or "null"
            raise MinisftError(f"{path}: {field} {quoted(value)} is not implemented, only {words} is; {ADVICE}")
    base, r, alpha = config.get("base_model_name_or_path"), config.get("r", 0), config.get("lora_alpha", 0)
    modules, dropout = config.get("target_modules"), config.get("lora_dropout") or 0.0
    modules = [ALL_LINEAR] if modules == ALL_LINEAR else modules
    if "peft_type" not in config:
        raise MinisftError(f"{path}: peft_type is missing; copy the adapter again")
    if base is not None and not (isinstance(base, str) and len(base) < 2048 and base.isprintable()):
        raise MinisftError(f"{path}: base_model_name_or_path {quoted(base)} is not the name of a model; correct it")
    if not (is_whole(r) and 0 < r <= 2**16):
        raise MinisftError(f"{path}: r {quoted(r)} is not a positive whole number of at most {2**16}; correct it")
    if not (is_number(alpha) and alpha > 0):
        raise MinisftError(f"{path}: lora_alpha {quoted(alpha)} is not a positive number; correct it")
    if not (isinstance(modules, list) and modules and all(isinstance(name, str) and name for name in modules)):
        raise MinisftError(
            f"{path}: target_modules {quoted(modules)} is not implemented, only a list of names or "
            f'"{ALL_LINEAR}" is; list the modules'
        )
    if not (is_number(dropout) and 0 <= dropout < 1):
        raise MinisftError(f"{path}: lora_dropout {quoted(dropout)} is not a number from 0 to 1; correct it")
    if config.get("use_rslora"):  # s = α / √r, and so α √r in the place of α
        alpha *= math.sqrt(r)
    return Lora(base or "", r, alpha, modules, dropout)


def config_file(base: str, r: int, alpha: float, modules: Iterable[str]) -> bytes:
    """The content of adapter_config.json, for PEFT to load."""
    fields = {
        "base_model_name_or_path": base,
        "bias": "none",
        "inference_mode": True,
        "init_lora_weights": True,
        "lora_alpha": int(alpha) if alpha == int(alpha) else alpha,
        "lora_dropout": 0.0,
        "peft_type": "LORA",
        "r": r,
        "target_modules": list(modules),
        "task_type": "CAUSAL_LM",
        "use_rslora": False,
    }
    return json_bytes(fields)


def read_tensors(directory: str | Path) -> list[Stored]:
    """The matrices A and B, under their names in θ's tree."""
    stored = tensors(Path(directory) / WEIGHTS)
    return [tensor._replace(name=tensor.name.removeprefix(PREFIX)) for tensor in stored]


def in_files(theta: Params) -> dict[str, np.ndarray]:
    """{name: matrix} of an adapter as PEFT's file has them."""
    return {PREFIX + name: view for name, view in theta.named.items()}
