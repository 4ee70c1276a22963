"""What a hidden test of nbgrader calls: an answer of a saved notebook, judged in processes of their own."""

import json
import subprocess
import sys


def require(path: str, exercise: str) -> None:
    """Raises AssertionError, with what is wrong, if the answer to this exercise in the notebook is not right."""
    command = [sys.executable, "-m", "minisft", "grade", path, "--exercise", exercise, "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise AssertionError(ended.stderr.strip().splitlines()[-1] if ended.stderr.strip() else "it was not judged")
    (row,) = json.loads(ended.stdout)["rows"]
    if row["right"] is not True:
        raise AssertionError(row["mistake"] or "not written yet")
