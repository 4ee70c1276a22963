"""minisft on a system that is not Linux, as far as that can be had on Linux: what only it has is taken away.

    python tests/support/elsewhere.py sft --model …

No fcntl, no resource, no glibc, no fork, no timer that interrupts, no signal that kills, no flags of `os.open` but
those of every system; asking whether a process is there ends it; a folder cannot be opened, nor a file brought to the
disk that is open for reading only; a file that is open, mapped into memory or read-only can be neither replaced nor
removed; and a text that says nothing of its encoding and of the ends of its lines is ASCII, with other ends.
"""

import builtins
import ctypes
import errno
import io
import os
import shutil
import signal
import stat
import sys
import types
from pathlib import Path

MODULES = ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty")
OF_OS = ("chown", "fchmod", "fchown", "fork", "forkpty", "geteuid", "getuid", "getloadavg", "killpg", "mkfifo", "mknod")
OF_OS += ("sched_getaffinity", "sched_setaffinity", "setsid", "statvfs", "sysconf", "wait")
OF_OS += ("O_CLOEXEC", "O_DIRECTORY", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK", "O_SYNC")
OF_SIGNAL = (
    "SIGALRM",
    "SIGHUP",
    "SIGKILL",
    "SIGPROF",
    "SIGUSR1",
    "SIGUSR2",
    "alarm",
    "getitimer",
    "setitimer",
    "sigwait",
)


def hide(put=setattr, remove=delattr, put_module=sys.modules.__setitem__):
    """Take all of it away, by these three functions: for good, or as pytest's monkeypatch does."""
    kept = types.SimpleNamespace(
        **{name: getattr(os, name) for name in ("open", "fsync", "replace", "remove", "unlink")}
    )

    def no_library(name, *rest, **more):
        raise TypeError("bad argument type for built-in operation")  # what ctypes.CDLL(None) says on Windows

    def no_answer(pid, number):
        raise AssertionError("os.kill ends the process on Windows, whatever the number")

    def open_file(path, *rest, **more):
        if os.path.isdir(path) or (rest[0] & (os.O_WRONLY | os.O_RDWR) and is_read_only(path)):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return kept.open(path, *rest, **more)

    def open_text(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, *rest, **more):
        if "b" not in mode:
            encoding = "ascii" if encoding in (None, "locale") else encoding
            newline = "\r\n" if newline is None and set(mode) & set("wax+") else newline
        return text(file, mode, buffering, encoding, errors, newline, *rest, **more)

    def fsync(descriptor):
        if flags(descriptor) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        kept.fsync(descriptor)

    def guarded(name):
        def act(path, *rest, **more):
            for file in (path, *rest[:1]):
                if is_open(file) or (is_read_only(file) and (file is not path or not rest)):
                    raise PermissionError(errno.EACCES, "it is used by another process", file)
            return getattr(kept, name)(path, *rest, **more)

        return act

    for name in MODULES:
        put_module(name, None)
    text = io.open
    put(builtins, "open", open_text)
    put(io, "open", open_text)
    put(shutil, "_use_fd_functions", False)  # it would open folders
    for module, names in ((os, OF_OS), (signal, OF_SIGNAL)):
        for name in names:
            remove(module, name)
    put(ctypes, "CDLL", no_library)
    put(os, "kill", no_answer)
    put(os, "open", open_file)
    put(os, "fsync", fsync)
    for name in ("replace", "remove", "unlink"):
        put(os, name, guarded(name))


def flags(descriptor):
    lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("flags:")).split()[1], 8)


def is_read_only(path):
    return os.path.isfile(path) and not os.stat(path).st_mode & stat.S_IWUSR


def is_open(path):
    """Whether this process has a file open, or in its memory."""
    if not os.path.isfile(path):
        return False
    real = os.path.realpath(path)
    links = []
    for name in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:  # that of the list itself
            continue
    return real in links or real in Path("/proc/self/maps").read_text(encoding="utf-8")


class NotPosix(types.ModuleType):
    """The module os, under another name: `os.name` itself must stay, or Python's own library would break."""

    name = "nt"

    def __getattr__(self, name):
        return getattr(os, name)


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])
    hide()
    from minisft.__main__ import main
    from minisft.formats import files

    files.os = NotPosix("os")
    main()
