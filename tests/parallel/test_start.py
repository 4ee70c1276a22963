"""How a process learns that there are others, and how those of one machine share its cores."""

import os
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pytest
from support.commandline import ROOT, SFT, assert_refused, command, sft_line

from minisft import parallel
from minisft.parallel import ALONE, Ranks

# --- who is there -----------------------------------------------------------------------------------------------------


def mpi_of(size):
    """What mpi4py would be in a job of so many ranks."""
    return SimpleNamespace(COMM_WORLD=SimpleNamespace(size=size, rank=0), get_vendor=lambda: ("MPICH", (5, 0, 0)))


def without_mpi(error):
    module = ModuleType("mpi4py")

    def missing(name):
        raise error

    module.__getattr__ = missing
    return module


@pytest.mark.parametrize("name", ["PMI_SIZE", "OMPI_COMM_WORLD_SIZE"])
def test_what_mpiexec_says_about_the_number_of_ranks_must_be_what_mpi_finds(monkeypatch, capsys, name):
    """One MPI's mpiexec with another's library makes jobs of one rank, which would all write the same files."""
    monkeypatch.setenv(name, "2")
    monkeypatch.setitem(sys.modules, "mpi4py", SimpleNamespace(MPI=mpi_of(1)))
    assert_refused(capsys, SFT, "mpiexec: started 2 processes", "MPICH", "finds 1")
    monkeypatch.setitem(sys.modules, "mpi4py", SimpleNamespace(MPI=mpi_of(2)))
    assert parallel.join().size == 2


def test_one_process_of_mpiexec_is_alone(monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "1")
    assert parallel.join() is ALONE


@pytest.mark.parametrize("error", [ImportError("no mpi4py"), RuntimeError("cannot load MPI library")])
def test_without_the_package_or_its_library_the_message_says_what_to_install(monkeypatch, capsys, error):
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py", without_mpi(error))
    assert_refused(capsys, SFT, "mpiexec: ", str(error), "pip install mpi4py mpich")


def test_without_mpiexec_nothing_of_mpi_is_imported(shared, tmp_path):
    """A package of that name that does not let itself be imported lies first on the path."""
    (tmp_path / "mpi4py").mkdir()
    (tmp_path / "mpi4py" / "__init__.py").write_text("raise SystemExit('mpi4py was imported')")
    process = command(*sft_line(shared, tmp_path / "out"))
    process["env"]["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(**process, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    process["env"]["PMI_SIZE"] = "2"
    assert "mpi4py was imported" in subprocess.run(**process, capture_output=True, timeout=60).stderr


def test_other_commands_refuse_to_run_several_times(monkeypatch, capsys):
    ended = []
    mpi = SimpleNamespace(COMM_WORLD=SimpleNamespace(Abort=ended.append))
    monkeypatch.setattr(parallel, "join", lambda: Ranks(0, 2, mpi))
    assert_refused(capsys, "gradcheck", "gradcheck: runs in one process", "pretrain and sft", "leave out mpiexec")
    assert ended == [2]


# --- threads of each rank ---------------------------------------------------------------------------------------------


THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


@pytest.mark.parametrize("name", ["MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE"])
@pytest.mark.parametrize(("ranks", "threads"), [("1", None), ("2", "4"), ("3", "2"), ("9", "1")])
def test_the_ranks_of_a_machine_share_its_cores_and_one_process_is_left_alone(monkeypatch, name, ranks, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    for variable in THREADS:
        monkeypatch.setenv(variable, "")  # so that monkeypatch takes back what is set below
        monkeypatch.delenv(variable)
    monkeypatch.setenv(name, ranks)
    parallel.divide_cores()
    assert [os.environ.get(variable) for variable in THREADS] == [threads, threads]


def test_threads_that_the_user_has_set_stay(monkeypatch):
    monkeypatch.setenv("MPI_LOCALNRANKS", "2")
    for variable in THREADS:
        monkeypatch.setenv(variable, "7")
    parallel.divide_cores()
    assert [os.environ[variable] for variable in THREADS] == ["7", "7"]


def test_the_cores_are_shared_before_numpy_is_imported():
    """By the command, from its front door: what numpy would read is noted as it is imported."""
    code = """
import os, sys
class Note:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            print(os.environ.get("OPENBLAS_NUM_THREADS"), flush=True)
sys.meta_path.insert(0, Note())
from minisft.__main__ import main
sys.argv = ["minisft", "--version"]
main()
"""
    environment = {name: value for name, value in os.environ.items() if name not in THREADS}
    environment |= {"PYTHONPATH": str(ROOT), "MPI_LOCALNRANKS": "9999"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[0] == "1", done.stderr
    script = [line for line in (ROOT / "pyproject.toml").read_text().splitlines() if line.startswith("minisft = ")]
    assert script == ['minisft = "minisft.__main__:main"']
