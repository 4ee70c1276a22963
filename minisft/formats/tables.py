"""The rows of a file of data, whatever kind of file it is: its content says so, not its name.

    JSON lines       one value a line
    a JSON array     its records; an array of messages is one conversation
    CSV              with names of columns in its first line, between commas, semicolons or tabs
    Parquet          by pyarrow, which is an extra

Any of these may be compressed with gzip. A row that cannot be read does not hide those after it: it comes out as the
MinisftError that says what is wrong.
"""

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minisft.errors import MinisftError, one_line
from minisft.formats.files import read_stream

Row = tuple[Any, str]  # (value, or what is wrong with it; "file:line")

GZIP, PARQUET, MARK = b"\x1f\x8b", b"PAR1", b"\xef\xbb\xbf"  # what such files begin with
ARRAY = re.compile(rb"\s*\[")
COLUMNS = {"messages", "conversations", "prompt", "instruction", "text"}  # a CSV has at least one of them
ROWS = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")  # names of files that are never plain text
LARGEST_CELL = 2**30  # bytes


def content(path: str | Path) -> bytes:
    """A file of data, unpacked, and without the byte order mark that some editors put first."""
    raw = read_stream(path, "check --data")
    if raw.startswith(GZIP):
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise MinisftError(f"{path}: is a damaged gzip file ({one_line(error)}); copy it again") from None
    return raw.removeprefix(MARK)


def rows(path: str | Path) -> Iterator[Row]:
    """(value, "file:line") for every row of a file; blank lines, a byte order mark and CRLF are accepted."""
    yield from rows_in(content(path), path)


def rows_in(raw: bytes, path: str | Path) -> Iterator[Row]:
    """The same for the content of the file."""
    if raw.startswith(PARQUET):
        return parquet(raw, path)
    delimiter = delimiter_of(raw)
    return table(raw, path, delimiter) if delimiter else json_rows(raw, path)


def json_rows(raw: bytes, path: str | Path) -> Iterator[Row]:
    if is_array(raw):
        values = parse(raw, path)
        if isinstance(values, MinisftError) or is_conversation(values):
            yield values, str(path)
        else:
            yield from ((row, f"{path}: record {number}") for number, row in enumerate(values, 1))
        return
    for number, line in enumerate(io.BytesIO(raw), 1):
        if line.strip():
            yield parse(line, f"{path}:{number}"), f"{path}:{number}"


def is_array(raw: bytes) -> bool:
    """Whether all of a content is meant to be one JSON array, and not each line a value of its own."""
    if not ARRAY.match(raw):
        return False
    first, _, more = raw.strip().partition(b"\n")
    return not more or isinstance(parse(first, ""), MinisftError)


def is_conversation(values: list) -> bool:
    """Whether these are the messages of one conversation, and not rows: every one says who speaks."""
    return bool(values) and all(isinstance(v, dict) and v.keys() & {"role", "from"} for v in values)


def parse(raw: bytes, where: str | Path) -> Any:
    """The value of a JSON text, or the MinisftError that says why it has none."""
    try:
        return json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        return MinisftError(f"{where}: is not UTF-8 at byte {error.start}; save the file as UTF-8")
    except json.JSONDecodeError as error:
        return MinisftError(
            f"{where}: is not JSON ({error.msg} at character {error.pos + 1}); one JSON object per line is expected"
        )
    except (RecursionError, ValueError):
        return MinisftError(f"{where}: is JSON nested too deeply, or has a number of thousands of digits")


def delimiter_of(raw: bytes) -> str | None:
    """What separates the columns of a CSV; None if the first line does not name columns that hold examples."""
    line = raw[:4096].lstrip().split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    for delimiter in ",;\t":
        if COLUMNS & {name.strip('"') for name in line.split(delimiter)}:
            return delimiter
    return None


def table(raw: bytes, path: str | Path, delimiter: str) -> Iterator[Row]:
    """The rows of a CSV. A cell is a text, but that of the column `weight` a number; a missing cell is null."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        yield MinisftError(f"{path}:{line}: is not UTF-8; save the file as UTF-8"), str(path)
        return
    before, lines = csv.field_size_limit(LARGEST_CELL), io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)  # or an open quote would swallow all that follows
    try:
        names = next(cells for cells in reader if cells)
        if len(set(names)) < len(names):
            yield MinisftError(f"{path}: its first line names a column twice; rename one"), str(path)
            return
        last = reader.line_num
        for cells in reader:
            where, last = f"{path}:{last + 1}", reader.line_num
            if len(cells) > len(names):
                yield MinisftError(f"{where}: has {len(cells)} cells, but the first line names {len(names)}"), where
            elif cells:
                yield dict(zip(names, cells)) | weight_in(dict(zip(names, cells))), where
    except csv.Error as error:
        yield MinisftError(f"{path}:{reader.line_num}: is not CSV ({one_line(error)}); quote the cell"), str(path)
    finally:
        csv.field_size_limit(before)


def weight_in(row: dict[str, str]) -> dict[str, float | str | None]:
    """The cell `weight` of a CSV as a number; an empty one is null; what is not a number is refused later."""
    if "weight" not in row:
        return {}
    try:
        return {"weight": float(row["weight"]) if row["weight"].strip() else None}
    except ValueError:
        return {"weight": row["weight"]}


def parquet(raw: bytes, path: str | Path) -> Iterator[Row]:
    """The rows of a Parquet file. Arrow gives every record all keys, so those without a value are taken out again."""
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile  # an extra
    except ImportError:
        raise MinisftError(f'{path}: is a Parquet file; to read it: pip install "minisft[parquet]"') from None
    try:
        number = 0
        for batch in ParquetFile(pyarrow.BufferReader(raw)).iter_batches(1000):
            for row in batch.to_pylist():
                number += 1
                yield without_null(row), f"{path}: row {number}"
    except (pyarrow.ArrowException, OSError) as error:
        raise MinisftError(f"{path}: is a damaged Parquet file ({one_line(error)}); copy it again") from None


def without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_null(inner) for key, inner in value.items() if inner is not None}
    return [without_null(inner) for inner in value] if isinstance(value, list) else value
