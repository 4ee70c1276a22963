"""What is read is never written to: no output lies on it, inside it or over it."""

import os
from collections.abc import Iterable
from pathlib import Path

from minisft.errors import MinisftError
from minisft.formats.files import real


def require_apart(output: Path, sources: Iterable[Path], flag: str) -> None:
    """Refuse an output, a file or a folder, that would touch one of the sources.

    sources  files of data or .gguf models; directories of models, and all that lies in them
    Links are followed, and a file is the same under each of its names. Raises MinisftError naming the flag.
    """
    for source in sources:
        kind = "model" if source.is_dir() or source.suffix.lower() == ".gguf" else "data"
        if output.is_dir() and holds(output, source):
            raise MinisftError(f"{flag}: {output} holds the {kind} that is read, {source}; give another one")
        if source.is_dir() and lies_in(output, source):
            raise MinisftError(f"{flag}: {output} lies in the model that is read, {source}; give another one")
        if not output.is_dir() and any(same_file(output, file) for file in (source, *files_in(source))):
            raise MinisftError(f"{flag}: {output} is read, as {source}; name another file")


def holds(directory: Path, source: Path) -> bool:
    """Whether a file of data lies in a directory, at any depth, or a model is the directory, or has files in it."""
    if source.is_dir():
        return any(same_file(directory, place) for place in (source, *(real(file).parent for file in files_in(source))))
    return lies_in(source, directory)


def lies_in(path: Path, directory: Path) -> bool:
    """Whether a path, or what it links to, lies in a directory, at any depth, or is that directory."""
    link = real(path.parent) / path.name
    return any(same_file(directory, place) for end in (link, real(path)) for place in (end, *end.parents))


def files_in(source: Path) -> list[Path]:
    return list(source.iterdir()) if source.is_dir() else []


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths name one file or folder, by whatever links, and with whatever letters where A is a."""
    try:
        return real(one) == real(other) or os.path.samefile(one, other)
    except (OSError, ValueError):  # one of the two is not there
        return False
