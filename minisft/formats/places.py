"""Which directory or file the name of a model means: itself, a shipped model, an installed one, one of the hub."""

import os
import re
from pathlib import Path

from minisft.errors import MinisftError, one_line
from minisft.formats import resources

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


def lasting(name: str) -> str:
    """The name of a model as another directory may refer to it: of a path, the absolute one."""
    return os.path.abspath(name) if Path(name).exists() else name
