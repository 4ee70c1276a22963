"""What a hidden test of nbgrader calls: an answer of a saved notebook, judged in processes of their own."""

import json
import subprocess
import sys
from pathlib import Path


def require(path: str, exercise: str) -> None:
    """Raises AssertionError, with what is wrong, if the answer to this exercise in the notebook is not right.

    path: relative to the folder of the notebook, whichever folder a cell has gone to
    """
    ours = [sys.executable, "-P", "-m", "minisft"]  # -P: never a random.py that was handed in beside the notebook
    command = [*ours, "grade", str(beginning() / path), "--exercise", exercise, "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise AssertionError(ended.stderr.strip().splitlines()[-1] if ended.stderr.strip() else "it was not judged")
    (row,) = json.loads(ended.stdout)["rows"]
    if row["right"] is not True:
        raise AssertionError(row["mistake"] or "not written yet")


def beginning() -> Path:
    """The folder in which the kernel began, that of the notebook; outside a notebook the present one."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return Path(shell.starting_dir if shell is not None else "")
