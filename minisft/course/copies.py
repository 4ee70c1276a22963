"""The students' copy of the notebooks: exercises as stubs, no outputs, no solutions."""

import json
from pathlib import Path

from minisft.course.variants import notebook_of_variant
from minisft.errors import MinisftError
from minisft.formats import resources
from minisft.formats.apart import require_apart
from minisft.formats.files import read_json, write_atomically


def write(directory: Path, overwrite: bool = False, variant: int | None = None) -> list[Path]:
    """Write all notebooks to a folder, as they are or as a variant of them.

    Raises MinisftError, before writing any, if one of them already exists.
    """
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
        notebook = without_outputs(read_json(source))
        if variant is not None:
            notebook = notebook_of_variant(notebook, source.stem, variant)
        write_atomically(target, (json.dumps(notebook, ensure_ascii=False, indent=1) + "\n").encode())
    return targets


def without_outputs(notebook: dict) -> dict:
    return notebook | {
        "cells": [
            cell | {"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else cell
            for cell in notebook["cells"]
        ]
    }
