"""Reading and writing files: an error names the file, and a file is the old one or the new one, never half of it."""

import errno
import hashlib
import json
import math
import os
import platform
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minisft.errors import MinisftError

MODEL_ADVICE = "a model is a directory with config.json, model.safetensors and tokenizer.json"
OPENED = re.compile(r"/dev/(stdin|stdout|stderr|fd/.*)|/proc/.*")  # names of files that some process has open
PARTIAL = re.compile(r"\.(?P<name>.*)\.(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{16}\.partial", re.DOTALL)


class Stored(NamedTuple):
    """A tensor in a file, not yet read; `fill` writes it into an array of its shape, in the array's dtype."""

    path: Path
    name: str
    shape: tuple[int, ...]
    fill: Callable[[np.ndarray], None]


# --- reading ----------------------------------------------------------------------------------------------------------


def real(path: Path) -> Path:
    """The place of a path, links followed. Unlike Path.resolve it raises nothing for a circle of links."""
    return Path(os.path.realpath(path))


def require_regular(path: str | Path, advice: str = MODEL_ADVICE) -> None:
    """Refuse a pipe or a device in the place of a file, which might keep a reader waiting, or never end."""
    if special(path):
        raise MinisftError(f"{path}: is not a regular file; {advice}")


def require_end(path: str | Path) -> None:
    """Refuse a device that can be read for ever, such as /dev/zero. Terminals, pipes and /dev/null are none."""
    mode = special(path)
    if stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and not os.path.samefile(path, os.devnull) and not is_terminal(path)):
        raise MinisftError(f"{path}: is a device without an end; give a file or a pipe")


def special(path: str | Path) -> int:
    """The kind of what is neither a file nor a directory, as stat knows it; 0 for those, and if nothing is there."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # who opens it will say why
        return 0
    return 0 if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else mode


def is_terminal(path: str | Path) -> bool:
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NOCTTY", 0)), "rb", buffering=0) as file:
            return file.isatty()
    except OSError:
        return False


def read_bytes(path: str | Path, advice: str = MODEL_ADVICE) -> bytes:
    """The content of a file. Raises MinisftError naming it, with the advice, if it is missing or not one to be read."""
    require_regular(path, advice)
    return read_stream(path, advice)


def read_stream(path: str | Path, advice: str) -> bytes:
    """All that comes out of a file or a pipe. Raises MinisftError as `read_bytes` does, or for an endless device."""
    require_end(path)
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        raise MinisftError(f"{path}: cannot be read ({getattr(error, 'strerror', error)}); {advice}") from error


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file. Raises MinisftError naming it if it is missing, unreadable or in another encoding."""
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise MinisftError(f"{path}: is not UTF-8 at byte {error.start}; it is damaged, copy it again") from error


def read_json(path: str | Path) -> dict:
    """The JSON object in a file. Raises MinisftError naming the file if it contains anything else, such as NaN."""

    def finite(number: str) -> float:
        if not math.isfinite(float(number)):
            raise ValueError(f"{number} is not a finite number")
        return float(number)

    try:
        value = json.loads(read_text(path), parse_constant=finite, parse_float=finite)
    except (ValueError, RecursionError) as error:
        raise MinisftError(f"{path}: is not valid JSON ({error}); it is cut off or damaged, copy it again") from error
    if not isinstance(value, dict):
        raise MinisftError(f"{path}: is not a JSON object {{…}}; it is of another kind or damaged, copy it again")
    return value


# --- writing ----------------------------------------------------------------------------------------------------------


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields a path to write to. If the body succeeds, and only then, what is written there becomes the file `path`.

    The file is written beside its place under a random name, brought to the disk and renamed, so a process that is
    killed half-way leaves what was there. A link is followed. An existing file keeps its mode; a new one has the mode
    that the umask gives. A device or a pipe is written to at the end. Raises MinisftError naming `path` if it cannot be
    written.
    """
    path, beside = Path(path), None
    try:
        if "\0" in str(path):
            raise OSError(errno.EINVAL, "no file can have such a name")
        through = is_written_through(path)
        target = path if through else real(path)
        if target.is_dir() or (target.is_symlink() and not through):  # a circle of links leads nowhere
            raise OSError(errno.EISDIR, "it is a directory" if target.is_dir() else "it is a circle of links")
        folder = Path(tempfile.gettempdir()) if through else target.parent
        folder.mkdir(parents=True, exist_ok=True)
        clear_leftovers(folder, target.name)
        beside = folder / partial_name(target.name)
        os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600 if through else 0o666))
        mode = (target if target.is_file() else beside).stat().st_mode
        yield beside
        if through:
            with open(beside, "rb") as source, open(target, "wb", buffering=0) as sink:
                shutil.copyfileobj(source, sink)
        else:
            if os.name == "posix":  # elsewhere a file has no mode, but one that is read-only could not be renamed
                beside.chmod(stat.S_IMODE(mode))  # safetensors writes files that only their owner can read
            bring_to_disk(beside)
            os.replace(beside, target)
            bring_to_disk(folder)
    except OSError as error:
        raise MinisftError(
            f"{path}: cannot be written ({error.strerror or error}); choose another directory or make room"
        ) from error
    finally:
        if beside:
            beside.unlink(missing_ok=True)


def is_written_through(path: Path) -> bool:
    """Whether a path stands for a device, a pipe or an open file, which another file must not replace.

    Raises OSError if it can be neither replaced nor written to.
    """
    if not path.exists() or path.is_dir():
        return False
    mode = path.stat().st_mode
    through = not stat.S_ISREG(mode) or OPENED.fullmatch(os.path.abspath(path)) is not None
    if through and stat.S_ISSOCK(mode):
        raise OSError(errno.ENXIO, "it is a socket")
    if through and not os.access(path, os.W_OK):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    return through


def bring_to_disk(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, would survive a loss of power."""
    posix = os.name == "posix"
    if not posix and path.is_dir():  # it cannot be opened there
        return
    descriptor = os.open(path, os.O_RDONLY if posix else os.O_RDWR)  # Windows brings only what may be written
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems have nothing to wait for
            raise
    finally:
        os.close(descriptor)


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write a whole file; see `replacing`. Raises MinisftError naming `path` if it cannot be written."""
    with replacing(path) as beside:
        beside.write_bytes(data)


def json_bytes(value: dict, indent: int | None = 2) -> bytes:
    """An object as JSON and a newline, in UTF-8. Raises ValueError for NaN and infinity, which are not JSON."""
    try:
        return (json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except UnicodeEncodeError:  # half a character, or a file name that is not UTF-8: spelled as \udcff
        return (json.dumps(value, indent=indent, allow_nan=False) + "\n").encode()


def write_json(path: str | Path, value: dict) -> None:
    """Write an object as indented JSON; see `replacing`. Raises MinisftError naming `path` if it cannot be written."""
    write_atomically(path, json_bytes(value))


# --- what a killed process leaves -------------------------------------------------------------------------------------


class Partial(NamedTuple):
    """A file or folder that is being written, or was when its process ended: `name` is what it was to become."""

    path: Path
    name: str
    is_dead: bool


def partial_name(name: str) -> str:
    """The name of a file or folder while it is written: random, and it says which process of which machine writes."""
    return f".{shortened(name)}.{machine()}-{os.getpid()}-{secrets.token_hex(8)}.partial"


def shortened(name: str) -> str:
    return os.fsdecode(os.fsencode(name)[:120])  # a file system takes names of 255 bytes


def machine() -> str:
    """This machine in eight characters."""
    return hashlib.sha256(platform.node().encode(errors="replace")).hexdigest()[:8]


def partials(folder: Path) -> list[Partial]:
    """Everything in a folder that is being written. It is dead if its process was on this machine and has ended."""
    found = [(path, PARTIAL.fullmatch(path.name)) for path in folder.iterdir()]
    return [
        Partial(path, match["name"], match["host"] == machine() and not is_alive(int(match["pid"])))
        for path, match in found
        if match
    ]


def is_alive(pid: int) -> bool:
    """Whether a process of this machine is still there; True where nobody can tell."""
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)  # asks only
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it is there, and another user's
        return True
    return True


def by_its_name(path: str | Path) -> Path:
    """A path in which whatever is being written has the name that it is to have in the end."""
    parts = ((part, PARTIAL.fullmatch(part)) for part in Path(path).parts)
    return Path(*(partial["name"] if partial else part for part, partial in parts))


def clear_leftovers(folder: Path, name: str) -> None:
    """Remove what processes that have ended left of a file of this name."""
    for partial in partials(folder):
        if partial.is_dead and partial.name == shortened(name):
            delete(partial.path)


def delete(path: Path) -> None:
    """Remove a file, a link or a whole folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
