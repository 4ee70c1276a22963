"""Pictures are made whatever MPLBACKEND says, and who uses pyplot afterwards has the backend it names."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("matplotlib")
DRAW = "import sys; from minisft import plots; plots.save(plots.bars([1.0, 2.0]), sys.argv[1])"


def python(code, path, backend):
    line = [sys.executable, "-c", code, str(path)]
    return subprocess.run(line, env=os.environ | {"MPLBACKEND": backend}, capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize(
    "backend", ["", "agg", "no_such_backend", "module://of_another.environment", "TkAgg", "\\", " "]
)
def test_a_picture_is_made_whatever_backend_the_environment_names(backend, tmp_path):
    done = python(DRAW, tmp_path / "picture.png", backend)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "picture.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("code", "backend", "found"),
    [
        ("from minisft import plots; import matplotlib", "svg", "svg"),
        ("import matplotlib; matplotlib.use('pdf'); from minisft import plots", "svg", "pdf"),
    ],
)
def test_who_draws_otherwise_has_the_backend_that_was_chosen(code, backend, found, tmp_path):
    code += "; import os; print(matplotlib.get_backend(), os.environ['MPLBACKEND'])"
    assert python(code, tmp_path, backend).stdout.split() == [found, backend]
