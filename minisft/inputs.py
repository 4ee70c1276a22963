"""What the commands read: flags into settings and sizes, a model by directory or name, files into sequences.

Everything is read and checked here before anything is computed or written.
"""

import re
from dataclasses import fields
from pathlib import Path

from minisft import data, screen
from minisft.config import ModelConfig, TrainConfig, flag
from minisft.errors import MinisftError
from minisft.formats import resources
from minisft.tokenizer import one_line

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)  # owner/name
HUB_FILES = ["*.json", "*.safetensors", "chat_template.jinja", "README.md"]


def model_directory(name: str, flag: str = "--model") -> Path:
    """The directory, or the .gguf file, that a flag means: itself, that of a known name, or a copy from the hub."""
    path = Path(name)
    if path.is_dir() or (path.suffix.lower() == ".gguf" and flag == "--model"):
        return path
    if name in resources.models():
        return resources.path(name)
    if name == "smollm2" and flag == "--model":
        return resources.smollm2()
    if HUB_NAME.fullmatch(name) and not path.exists():
        return from_hub(name, flag)
    known = ", ".join(resources.models()) or "none"
    raise MinisftError(
        f"{flag}: {name} is neither a directory nor a shipped model; shipped models: {known}"
        + ("; others: smollm2, a .gguf file, owner/name of the Hugging Face hub" if flag == "--model" else "")
    )


def from_hub(name: str, flag: str) -> Path:
    """The directory of a model of the Hugging Face hub: downloaded once, then read from the hub's cache."""
    try:
        from huggingface_hub import snapshot_download  # an extra
    except ImportError:
        raise MinisftError(
            f"{flag}: {name} is no directory here; to get it from the Hugging Face hub: pip install 'minisft[hub]'"
        ) from None
    try:
        return Path(snapshot_download(name, allow_patterns=HUB_FILES, ignore_patterns=["*/*"]))
    except Exception as error:  # of the network, of the hub, of the disk
        raise MinisftError(
            f"{flag}: {name} is no directory here, and the Hugging Face hub did not give it ({one_line(error)})"
        ) from error


def settings_of(arguments) -> TrainConfig:
    """The flags that are fields of TrainConfig; those not given, or not of this command, have its defaults."""
    given = {field.name: getattr(arguments, field.name, None) for field in fields(TrainConfig)}
    return TrainConfig(**{name: value for name, value in given.items() if value is not None})


def max_length(arguments, config: ModelConfig) -> int:
    context = config.max_position_embeddings
    if arguments.max_length and arguments.max_length > context:
        raise MinisftError(f"--max-length: {arguments.max_length} is beyond the model's context of {context} tokens")
    return arguments.max_length or context


def sequences_of(arguments, examples, tokenizer, config):
    """The examples in tokens, none longer than --max-length, and the counts of those read, cut and dropped."""
    sequences = [data.encode(example, tokenizer, arguments.assistant_turns) for example in examples]
    return data.fit(sequences, max_length(arguments, config), arguments.on_too_long)


def documents(paths) -> list[tuple[str, list[data.Example]]]:
    """(path, its documents) of every file of text. Raises MinisftError if one holds prompts: that is for sft."""
    files = [(path, data.read_documents(path)) for path in paths]
    for example in (example for _, examples in files for example in examples):
        if example.prompt or not isinstance(example.completion, str):
            raise MinisftError(f'{example.where}: not plain text; pretrain reads {{"text": …}}, use sft for prompts')
    return files


def text_sequences_of(arguments, files, tokenizer, config):
    """Documents in tokens: plain text in pieces, so that nothing of it is lost; lines of JSON like other examples."""
    length, sequences, counts = max_length(arguments, config), [], {"read": 0, "cut": 0, "dropped": 0}
    for path, examples in files:
        encoded = [data.encode(example, tokenizer) for example in examples]
        if Path(path).suffix not in (".json", ".jsonl"):
            encoded = [piece for document in encoded for piece in data.pieces(document, length)]
        fitted, counted = data.fit(encoded, length, arguments.on_too_long)
        counts = {name: counts[name] + counted[name] for name in counts}
        sequences += fitted
    return sequences, counts


def warn_of(counts):
    for name in ("cut", "dropped"):
        if counts[name]:
            screen.say(f"{counts[name]} of {counts['read']} examples were longer than --max-length and {name}")


def sizes(arguments, tokenizer) -> ModelConfig:
    """The sizes that the flags ask for. Errors name the flags."""
    names = [field.name for field in fields(ModelConfig) if hasattr(arguments, field.name)]
    values = {name: getattr(arguments, name) for name in names} | {"vocab_size": tokenizer.vocab_size}
    values["intermediate_size"] = arguments.intermediate_size or -(-arguments.hidden_size // 3) * 8
    try:
        return ModelConfig(**values)
    except MinisftError as error:
        raise MinisftError(re.sub("|".join(names), lambda name: flag(name[0]), str(error))) from None
