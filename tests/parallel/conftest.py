import sys

import pytest
from support.mpi import MPIEXEC, finish, mpiexec


@pytest.fixture(scope="session")
def mpi():
    """Skips the test where no MPI works with this Python."""
    if not MPIEXEC:
        pytest.skip("no mpiexec: pip install mpi4py mpich")
    code = "from mpi4py import MPI; print(MPI.COMM_WORLD.size)"
    line = {"args": [sys.executable, "-c", code], "text": True}
    done = finish(mpiexec(2, line))
    if "".join(done.out.split()) != "22":
        pytest.skip(f"mpiexec does not start two ranks of this Python: {done.err.strip()[-200:]}")
