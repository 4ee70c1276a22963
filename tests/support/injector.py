"""Operations on files that fail, or at which the process is killed: each of one command, in turn.

A command runs once to count its operations. Then it runs again and again, each time in a child process that shares all
that was imported, and at its n-th operation something happens. What it leaves is for the caller to judge.
"""

import builtins
import contextlib
import errno
import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError

from minisft.formats import huggingface
from support import commandline

# What may happen at an operation: an error of the system, once or from then on as on a full disk, or the end.
ONCE = {name: getattr(errno, name) for name in ("ENOSPC", "EIO", "EACCES")}
WAYS = (*ONCE, "full", "killed")


class Injector:
    """Counts the writes, fsyncs, renames and their like of this process below a directory; at one, something happens.

    way     one of WAYS;  at: the number of the operation, from 0 on; None: only count
    seen    what each operation was
    """

    def __init__(self, below, way=None, at=None):
        self.below, self.way, self.at, self.seen = str(below), way, at, []

    def operation(self, what, path):
        """Called before an operation. Raises OSError, or never returns, if it is the one."""
        if not isinstance(path, (int, str, bytes, os.PathLike)):  # a writer of the gguf package
            path = path.fout[0].name
        if isinstance(path, int):
            path = os.readlink(f"/proc/self/fd/{path}")
        if not os.path.abspath(os.fspath(path)).startswith(self.below):
            return
        self.seen.append(f"{what} {Path(path).name}")
        number = len(self.seen) - 1
        if self.at is None or number < self.at or (number > self.at and self.way != "full"):
            return
        if self.way == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        code = ONCE.get(self.way, errno.ENOSPC)
        if self.way != "full" or what.split()[0] not in ("remove", "rmdir", "rename"):  # a full disk can still do that
            raise OSError(code, os.strerror(code), os.fspath(path))

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Stands in for the functions by which Python, and safetensors, change files."""
        injector, wrapped = self, []

        def replace(module, name, what):
            original = getattr(module, name)

            def stand_in(path, *arguments, **more):
                folder = more.get("dir_fd")  # as shutil.rmtree asks for it
                injector.operation(what, path if folder is None else f"{os.readlink(f'/proc/self/fd/{folder}')}/{path}")
                return original(path, *arguments, **more)

            wrapped.append((module, name, original))
            setattr(module, name, stand_in)

        class File(io.FileIO):
            def write(self, data):
                injector.operation("write", self.fileno())
                return super().write(data)

        real_open = io.open

        def open_(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
            if isinstance(file, int) or not set("wax+") & set(mode):
                return real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
            injector.operation("open", file)
            raw = File(file, mode.replace("b", "").replace("t", ""), closefd, opener)
            if buffering == 0:
                return raw
            buffered = io.BufferedWriter(raw)
            return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

        real_save, real_os_open = huggingface.save_file, os.open

        def save_file(tensors, path, metadata=None):
            try:
                injector.operation("write", path)
            except OSError as error:  # some of it has been written by then
                Path(path).write_bytes(b"\x10\0\0\0")
                raise SafetensorError(f"Error while serializing: I/O error: {error.strerror}") from error
            real_save(tensors, path, metadata)

        def os_open(path, flags, *arguments, **more):
            if flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
                injector.operation("open", path)
            return real_os_open(path, flags, *arguments, **more)

        for name in ("fsync", "write", "ftruncate", "rename", "replace", "mkdir", "rmdir", "unlink", "chmod"):
            what = {"replace": "rename", "unlink": "remove"}.get(name, name)
            replace(os, name, what)
        wrapped += [(io, "open", real_open), (builtins, "open", real_open), (os, "open", real_os_open)]
        wrapped += [(huggingface, "save_file", real_save)]
        io.open = builtins.open = open_
        os.open, huggingface.save_file = os_open, save_file
        with contextlib.suppress(ImportError):  # an extra, which writes tensors by means of NumPy
            import gguf

            replace(gguf.GGUFWriter, "write_tensors_to_file", "write")
        try:
            yield
        finally:
            for module, name, original in reversed(wrapped):
                setattr(module, name, original)


class Ended(NamedTuple):
    status: int | None  # None: killed
    err: str


def in_child(call, err):
    """Runs call() in a child that is forked here, its standard error a file; returns how it ended."""
    pid = os.fork()
    if not pid:
        status = 70
        try:
            to_nowhere = contextlib.redirect_stdout(io.StringIO())
            with open(err, "w", encoding="utf-8") as stream, contextlib.redirect_stderr(stream), to_nowhere:
                status = call()
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    text = Path(err).read_text(encoding="utf-8")
    return Ended(None if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status), text)


def count(line, below, err):
    """The operations of an undisturbed command, in a child: what each was."""

    def call():
        injector = Injector(below)
        with injector.installed():
            status = commandline.minisft(*line)
        Path(err).with_suffix(".seen").write_text("\n".join(injector.seen))
        return status

    assert in_child(call, err).status == 0, Path(err).read_text()
    return Path(err).with_suffix(".seen").read_text().split("\n")


def disturbed(line, below, err, way, at):
    """How a command ended at whose operation number `at` something happened."""

    def call():
        with Injector(below, way, at).installed():
            return commandline.minisft(*line)

    return in_child(call, err)
