"""What a student has tried: a file progress.json beside the notebook, for the student to see and a teacher to tally.

    {"minisft progress": 1, "01_log_probability": {"tries": {"log_pr": [{"when", "right", "said", "answer"}, …]},
                                                   "predictions": {"hardest": [{"when", "right", "said"}, …]}}}

It is written in a notebook only; elsewhere, and where the folder cannot be written to, it is kept in memory.
"""

import json
import os
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from minisft.errors import MinisftError
from minisft.formats.files import read_json, write_atomically

NAME, MARK = "progress.json", "minisft progress"
KEPT: dict = {MARK: 1}  # of this process


def in_a_notebook() -> bool:
    module = sys.modules.get("IPython")
    return module is not None and module.get_ipython() is not None


def kept(path: Path | None) -> dict:
    """What has been kept so far. A file that is not ours, or is damaged, is not read, and so not written either."""
    if path is None or not path.is_file():
        return KEPT
    try:
        found = read_json(path)
    except MinisftError:
        return KEPT
    return found if MARK in found else KEPT


def ours(path: Path) -> bool:
    try:
        return not os.path.lexists(path) or MARK in read_json(path)
    except MinisftError:
        return False


def note(notebook: str, group: str, name: str, entry: dict) -> list[dict]:
    """Keeps an entry, unless it says what the last one said. Returns all entries of this name, the oldest first."""
    path = Path(NAME) if in_a_notebook() else None
    record = kept(path)
    entries = listed(listed(listed(record, notebook, dict), group, dict), name, list)
    if not entries or {**entry, "when": ""} != {**entries[-1], "when": ""}:
        entries.append(entry | {"when": datetime.now().isoformat(timespec="seconds")})
    if path is not None and ours(path):
        with suppress(MinisftError, OSError, ValueError):  # a folder that nobody may write to breaks no check
            write_atomically(path, (json.dumps(record, ensure_ascii=False, indent=1) + "\n").encode())
    return entries


def listed(record: dict, name: str, kind: type):
    """The list or dict of that name in a record, new if there is none."""
    if not isinstance(record.get(name), kind):
        record[name] = kind()
    if kind is list:
        record[name] = [entry for entry in record[name] if isinstance(entry, dict)]
    return record[name]
