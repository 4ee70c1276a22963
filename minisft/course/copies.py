"""The students' copy of the notebooks: exercises as stubs, no outputs, no solutions."""

import json
from pathlib import Path

from minisft.course import nbgrader
from minisft.course.variants import notebook_of_variant
from minisft.errors import MinisftError
from minisft.formats import resources
from minisft.formats.apart import require_apart
from minisft.formats.files import read_json, write_atomically


def write(
    directory: Path, overwrite: bool = False, variant: int | None = None, for_nbgrader: bool = False
) -> list[Path]:
    """Write all notebooks to a folder, as they are or as a variant of them, or as assignments of nbgrader.

    Raises MinisftError, before writing any, if one of them already exists.
    """
    sources = sorted(resources.notebooks().glob("[0-9][0-9]_*.ipynb"))
    if not sources:
        raise MinisftError(f"{resources.notebooks()}: no notebooks there; install minisft again")
    require_apart(directory, [resources.notebooks()], "DIR")
    targets = [nbgrader.place(directory, s.stem) if for_nbgrader else directory / s.name for s in sources]
    config = [directory / "nbgrader_config.py"] if for_nbgrader else []
    standing = [target for target in config + targets if target.exists()]
    if standing and not overwrite:
        raise MinisftError(
            f"DIR: {standing[0]} already exists, perhaps with answers in it; name another folder, or give --overwrite"
        )
    try:
        for target in {target.parent: None for target in config + targets}:
            target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MinisftError(f"DIR: {directory} cannot be made ({error.strerror}); give another one") from error
    for source, target in zip(sources, targets):
        notebook = without_outputs(read_json(source))
        if variant is not None:
            notebook = notebook_of_variant(notebook, source.stem, variant)
        if for_nbgrader:
            notebook = nbgrader.assignment(notebook, source.stem)
        write_atomically(target, (json.dumps(notebook, ensure_ascii=False, indent=1) + "\n").encode())
    for target in config:
        write_atomically(target, nbgrader.CONFIG.encode())
    return targets


def without_outputs(notebook: dict) -> dict:
    return notebook | {
        "cells": [
            cell | {"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else cell
            for cell in notebook["cells"]
        ]
    }
