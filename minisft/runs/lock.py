"""One run in a directory at a time: a lock that the system takes back when its process ends, however it ends."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from minisft.errors import MinisftError

try:
    import fcntl
except ImportError:  # not a POSIX system: nobody is kept out there
    fcntl = None  # type: ignore[assignment]

LOCK = ".minisft-lock"


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Keep a directory, which is made if need be, to this process. Directories made in vain are removed in the end.

    Raises MinisftError that names the directory if it cannot be written to, and host and process if they have it.
    """
    made = [path for path in (directory, *directory.parents) if not path.exists()]
    descriptor = None
    try:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            if fcntl:
                descriptor = taken(directory / LOCK)
                sign(descriptor)
                require_nobody_around(directory, descriptor)
        except (OSError, ValueError) as error:  # ValueError: no directory can have such a name
            why = getattr(error, "strerror", None) or error
            if directory.is_symlink() and not directory.exists():
                why = "it is a link that leads nowhere"
            raise MinisftError(f"{directory}: cannot be written ({why}); choose another directory") from error
        yield
    finally:
        if descriptor is not None:
            (directory / LOCK).unlink(missing_ok=True)
            os.close(descriptor)
        for path in made:
            with suppress(OSError):  # it is not empty
                path.rmdir()


def sign(descriptor: int) -> None:
    """Write into a lock whose it is."""
    with suppress(OSError):  # a colleague's file, which everybody may lock
        os.fchmod(descriptor, 0o666)  # or a killed process would keep out whoever else may write here
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {platform.node()}".encode(errors="replace"))


def require_nobody_around(directory: Path, own: int) -> None:
    """Refuse a directory that lies in one that another process holds, or that has such a one two levels down or less.

    Called with its own lock in hand: of two processes that begin at once, at least one sees the other.
    """
    above = [parent / LOCK for parent in Path(os.path.realpath(directory)).parents]
    for path in [*above, *directory.glob(f"*/{LOCK}"), *directory.glob(f"*/*/{LOCK}")]:
        if holder := held_by(path, own):
            raise MinisftError(f"{directory}: {holder} is writing in {path.parent}; give another directory")


def held_by(path: Path, own: int) -> str:
    """Who has locked the file of this name; empty if nobody has, or if it is our own, by a link."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # there is none, or it is not for us to read
        return ""
    try:
        if not os.path.samestat(os.fstat(descriptor), os.fstat(own)):
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.read(descriptor, 200).decode(errors="replace") or "another process"
    except OSError:  # a file system without locks
        pass
    finally:
        os.close(descriptor)
    return ""


def taken(path: Path) -> int:
    """An open file of this name that is locked. One that another process has just removed is not taken."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            lock(descriptor)
            if os.path.exists(path) and os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except BlockingIOError:
            holder = os.read(descriptor, 200).decode(errors="replace") or "another process"
            os.close(descriptor)
            raise MinisftError(
                f"{path.parent}: {holder} is writing there; wait until it has ended, or give another directory"
            ) from None
        os.close(descriptor)


def lock(descriptor: int) -> None:
    """Lock an open file. Raises BlockingIOError if another process has locked it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a file system without locks: nobody is kept out there
        pass
