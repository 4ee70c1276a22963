"""nbgrader reads the version of the gradebook from alembic, which it starts by its name."""

import os
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="package", autouse=True)
def own_programs():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        yield
