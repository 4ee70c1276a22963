"""Several processes in tests: a command, or a line of Python, started by mpiexec."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from support.commandline import ROOT, command

BESIDE = Path(sys.executable).with_name("mpiexec")
MPIEXEC = str(BESIDE) if BESIDE.exists() else shutil.which("mpiexec")


def mpiexec(size, line):
    return {**line, "args": [MPIEXEC, "-n", str(size), *line["args"]]}


def finish(process, seconds=60):
    """Exit status, standard output and error. The job must end by itself within these seconds."""
    began = time.monotonic()
    with subprocess.Popen(**process, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as job:
        try:
            out, err = job.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(job.pid, signal.SIGKILL)
            raise AssertionError(f"the job hangs: {job.communicate()}") from None
    return SimpleNamespace(status=job.returncode, out=out, err=err, seconds=time.monotonic() - began)


def by_mpi(size, *arguments):
    return finish(mpiexec(size, command(*arguments)))


def script(code, *arguments):
    """A line of Python for every rank, after the imports and `rank`."""
    start = "import os, sys, hashlib, signal, numpy as np; from minisft import MinisftError, model\n"
    start += "from minisft.cli.main import main\n"
    start += "from minisft.runs import loop as runs\n"
    start += "rank = int(os.environ.get('PMI_RANK') or os.environ['OMPI_COMM_WORLD_RANK'])\n"
    line = command(*arguments)
    line["args"][1:3] = ["-c", start + code]
    line["env"]["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return line
