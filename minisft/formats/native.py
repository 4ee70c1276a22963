"""Calls into packages written in other languages: what fails in there is a MinisftError that names the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minisft.errors import MinisftError, one_line


@contextmanager
def native(path: str | Path, problem: str, advice: str = "copy it again") -> Iterator[None]:
    """Stands around a call into `tokenizers`, `safetensors` or `gguf` about the file `path`.

    Whatever the package raises becomes a MinisftError: "path: problem (its words); advice". That includes a panic of
    code in Rust, which is not an Exception. Ctrl-C, an exit, a lack of memory and our own errors pass.
    """
    try:
        yield
    except (MinisftError, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        raise
    except BaseException as error:
        raise MinisftError(f"{path}: {problem} ({one_line(error, 200)}); {advice}") from error
