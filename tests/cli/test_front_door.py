"""The first moments of the command: Ctrl-C while it is being imported, and what mpiexec left in the environment."""

import signal
import subprocess
import sys

import pytest
from support.commandline import command
from support.refusals import refusal

from minisft import parallel

INTERRUPTED = "minisft: interrupted\n"

# Ctrl-C at the import of this module: as the person at the keyboard would press it, but always at the same place.
PRESS = """
import os, signal, sys
class Press:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Press())
sys.argv = ["minisft", "--version"]
from minisft.__main__ import main
main()
"""


def python(code, **more):
    more = {"capture_output": True, "text": True, "timeout": 60} | more
    return subprocess.run([sys.executable, "-c", code], env=command()["env"], **more)


def pressed(module, **more):
    return python(PRESS.format(module=module), **more)


def interruptible():
    signal.signal(signal.SIGINT, signal.default_int_handler)


IMPORTED = ["minisft.parallel", "numpy", "numpy.linalg", "tokenizers", "safetensors", "rich.console", "minisft.train"]


@pytest.mark.parametrize("module", IMPORTED)
def test_ctrl_c_while_the_command_is_imported_ends_it_in_one_line_with_130(module):
    done = pressed(module, preexec_fn=interruptible)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", INTERRUPTED)


def test_where_ctrl_c_is_ignored_it_stays_so():
    done = pressed("numpy", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    assert done.returncode == 0 and done.stdout.startswith("minisft ") and done.stderr == ""


def test_ctrl_c_is_pythons_own_again_when_the_command_begins():
    code = "import signal, minisft.cli.main as cli; from minisft.__main__ import main\n"
    code += "cli.main = lambda: print(signal.getsignal(signal.SIGINT) is signal.default_int_handler); main()"
    assert python(code, preexec_fn=interruptible).stdout == "True\n"


def test_the_front_door_imports_next_to_nothing_before_it_takes_ctrl_c():
    code = "import sys; before = set(sys.modules); import minisft.__main__; print(*sorted(set(sys.modules) - before))"
    assert {"minisft.parallel", "numpy"}.isdisjoint(python(code).stdout.split())


# The variables of mpiexec


COUNTS = (*parallel.COUNTS, *parallel.LOCAL_COUNTS)


@pytest.fixture
def environment(monkeypatch):
    for name in COUNTS:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch.setenv


@pytest.mark.parametrize("name", COUNTS)
def test_an_empty_variable_of_mpiexec_is_absent(name, environment):
    environment(name, "")
    assert parallel.join() is parallel.ALONE


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", ["two", "-1", "0", "1.5", " ", "²", "٣", "1e3", "9" * 5000, "0x2", "1_0", "\udcff"])
def test_a_variable_of_mpiexec_that_is_no_number_of_processes_is_named(name, value, environment):
    environment(name, value)
    parallel.divide_cores()  # too early to complain
    refusal(parallel.join, f"{name}: ", "number of processes")


@pytest.mark.parametrize("name", COUNTS)
def test_a_command_that_meets_such_a_variable_ends_in_one_line(name):
    line = command("--version")
    done = subprocess.run(**line | {"env": line["env"] | {name: "two"}}, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"minisft: error: {name}: ") and done.stderr.count("\n") == 1
