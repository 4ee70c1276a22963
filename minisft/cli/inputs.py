"""What the commands read: flags become settings, a name becomes a model, files become sequences.

Everything is read and checked before anything is computed or written.
"""

import re
from argparse import Namespace
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minisft import checkpoint, data
from minisft.cli.console import say
from minisft.config import ModelConfig, TrainConfig
from minisft.data import Example, Sequence
from minisft.errors import MinisftError, one_line
from minisft.formats import resources
from minisft.params import Params
from minisft.tokenizer import Tokenizer

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)  # owner/name
HUB_FILES = ["*.json", "*.safetensors", "chat_template.jinja", "README.md"]
NOT_FROM_HUB = ["*/*", "consolidated*.safetensors"]  # the weights again, in the layout of Mistral's own tools


def model_directory(name: str, flag: str = "--model") -> Path:
    """The directory or .gguf file that a flag means: itself, the place of a known name, or a copy from the hub."""
    path = Path(name)
    if path.is_dir() or (path.suffix.lower() == ".gguf" and flag == "--model"):
        return path
    if name in resources.models():
        return resources.path(name)
    if name == "smollm2" and flag == "--model":
        return resources.smollm2()
    if HUB_NAME.fullmatch(name) and not path.exists():
        return from_hub(name, flag)
    known = ", ".join(resources.models()) or "none"
    raise MinisftError(
        f"{flag}: {name} is neither a directory nor a shipped model; shipped models: {known}"
        + ("; also: smollm2, a .gguf file, owner/name on the Hugging Face hub" if flag == "--model" else "")
    )


def from_hub(name: str, flag: str) -> Path:
    """The directory of a model on the Hugging Face hub: downloaded once, then read from the hub's cache."""
    try:
        from huggingface_hub import snapshot_download  # an extra
    except ImportError:
        raise MinisftError(
            f'{flag}: {name} is not a directory here; to get it from the Hugging Face hub: pip install "minisft[hub]"'
        ) from None
    try:
        return Path(snapshot_download(name, allow_patterns=HUB_FILES, ignore_patterns=NOT_FROM_HUB))
    except Exception as error:  # the network, the hub or the disk
        raise MinisftError(
            f"{flag}: {name} is not a directory here, and the Hugging Face hub did not deliver it "
            f"({one_line(error, 200)})"
        ) from error


def settings_of(arguments: Namespace) -> TrainConfig:
    """The flags that are fields of TrainConfig; a flag not given, or unknown to this command, has its default."""
    given = {field.name: getattr(arguments, field.name, None) for field in fields(TrainConfig)}
    return TrainConfig(**{name: value for name, value in given.items() if value is not None})


def sampling_of(arguments: Namespace) -> dict[str, Any]:
    """The flags that say how to draw, as arguments of `generate` and `decode`."""
    rng = np.random.default_rng(arguments.seed)
    return {"temperature": arguments.temperature, "top_k": arguments.top_k, "top_p": arguments.top_p, "rng": rng}


def max_length(arguments: Namespace, config: ModelConfig) -> int:
    """--max-length, or else the context, in tokens. Raises MinisftError if --max-length is longer than the context."""
    context = config.max_position_embeddings
    if arguments.max_length and arguments.max_length > context:
        raise MinisftError(f"--max-length: {arguments.max_length} is more than the model's context of {context} tokens")
    return arguments.max_length or context


def sequences_of(
    arguments: Namespace, examples: list[Example], tokenizer: Tokenizer, config: ModelConfig
) -> tuple[list[Sequence], dict[str, int]]:
    """The examples in tokens, none longer than --max-length, and how many were read, cut and dropped."""
    length = max_length(arguments, config)
    limit = None if arguments.on_too_long == "error" else length + 1  # an error says how long the example is
    sequences = [data.encode(example, tokenizer, arguments.assistant_turns, limit) for example in examples]
    return data.fit(sequences, length, arguments.on_too_long)


def load_with_data(
    arguments: Namespace, dtype: DTypeLike
) -> tuple[Params, ModelConfig, Tokenizer, list[Example], list[Sequence], dict[str, int]]:
    """Model, examples, sequences and their counts, all checked, for the commands that need a model and data."""
    examples = data.read(arguments.data)
    theta, config, tokenizer = checkpoint.load(model_directory(arguments.model), dtype)
    sequences, counts = sequences_of(arguments, examples, tokenizer, config)
    return theta, config, tokenizer, examples, sequences, counts


def warn_of(counts: dict[str, int]) -> None:
    """Say how many examples were longer than --max-length, and what became of them."""
    for name in ("cut", "dropped"):
        if counts[name]:
            say(f"{counts[name]} of {counts['read']} examples were longer than --max-length and {name}")
