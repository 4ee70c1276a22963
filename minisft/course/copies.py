"""The students' copy of the notebooks: exercises as stubs, no outputs, no solutions."""

import json
from pathlib import Path

from minisft.errors import MinisftError
from minisft.formats import resources
from minisft.formats.apart import require_apart
from minisft.formats.files import read_json, write_atomically


def write(directory: Path, overwrite: bool = False) -> list[Path]:
    """Write all notebooks to a folder. Raises MinisftError, before writing any, if one of them already exists."""
    sources = sorted(resources.notebooks().glob("[0-9][0-9]_*.ipynb"))
    if not sources:
        raise MinisftError(f"{resources.notebooks()}: no notebooks there; install minisft again")
    require_apart(directory, [resources.notebooks()], "DIR")
    targets = [directory / source.name for source in sources]
    standing = [target for target in targets if target.exists()]
    if standing and not overwrite:
        raise MinisftError(
            f"DIR: {standing[0]} already exists, perhaps with answers in it; name another folder, or give --overwrite"
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MinisftError(f"DIR: {directory} cannot be made ({error.strerror}); give another one") from error
    for source, target in zip(sources, targets):
        write_atomically(
            target, (json.dumps(without_outputs(read_json(source)), ensure_ascii=False, indent=1) + "\n").encode()
        )
    return targets


def without_outputs(notebook: dict) -> dict:
    return notebook | {
        "cells": [
            cell | {"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else cell
            for cell in notebook["cells"]
        ]
    }
