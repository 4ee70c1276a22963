"""Reading and writing the files of a model: an error names the file, and a file is the old or the new one, not half."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minisft.errors import MinisftError

MODEL_ADVICE = "a model is a directory with config.json, model.safetensors and tokenizer.json"


class Stored(NamedTuple):
    """A tensor in a file, not yet read; `fill` writes it into an array of its shape, in the array's dtype."""

    path: Path
    name: str
    shape: tuple[int, ...]
    fill: Callable[[np.ndarray], None]


def read_bytes(path: str | Path, advice: str = MODEL_ADVICE) -> bytes:
    """The content of a file. Raises MinisftError naming it, with the advice, if it is missing or unreadable."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise MinisftError(f"{path}: cannot be read ({error.strerror}); {advice}") from error


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file. Raises MinisftError naming it if it is missing, unreadable or in another encoding."""
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise MinisftError(f"{path}: is not UTF-8 at byte {error.start}; it is damaged, copy it again") from error


def read_json(path: str | Path) -> dict:
    """The JSON object in a file. Raises MinisftError naming the file if it contains anything else."""
    try:
        value = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise MinisftError(f"{path}: is not valid JSON ({error}); it is cut off or damaged, copy it again") from error
    if not isinstance(value, dict):
        raise MinisftError(f"{path}: is not a JSON object {{…}}; it is of another kind or damaged, copy it again")
    return value


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields a path beside `path` to write to. It is renamed to `path` if the body succeeds, and removed if not.

    A process killed half-way leaves what was at `path` as it was. Raises MinisftError naming `path` if it cannot be
    written.
    """
    path = Path(path)
    beside = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.touch()
        mode = beside.stat().st_mode
        yield beside
        beside.chmod(mode)  # safetensors writes files that only their owner can read
        os.replace(beside, path)
    except OSError as error:
        raise MinisftError(
            f"{path}: cannot be written ({error.strerror or error}); choose another directory or make room"
        ) from error
    finally:
        if beside.is_file():
            beside.unlink()


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write a whole file beside `path`, then rename it. Raises MinisftError naming `path` if it cannot be written."""
    with replacing(path) as beside:
        beside.write_bytes(data)


def write_json(path: str | Path, value: dict) -> None:
    """Write an object as indented JSON, atomically. Raises MinisftError naming `path` if it cannot be written."""
    write_atomically(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())
