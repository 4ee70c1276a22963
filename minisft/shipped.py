"""Where the shipped files are: facts, texts, fine-tuning sets, the model `atlas`, and the notebooks."""

from pathlib import Path

HERE = Path(__file__).resolve().parent


def path(name: str = "") -> Path:
    """A shipped file or folder by its name below data/, whether minisft is installed or run from its repository."""
    installed = HERE / "shipped"
    return (installed if installed.is_dir() else HERE.parent / "data") / name


def notebooks() -> Path:
    """The folder of the course."""
    installed = HERE / "notebooks"
    return installed if installed.is_dir() else HERE.parent / "notebooks"


def models() -> list[str]:
    """Names that --model takes beside directories."""
    return sorted(config.parent.name for config in path().glob("*/config.json"))
