"""A run's directory: what it holds, and who may write there.

    train_config.json   every setting of the run: written first                                    record.py
    metrics.jsonl       one row a step, appended as the run goes                                   record.py
    checkpoint-N/       θ_N and what the optimiser remembers: all that `resume` needs              checkpoints.py
    config.json, model.safetensors, …   θ̃: written last, with a README.md about it                 loop.py

One process at a time writes there, and it removes nothing but the files of an old run.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minisft.errors import MinisftError
from minisft.formats.apart import require_apart, same_file
from minisft.formats.files import delete, partials, read_bytes, read_json, real
from minisft.runs import model_card
from minisft.runs.lock import LOCK, alone_in

RECORD, METRICS, INDEX = "train_config.json", "metrics.jsonl", "model.safetensors.index.json"
REHEARSAL = "rehearsal"  # where all small files are written once before the first step
WEIGHTS = ("model.safetensors", "adapter_model.safetensors")  # of θ̃, or of an adapter
MODEL_FILES = (
    "config.json",
    "adapter_config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    *WEIGHTS,
)
OF_OTHER_TOOLS = (INDEX, "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt")  # of a model
SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
CHECKPOINT = re.compile(r"checkpoint-(\d+)")
MOMENTS, COUNTERS = "optimizer.safetensors", "trainer_state.json"
CHECKPOINT_FILES = (*MODEL_FILES, MOMENTS, COUNTERS)


@contextmanager
def reserved(directory: Path, sources: list[Path], resume: bool, overwrite: bool) -> Iterator[None]:
    """Keep a directory to this process until its run has ended. Refuses one that must not, or cannot, be written to.

    sources  what the run reads and never modifies: files of data; directories or .gguf files of models
    """
    flag, written = "--output-dir", [directory / name for name in (RECORD, METRICS, model_card.CARD, *MODEL_FILES)]
    if directory.exists() and not directory.is_dir():
        raise MinisftError(f"{flag}: {directory} is a file; give a directory")
    for path in (directory, *written):
        require_apart(path, sources, flag)
    require_no_checkpoint_of(directory, sources)
    for path in [path for path in written if path.exists() and not path.is_file()]:
        raise MinisftError(f"{flag}: {path} is in the way, since it is not a file; move it away")
    for path in [path for _, path in checkpoints(directory) if not path.is_dir()]:
        raise MinisftError(f"{flag}: {path} is in the way, since it is not a directory; move it away")
    require_no_checkpoint(directory)
    with alone_in(directory):
        if holds_run(directory) and not (resume or overwrite):
            raise MinisftError(
                f"{flag}: {directory} already holds a run or a model; give another one, or --resume or --overwrite"
            )
        if foreign := overwrite and foreign_in(directory):
            raise MinisftError(f"{flag}: {foreign} is not of a run or a model; move it away, or give another one")
        yield


def require_no_part(output: Path, flag: str) -> None:
    """Refuse an output that is, or might become, one of the files of a run or a model, by whatever link."""
    for path in (real(output.parent) / output.name, real(output)):
        folder = path.parent
        if is_reserved(path) and (holds_run(folder) or is_checkpoint(folder)):
            raise MinisftError(
                f"{flag}: {output} is one of the files of the run or model in {folder}; name another file"
            )


def is_reserved(path: Path) -> bool:
    """Whether the name is that of a file or folder that runs and models consist of."""
    names = (RECORD, METRICS, model_card.CARD, LOCK, *CHECKPOINT_FILES, *OF_OTHER_TOOLS, *shards(path.parent))
    return path.name in names or bool(SHARD.fullmatch(path.name) or CHECKPOINT.fullmatch(path.name))


def foreign_in(directory: Path) -> Path | None:
    """A file that only has the name of one of ours, in a directory that shows no other sign of a run or a model."""
    signs = [directory / name for name in (*WEIGHTS, INDEX)]
    signs += [path / COUNTERS for _, path in checkpoints(directory)]
    known = {RECORD: ("versions",), "config.json": ("model_type", "architectures"), "tokenizer.json": ("model",)}
    known |= {METRICS: ("step",), "adapter_config.json": ("peft_type",)}
    if any(path.exists() for path in signs) or has_keys(directory / RECORD, known[RECORD]):
        return None
    files = [directory / name for name in known if (directory / name).exists()]
    return next((path for path in files if not has_keys(path, known[path.name])), None)


def has_keys(path: Path, keys: tuple[str, ...]) -> bool:
    """Whether a file, or its first line if it has a line for each row, is a JSON object with one of these keys."""
    try:
        content = read_bytes(path)
        value = json.loads(content.partition(b"\n")[0] if path.suffix == ".jsonl" else content)
    except (MinisftError, ValueError, RecursionError):
        return False
    return isinstance(value, dict) and any(key in value for key in keys)


def require_no_checkpoint_of(directory: Path, sources: list[Path]) -> None:
    """Refuse the directory of a run that has one of the sources as a checkpoint, which it might replace."""
    for source in sources:
        for place in (source, *(source.iterdir() if source.is_dir() else ())):
            folder = real(place) if place is source else real(place).parent
            if CHECKPOINT.fullmatch(folder.name) and same_file(folder.parent, directory):
                raise MinisftError(
                    f"--output-dir: {directory} holds the model that is read, {source}; give another one"
                )


def require_no_checkpoint(directory: Path) -> None:
    """Refuse a directory that is, or might become, a checkpoint of the run beside it."""
    here = real(directory)
    if CHECKPOINT.fullmatch(here.name) and holds_files(here.parent):
        raise MinisftError(f"--output-dir: {directory} is a checkpoint of the run in {here.parent}; give another one")


def holds_run(directory: Path) -> bool:
    return bool(checkpoints(directory)) or holds_files(directory)


def holds_files(directory: Path) -> bool:
    """Whether a file of a run or of a model is there; checkpoints alone do not count."""
    return any((directory / name).exists() for name in (RECORD, METRICS, INDEX, *MODEL_FILES))


def is_checkpoint(path: Path) -> bool:
    """Whether there is any file of a checkpoint: a directory without one is somebody else's, whatever its name."""
    return any((path / name).exists() for name in CHECKPOINT_FILES)


def checkpoints(directory: Path) -> list[tuple[int, Path]]:
    """(N, path) of every checkpoint-N, the newest first."""
    found = [(CHECKPOINT.fullmatch(path.name), path) for path in directory.glob("checkpoint-*")]
    return sorted(((int(name[1]), path) for name, path in found if name), reverse=True)


def remove(directory: Path) -> None:
    """Delete the files of an old run or model, and nothing else.

    The weights go before what belongs to them, and the record goes last: killed in between, there is no half a model,
    but still a run to overwrite.
    """
    card = [model_card.CARD] if model_card.is_ours(directory) else []
    names = [*shards(directory), *OF_OTHER_TOOLS, *reversed(MODEL_FILES), METRICS, *card, RECORD]
    try:
        for _, path in checkpoints(directory):
            remove_checkpoint(path)
        for name in names:
            delete(directory / name)
    except OSError as error:
        raise MinisftError(f"{directory}: cannot be cleared ({error}); give another --output-dir") from error


def remove_checkpoint(path: Path) -> None:
    """Delete the files of a checkpoint, and its directory unless somebody has put other files there, or the link."""
    if path.is_symlink():
        path.unlink()
        return
    for name in reversed(CHECKPOINT_FILES):  # the counters first: without them it is not whole
        if not (path / name).is_dir():
            (path / name).unlink(missing_ok=True)
    if not any(path.iterdir()):
        path.rmdir()


def shards(directory: Path) -> list[str]:
    """The files of the weights of a model that has more than one: those in its index, and those of the usual names."""
    if not (directory / INDEX).exists():
        return []
    try:
        named = read_json(directory / INDEX).get("weight_map")
    except MinisftError:
        named = None
    names = [name for name in (named.values() if isinstance(named, dict) else ()) if isinstance(name, str)]
    names = [name for name in names if Path(name).name == name and name.endswith(".safetensors")]
    return sorted({*names, *(path.name for path in directory.iterdir() if SHARD.fullmatch(path.name))})


def clear_leftovers(directory: Path) -> None:
    """Remove what killed runs left half-written. Nobody else writes the files of a run as long as we have the lock."""
    ours = (RECORD, METRICS, REHEARSAL, model_card.CARD, *MODEL_FILES)
    for partial in partials(directory):
        if partial.is_dead or CHECKPOINT.fullmatch(partial.name) or partial.name in ours:
            delete(partial.path)
