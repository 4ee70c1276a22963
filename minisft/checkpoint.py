"""A model is a directory in the Hugging Face layout: config.json, model.safetensors, and the tokenizer's files.

`load` and `save` rename and transpose nothing, since θ has the checkpoint's names and orientation; a Gemma's gains are
1 + w, so its w become gains here. GGUF files are read as well. An adapter (adapter.py) is a directory in PEFT's layout,
which names its base model: adapter_config.json, adapter_model.safetensors, and the tokenizer's files.
"""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minisft import adapter, doors, model
from minisft.config import DTYPES, ModelConfig
from minisft.errors import MinisftError, one_line, quoted
from minisft.formats import peft
from minisft.formats.families import FAMILIES, gain_offset, in_files
from minisft.formats.files import Stored, json_bytes, write_atomically
from minisft.formats.gguf.read import read as read_gguf
from minisft.formats.huggingface import (
    architecture_fields,
    read_config,
    tensors,
    weight_files,
    write_tensors,
)
from minisft.formats.places import model_directory
from minisft.params import Params
from minisft.tokenizer import Tokenizer

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"


def load(path: str | Path, dtype: DTypeLike = np.float32) -> tuple[Params, ModelConfig, Tokenizer]:
    """θ, its sizes and its tokenizer, from a directory or a .gguf file; weights of any type become dtype.

    An adapter is merged with its base model; `load_unmerged` keeps them apart.
    Raises MinisftError naming the file, and the field or tensor, that is missing, broken, not finite or of no known
    family; before it allocates memory for θ, unless the numbers themselves are wrong.
    """
    doors.of_kind("path", path, (str, PathLike), "the name of a directory or a .gguf file")
    require_precision(dtype)
    path = Path(path)
    if peft.is_adapter(path):
        theta, config, tokenizer = load_unmerged(path, dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            whole = adapter.merged(theta, into=theta.base)
        if not np.isfinite(whole.flat).all():
            raise MinisftError(f"{path / peft.CONFIG}: lora_alpha makes W + s B A infinite; correct it")
        return whole, config, tokenizer
    if path.suffix.lower() == ".gguf" and not path.is_dir():
        (config, tokenizer, stored), more = read_gguf(path), 0.0
    else:
        config, tokenizer = read_config(path), Tokenizer.load(path)
        stored, more = [tensor for file in weight_files(path) for tensor in tensors(file)], gain_offset(config)
    require_room(tokenizer, config, path)
    stored, head = without_head(stored, config)
    require_fitting(stored, model.shapes(config))
    theta = Params(model.shapes(config), dtype)
    fill(theta, stored, more)
    if head:
        twice = np.empty_like(theta.named[EMBEDDING])
        head.fill(twice)
        if not np.array_equal(twice, theta.named[EMBEDDING]):
            raise MinisftError(
                f"{head.path}: tensor {HEAD} differs from {EMBEDDING}, but config.json ties them; set "
                "tie_word_embeddings to false"
            )
    return theta, config, tokenizer


def load_unmerged(
    path: str | Path, dtype: DTypeLike = np.float32, base: Path | None = None
) -> tuple[Params, ModelConfig, Tokenizer]:
    """θ̂ with the adapter in a directory, its sizes, and its tokenizer: the adapter's own, if it has one.

    base  where θ̂ is; by default where the adapter says
    """
    path = Path(path)
    theta_hat, config, tokenizer = load(base or base_of(path), dtype)
    theta = load_adapter(path, theta_hat)
    if (path / "tokenizer.json").exists():
        own = Tokenizer.load(path)
        own.stops = own.stops or tokenizer.stops
        require_room(own, config, path)
        tokenizer = own
    return theta, config, tokenizer


def base_of(path: Path) -> Path:
    """Where the base model of an adapter is. Raises MinisftError if it is not said, not there, or an adapter itself."""
    name, file = peft.read_config(path).base, path / peft.CONFIG
    advice = f"give the base model itself: minisft merge --model BASE --adapter {path}"
    if not name:
        raise MinisftError(f"{file}: base_model_name_or_path is empty; {advice}")
    try:
        place = model_directory(name)
    except MinisftError as error:
        raise MinisftError(f"{file}: base_model_name_or_path {quoted(name)} is not a model here; {advice}") from error
    if peft.is_adapter(place):
        raise MinisftError(f"{file}: base_model_name_or_path {quoted(name)} is an adapter; merge that one first")
    return place


def load_adapter(path: str | Path, theta_hat: Params) -> Params:
    """θ̂, shared, with the adapter in a directory, in the dtype of θ̂.

    Raises MinisftError naming the file, and the field or tensor, that is missing, broken, not finite, not implemented
    or of another model.
    """
    path = Path(path)
    given, stored = peft.read_config(path), peft.read_tensors(path)
    modules = adapter.chosen(theta_hat, given.target_modules, f"{path / peft.CONFIG}: target_modules")
    shapes = adapter.shapes(theta_hat, modules, given.r)
    require_fitting(stored, {name: shape for name, shape in shapes.items() if shape}, "an adapter")
    theta = adapter.attach(theta_hat, modules, given.r, given.alpha)
    fill(theta, stored)
    return theta


def fill(theta: Params, stored: list[Stored], more: float = 0.0) -> None:
    """Read tensors into θ; gains are larger by `more` there. Raises MinisftError naming one that is not finite."""
    for tensor in stored:
        view = theta.named[tensor.name]
        with np.errstate(over="ignore", invalid="ignore"):  # beyond the range of dtype: infinite, refused below
            tensor.fill(view)
        if more and view.ndim == 1:
            view += more
        if not np.isfinite(view).all():
            raise MinisftError(
                f"{tensor.path}: tensor {tensor.name} has NaN or infinity in {view.dtype}; use an earlier checkpoint"
            )


def require_precision(dtype: DTypeLike) -> None:
    """Refuse all but the precisions in which a model is computed."""
    try:
        known = np.dtype(dtype).name in DTYPES
    except TypeError:  # nothing that NumPy takes for a dtype
        known = False
    if not known:
        doors.refuse("dtype", " or ".join(DTYPES), dtype, "files of any precision are converted to it")


def without_head(stored: list[Stored], config: ModelConfig) -> tuple[list[Stored], Stored | None]:
    """The tensors of θ, and the head if it is tied but some tool has written it all the same."""
    head = next((tensor for tensor in stored if tensor.name == HEAD), None)
    if not head or not config.tie_word_embeddings:
        return stored, None
    require_shape(head, model.shapes(config)[EMBEDDING])
    return [tensor for tensor in stored if tensor is not head], head


def require_fitting(stored: list[Stored], shapes: Mapping[str, tuple[int, ...]], of: str = "the model") -> None:
    """Raises MinisftError unless these are exactly the tensors of these shapes."""
    wanted = dict(shapes)
    for tensor in stored:
        if tensor.name not in wanted:
            why = "appears in two files" if tensor.name in shapes else f"is not part of {of} of these sizes"
            raise MinisftError(f"{tensor.path}: tensor {one_line(tensor.name)} {why}; use files that belong together")
        require_shape(tensor, wanted.pop(tensor.name))
    if wanted:
        where = f"{stored[-1].path}: " if stored else ""
        raise MinisftError(
            f"{where}tensor {next(iter(wanted))} is missing ({len(wanted)} of {len(shapes)} are); copy {of} again"
        )


def require_shape(tensor: Stored, shape: tuple[int, ...]) -> None:
    """Refuse a tensor of another shape."""
    if tensor.shape != shape:
        raise MinisftError(
            f"{tensor.path}: tensor {tensor.name} has shape {tensor.shape}, but in a model of these sizes it has "
            f"{shape}; use files that belong together"
        )


def save(directory: str | Path, theta: Params, config: ModelConfig, tokenizer: Tokenizer, base_model: str = "") -> None:
    """Write a directory that `load` and transformers read; the weights, in the dtype of θ, come last.

    Where an adapter moves, only the adapter is written, for PEFT; by base_model, its name, θ̂ is found again.

    Each file is whole, or as it was before. Raises MinisftError naming the file that cannot be written; and before
    anything is written, if θ is not of this config, not real or not finite, or if the tokenizer has too many ids.
    """
    doors.of_kind("directory", directory, (str, PathLike), "the name of a directory")
    doors.of_kind("theta", theta, Params, "parameters (Params)")
    doors.of_kind("config", config, ModelConfig, "a ModelConfig")
    doors.of_kind("tokenizer", tokenizer, Tokenizer, "a Tokenizer")
    directory = Path(directory)
    require_room(tokenizer, config, directory)
    doors.parameters("theta", theta, model.shapes(config))
    for name, view in theta.named.items():
        if not np.isfinite(view).all():
            raise MinisftError(f"theta: {name} has NaN or infinity, and could not be loaded again; save an earlier θ")
    for name, content in small_files(theta, config, tokenizer, base_model).items():
        write_atomically(directory / name, content)
    weights = peft.in_files(theta) if theta.frozen else in_files(theta, config)
    name = peft.WEIGHTS if theta.frozen else "model.safetensors"
    write_tensors(directory / name, weights, {"format": "pt"})  # transformers asks for the format


def small_files(theta: Params, config: ModelConfig, tokenizer: Tokenizer, base_model: str = "") -> dict[str, bytes]:
    """Everything that `save` writes but the weights: the content of each file, by name.

    Raises MinisftError for a chat template that UTF-8 cannot spell.
    """
    try:
        texts = tokenizer.files(model_max_length=config.max_position_embeddings)
    except UnicodeEncodeError as error:
        raise MinisftError(f"chat_template: has half a character at {error.start}; correct the base model's") from error
    texts["generation_config.json"] = json_bytes({"eos_token_id": tokenizer.stop_ids})
    if theta.frozen:
        r, alpha = adapter.rank_and_alpha(theta)
        return {peft.CONFIG: peft.config_file(base_model, r, alpha, adapter.modules(theta))} | texts
    return {"config.json": json_bytes(config_fields(config, tokenizer, theta.flat.dtype))} | texts


def config_fields(config: ModelConfig, tokenizer: Tokenizer, dtype: DTypeLike) -> dict[str, Any]:
    """The content of config.json; dtype: of θ."""
    fields = architecture_fields(config)
    fields |= {
        "architectures": [FAMILIES[fields["model_type"]].architecture],
        "dtype": np.dtype(dtype).name,
        "use_cache": True,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_id,
        "pad_token_id": None,
    }
    return dict(sorted(fields.items()))


def require_room(tokenizer: Tokenizer, config: ModelConfig, directory: Path) -> None:
    """Refuse a vocabulary with ids beyond the model's."""
    if tokenizer.vocab_size > config.vocab_size:
        raise MinisftError(
            f"{directory}: the ids of tokenizer.json reach {tokenizer.vocab_size - 1}, but vocab_size of "
            f"config.json is {config.vocab_size}; use files that belong together"
        )
