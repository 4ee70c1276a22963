import shutil

import pytest
from support.commandline import assert_refused, contents, write_pairs


@pytest.fixture
def here(shared, tmp_path, monkeypatch):
    """model/ and data.jsonl in the cwd."""
    shutil.copytree(shared / "theta_hat", tmp_path / "model")
    write_pairs(tmp_path / "data.jsonl")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refused(here, capsys):
    def run(line, *words):
        before = contents(here)
        assert_refused(capsys, line, *words)
        assert contents(here) == before

    return run
