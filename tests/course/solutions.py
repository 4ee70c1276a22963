"""The solutions of the exercises, as code a student would have written."""

import linecache
import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "notebooks" / "solutions"


def sections(notebook: str) -> dict[str, str]:
    """{exercise: code} of notebooks/solutions/<notebook>.py."""
    parts = re.split(r"^# %% (\S+)\n", (FOLDER / f"{notebook}.py").read_text(encoding="utf-8"), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def solution(notebook: str, exercise: str) -> dict:
    """The namespace after the solution of an exercise has run; its lines are at hand, as those of a cell are."""
    namespace, name, code = {}, f"<{notebook} {exercise}>", sections(notebook)[exercise]
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    exec(compile(code, name, "exec"), namespace)
    return namespace
