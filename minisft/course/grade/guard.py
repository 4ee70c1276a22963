"""What the process in which an answer runs may not do, by whom it is held to that, and where.

The system's limits hold wherever there are such: Linux; macOS without that of memory, which `judging` watches there;
Windows has none of them. No file can grow, processor time and memory have an end. On Linux, where namespaces may be
made, the process sees neither other processes nor a network. What Python is asked to do is refused by an audit hook,
everywhere: writing, deleting, starting a process, sending a signal, opening a connection, reading the solutions,
wherever there is a copy of them, and what is neither Python's nor the library's, such as a neighbour's notebook. Code
that leaves Python can pass that hook, so the hook keeps honest and clumsy answers from doing harm; it is no prison. No
verdict depends on it.
"""

import importlib.machinery
import importlib.util
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import minisft
from minisft.formats import resources

MEMORY = 1 << 30  # bytes beside what Python and the library take
REFUSED: tuple[str, ...] = ("socket.", "subprocess.", "os.fork", "os.exec", "os.posix_spawn", "os.spawn", "os.system")
REFUSED += (
    "os.startfile",
    "os.kill",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "os.truncate",
)
REFUSED += ("os.chmod", "os.chown", "os.chflags", "os.setxattr", "os.mount", "os.unlink", "os.utime", "pty.", "ctypes.")
REFUSED += ("shutil.", "signal.pthread_kill", "urllib.", "ftplib.", "smtplib.", "webbrowser.", "winreg.", "_winapi.")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
SYSTEM = ("/usr", "/etc", "/lib", "/lib64", "/dev", "/sys", "/System", "/Library")
SOLUTIONS = re.compile(
    r"[/\\]minisft[/\\]course[/\\](?!grade[/\\]|display[/\\])\w+[/\\]|[/\\]notebooks[/\\]solutions[/\\]"
)


def limit(seconds: int) -> None:
    """Ask the system for limits, as far as it has them. seconds: of processor time."""
    try:
        import resource
    except ImportError:  # Windows
        return
    wanted = {"RLIMIT_CPU": seconds, "RLIMIT_FSIZE": 0, "RLIMIT_CORE": 0, "RLIMIT_NOFILE": 64}
    wanted |= {"RLIMIT_AS": taken() + MEMORY, "RLIMIT_NPROC": 64}  # the last holds for everybody but root
    for name, most in wanted.items():
        try:
            which = getattr(resource, name)
            hard = resource.getrlimit(which)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(which, (most, most + 1 if name == "RLIMIT_CPU" else most))
        except (AttributeError, ValueError, OSError):
            continue


def taken() -> int:
    """Bytes of address space that this process has by now."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 1 << 30


def plain(path: str | bytes | Path) -> str:
    """The place of a path, in the letters that stand for all where a system takes A for a."""
    return os.path.realpath(os.fsdecode(path)).casefold()


def watch() -> None:
    """From now on Python refuses what is listed above. It cannot be taken back."""
    open_to_all = readable()

    def refuse(event: str, arguments: tuple) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & WRITING and path != os.devnull:
                raise PermissionError("an answer may not write files")
            if isinstance(path, (str, bytes)):
                real = plain(path)
                if SOLUTIONS.search(real):
                    raise PermissionError("an answer may not read the solutions")
                if not real.startswith(open_to_all):
                    raise PermissionError("an answer may not read other files than Python's and the library's")
        elif event.startswith(REFUSED):
            raise PermissionError(f"an answer may not do this: {event}")

    sys.addaudithook(refuse)


def readable() -> tuple[str, ...]:
    """Where an answer may read: Python, the library and its data, the system, and its own folder."""
    library = Path(minisft.__file__).parent
    repository = resources.notebooks().parent  # where minisft is not installed: anything may lie in it
    paths = [Path(path) for path in sys.path if path and Path(path) != repository]
    paths += [library, resources.path(), resources.notebooks(), Path.cwd(), Path("/proc/self"), *map(Path, SYSTEM)]
    paths += [
        Path(path) for path in (sys.prefix, sys.base_prefix, sys.exec_prefix, os.environ.get("SYSTEMROOT", "/usr"))
    ]
    return os.devnull, *(plain(path) + os.sep for path in paths)


class Stand:
    """In place of the checks: where answers run, there are none, so nothing can be read from them or done to them."""

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = ModuleType(spec.name)
        module.softmax = softmax  # type: ignore[attr-defined]
        return module

    def exec_module(self, module: ModuleType) -> None:
        def missing(name: str) -> Any:
            raise AttributeError(f"check.{name} is not there where answers are judged: write what you need of it")

        module.__getattr__ = missing  # type: ignore[method-assign]


class NoChecks:
    """A finder of modules that knows no package of the course but a stand-in."""

    OPEN = ("minisft.course.display", "minisft.course.grade")

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if not name.startswith("minisft.course.") or name.startswith(cls.OPEN):
            return None
        return importlib.util.spec_from_loader(name, Stand(), is_package=True)  # type: ignore[arg-type]


def softmax(S: Any) -> Any:
    """The one tool of a check that notebook 05 hands out. Along the last axis, of complex numbers too."""
    import numpy as np

    e = np.exp(S - S.real.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)
