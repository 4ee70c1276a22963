"""A notebook as a student saved it, whatever that may be."""

import json
import os
from functools import lru_cache
from typing import Any

from minisft.course import variants
from minisft.errors import MinisftError, one_line

LARGEST = 50 << 20  # bytes


@lru_cache(maxsize=1)
def read(path: str) -> dict[str, Any]:
    """The notebook, or something like one. Raises MinisftError, without the path, for what is none."""
    try:
        if os.path.getsize(path) > LARGEST:
            raise MinisftError(f"the notebook is larger than {LARGEST >> 20} MB: clear its outputs and save it again")
        with open(path, "rb") as file:
            notebook = json.loads(file.read().decode("utf-8-sig", "replace"))
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or one_line(error, 100)
        raise MinisftError(f"the notebook cannot be read ({why}): save it again with Jupyter") from None
    if not isinstance(notebook, dict):
        raise MinisftError("this is not a notebook: save it again with Jupyter")
    return notebook


def cells_of(path: str) -> list[Any]:
    """The cells of a notebook, of format 3 or later. Raises MinisftError as `read` does."""
    notebook = read(path)
    cells, sheets = notebook.get("cells"), notebook.get("worksheets")
    if cells is None and isinstance(sheets, list):  # format 3
        cells = [cell for sheet in sheets if isinstance(sheet, dict) for cell in sheet.get("cells") or []]
    if not isinstance(cells, list):
        raise MinisftError("this is not a notebook: it has no cells; save it again with Jupyter")
    return cells


def variant_of(path: str) -> int | None:
    """The number of the variant that a notebook says it is; None if it says none, or cannot be read."""
    try:
        return variants.variant_in(read(path).get("metadata"))
    except MinisftError:
        return None
