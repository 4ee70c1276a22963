"""A model is a directory in the Hugging Face layout: config.json, model.safetensors, and the tokenizer's files.

`load` and `save` rename and transpose nothing, since θ has the checkpoint's names and orientation; a Gemma's gains are
1 + w, so its w become gains here. GGUF files are read as well.
"""

from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from minisft import doors, model
from minisft.config import DTYPES, ModelConfig
from minisft.errors import MinisftError, one_line
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
from minisft.params import Params
from minisft.tokenizer import Tokenizer

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"


def load(path: str | Path, dtype: DTypeLike = np.float32) -> tuple[Params, ModelConfig, Tokenizer]:
    """θ, its sizes and its tokenizer, from a directory or a .gguf file; weights of any type become dtype.

    Raises MinisftError naming the file, and the field or tensor, that is missing, broken, not finite or of no known
    family; before it allocates memory for θ, unless the numbers themselves are wrong.
    """
    doors.of_kind("path", path, (str, PathLike), "the name of a directory or a .gguf file")
    require_precision(dtype)
    path = Path(path)
    if path.suffix.lower() == ".gguf" and not path.is_dir():
        (config, tokenizer, stored), more = read_gguf(path), 0.0
    else:
        config, tokenizer = read_config(path), Tokenizer.load(path)
        stored, more = [tensor for file in weight_files(path) for tensor in tensors(file)], gain_offset(config)
    require_room(tokenizer, config, path)
    stored, head = fitting(stored, config)
    theta = Params(model.shapes(config), dtype)
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
    if head:
        twice = np.empty_like(theta.named[EMBEDDING])
        head.fill(twice)
        if not np.array_equal(twice, theta.named[EMBEDDING]):
            raise MinisftError(
                f"{head.path}: tensor {HEAD} differs from {EMBEDDING}, but config.json ties them; set "
                "tie_word_embeddings to false"
            )
    return theta, config, tokenizer


def require_precision(dtype: DTypeLike) -> None:
    """Refuse all but the precisions in which a model is computed."""
    try:
        known = np.dtype(dtype).name in DTYPES
    except TypeError:  # nothing that NumPy takes for a dtype
        known = False
    if not known:
        doors.refuse("dtype", " or ".join(DTYPES), dtype, "files of any precision are converted to it")


def fitting(stored: list[Stored], config: ModelConfig) -> tuple[list[Stored], Stored | None]:
    """The tensors of θ, and the head if it is tied but some tool has written it all the same. Refuses any others."""
    shapes = model.shapes(config)
    wanted, head = dict(shapes), None
    for tensor in stored:
        if tensor.name == HEAD and config.tie_word_embeddings:
            head, shape = tensor, shapes[EMBEDDING]
        elif tensor.name in wanted:
            shape = wanted.pop(tensor.name)
        else:
            why = "appears in two files" if tensor.name in shapes else "is not part of the model of these sizes"
            raise MinisftError(f"{tensor.path}: tensor {one_line(tensor.name)} {why}; use files that belong together")
        if tensor.shape != shape:
            raise MinisftError(
                f"{tensor.path}: tensor {tensor.name} has shape {tensor.shape}, but in a model of these sizes it has "
                f"{shape}; use files that belong together"
            )
    if wanted:
        where = f"{stored[-1].path}: " if stored else ""
        raise MinisftError(
            f"{where}tensor {next(iter(wanted))} is missing ({len(wanted)} of {len(shapes)} are); copy the model again"
        )
    return [tensor for tensor in stored if tensor is not head], head


def save(directory: str | Path, theta: Params, config: ModelConfig, tokenizer: Tokenizer) -> None:
    """Write a directory that `load` and transformers read; the weights, in the dtype of θ, come last.

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
    for name, content in small_files(config, tokenizer, theta.flat.dtype).items():
        write_atomically(directory / name, content)
    write_tensors(
        directory / "model.safetensors", in_files(theta, config), {"format": "pt"}
    )  # transformers asks for the format


def small_files(config: ModelConfig, tokenizer: Tokenizer, dtype: DTypeLike) -> dict[str, bytes]:
    """Everything that `save` writes but the weights: the content of each file, by name. dtype: of θ.

    Raises MinisftError for a chat template that UTF-8 cannot spell.
    """
    fields = architecture_fields(config)
    fields |= {
        "architectures": [FAMILIES[fields["model_type"]].architecture],
        "dtype": np.dtype(dtype).name,
        "use_cache": True,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_id,
        "pad_token_id": None,
    }
    try:
        texts = tokenizer.files(model_max_length=config.max_position_embeddings)
    except UnicodeEncodeError as error:
        raise MinisftError(f"chat_template: has half a character at {error.start}; correct the base model's") from error
    own = {"config.json": dict(sorted(fields.items())), "generation_config.json": {"eos_token_id": tokenizer.stop_ids}}
    return {name: json_bytes(value) for name, value in own.items()} | texts


def require_room(tokenizer: Tokenizer, config: ModelConfig, directory: Path) -> None:
    """Refuse a vocabulary with ids beyond the model's."""
    if tokenizer.vocab_size > config.vocab_size:
        raise MinisftError(
            f"{directory}: the ids of tokenizer.json reach {tokenizer.vocab_size - 1}, but vocab_size of "
            f"config.json is {config.vocab_size}; use files that belong together"
        )
