"""What the commands read: flags become settings, a name becomes a model, files become sequences.

Everything is read and checked before anything is computed or written.
"""

import re
from argparse import Namespace
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from minisft import checkpoint, data
from minisft.cli.console import say
from minisft.config import ModelConfig, TrainConfig
from minisft.data import Example, Sequence
from minisft.errors import MinisftError, one_line, quoted
from minisft.formats import peft, rows
from minisft.formats.places import model_directory as model_directory  # the commands have it from here
from minisft.generate import ends_with
from minisft.params import Params
from minisft.runs.record import is_of_plain_text
from minisft.tokenizer import Tokenizer

Result = TypeVar("Result")


def places_of(source: Path) -> list[Path]:
    """All that is read of a model: an adapter's base model as well."""
    return [source, checkpoint.base_of(source)] if peft.is_adapter(source) else [source]


def settings_of(arguments: Namespace) -> TrainConfig:
    """The flags that are fields of TrainConfig; a flag not given, or unknown to this command, has its default."""
    given = {field.name: getattr(arguments, field.name, None) for field in fields(TrainConfig)}
    return TrainConfig(**{name: value for name, value in given.items() if value is not None})


def sampling_of(arguments: Namespace, tokenizer: Tokenizer) -> dict[str, Any]:
    """The flags that say how to draw and where to stop, as arguments of `generate` and `decode`."""
    names = ("temperature", "top_k", "top_p", "repetition_penalty")
    more = {"rng": np.random.default_rng(arguments.seed), "ended": ends_with(arguments.stop, tokenizer)}
    return {name: getattr(arguments, name) for name in names} | more


def max_length(arguments: Namespace, config: ModelConfig) -> int:
    """--max-length, or else the context, in tokens. Raises MinisftError if --max-length is longer than the context."""
    context = config.max_position_embeddings
    if arguments.max_length and arguments.max_length > context:
        raise MinisftError(f"--max-length: {arguments.max_length} is more than the model's context of {context} tokens")
    return arguments.max_length or context


# --- examples ---------------------------------------------------------------------------------------------------------


def examples_of(arguments: Namespace, paths: Iterable[str], answered: bool = True) -> tuple[list[Example], int]:
    """The examples of files, and how many bad rows were skipped, as --on-bad-row says; `answered` as in data.read."""
    return usable(arguments, rows.collect(paths, answered))


def usable(arguments: Namespace, found: rows.Rows) -> tuple[list[Example], int]:
    """The same of what was found; the keys that nobody reads are named once."""
    if found.unread:
        keys = ", ".join(f"{quoted(key)} ({count} rows)" for key, count in found.unread.most_common(20))
        say(f"warning: nobody reads these keys of the data: {keys}")
    skip(arguments, found.bad, found.num_bad, len(found.examples))
    return found.examples, found.num_bad


def skip(arguments: Namespace, bad: list[str], num_bad: int, good: int) -> None:
    """Raises MinisftError if there are bad rows, or counts them, as --on-bad-row says."""
    if num_bad and arguments.on_bad_row == "skip":
        such = one_line(bad[0], 200)
        say(f"warning: {num_bad} of {num_bad + good} rows cannot be used and are skipped, such as {such}")
        if not good:
            raise MinisftError("--on-bad-row: no row is left; mend the data, see minisft sft --help")
    elif num_bad:
        rows.refuse(bad, num_bad, num_bad + good)


def sequences_of(
    arguments: Namespace, examples: list[Example], tokenizer: Tokenizer, config: ModelConfig
) -> tuple[list[Sequence], dict[str, int]]:
    """The examples in tokens, none longer than --max-length, and how many were read, cut, dropped and skipped."""
    length = max_length(arguments, config)
    limit = None if arguments.on_too_long == "error" else length + 1  # an error says how long the example is
    sequences, num_bad = encoded(arguments, examples, tokenizer, limit)
    sequences, counts = data.fit(sequences, length, arguments.on_too_long)
    return sequences, counts | {"skipped": num_bad}


def encoded(
    arguments: Namespace, examples: list[Example], tokenizer: Tokenizer, limit: int | None
) -> tuple[list[Sequence], int]:
    """The examples in tokens, and how many were skipped since the tokenizer or the template refuses them."""
    turns = getattr(arguments, "assistant_turns", "all")
    pairs = good(arguments, examples, lambda example: data.encode(example, tokenizer, turns, limit))
    warn_of_special_tokens(examples, tokenizer)
    warn_of_prompt(pairs, tokenizer)
    return [sequence for _, sequence in pairs], len(examples) - len(pairs)


def good(
    arguments: Namespace, examples: list[Example], made: Callable[[Example], Result]
) -> list[tuple[Example, Result]]:
    """What is made of each example that the tokenizer and the template do not refuse; the others are bad rows."""
    pairs, bad = list[tuple[Example, Result]](), dict[str, str]()  # of each bad row what is wrong
    for example in examples:
        try:
            pairs.append((example, made(example)))
        except MinisftError as error:
            bad[example.where] = str(error).removeprefix(f"{example.where}: ")
    if len(bad) == len(examples) and len(set(bad.values())) == 1:  # the model is to blame, not the rows
        raise MinisftError(next(iter(bad.values())))
    skip(arguments, [f"{where}: {wrong}" for where, wrong in bad.items()], len(bad), len(pairs))
    return pairs


def warn_of_special_tokens(examples: list[Example], tokenizer: Tokenizer) -> None:
    """Count the rows that spell one: it is read as the text it is, which is rarely what its writer wants."""
    special = spelling_of(tokenizer)
    spelled = [example.where for example in examples if any(map(special.search, texts_of(example)))]
    if spelled:
        say(
            f"warning: {len(spelled)} of {len(examples)} rows spell special tokens, such as {spelled[0]}; there they "
            "are plain text, learned letter by letter. Leave them out: the end token is added to every answer, and "
            "the chat template writes the others around messages"
        )


def warn_of_chat(source: Path, examples: list[Example]) -> None:
    """Say so if conversations are asked of a model that has learned plain text alone."""
    if is_of_plain_text(source) and not all(isinstance(example.completion, str) for example in examples):
        say(f"warning: {source} was trained on plain text; here it is asked in its chat template, which it never saw")


def with_special_tokens(text: str, tokenizer: Tokenizer) -> list[int]:
    """The ids of a text in which special tokens are what they are, for --parse-special."""
    return tokenizer.extend([], spelling_of(tokenizer).split(text))


def spelling_of(tokenizer: Tokenizer) -> re.Pattern:
    """Finds the special tokens in a text, the longest first."""
    names = sorted(tokenizer.special_tokens, key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, names))})")


def texts_of(example: Example) -> list[str]:
    if isinstance(example.completion, str):
        return [example.prompt, example.completion]
    return [message["content"] for message in example.prompt + example.completion]


def warn_of_prompt(pairs: list[tuple[Example, Sequence]], tokenizer: Tokenizer) -> None:
    """Say if the first conversation is learned behind another beginning than the model is asked with."""
    for example, sequence in pairs:
        if isinstance(example.completion, list):
            asked = data.question(example, tokenizer)[0]
            if sequence.ids[: len(asked)].tolist() != asked[: len(sequence.ids)]:
                say(
                    f"warning: {example.where}: the chat template asks for an answer with other tokens than it writes "
                    "before this one (thoughts, perhaps), so the model will be asked otherwise than it has learned"
                )
            return


def load_with_data(
    arguments: Namespace, dtype: DTypeLike, load: Callable = checkpoint.load
) -> tuple[Params, ModelConfig, Tokenizer, list[Example], list[Sequence], dict[str, int]]:
    """Model, examples, sequences and their counts, all checked, for the commands that need a model and data.

    load  how the model is read: checkpoint.load, or load_unmerged
    """
    examples, skipped = examples_of(arguments, arguments.data)
    theta, config, tokenizer = load(model_directory(arguments.model), dtype)
    sequences, counts = sequences_of(arguments, examples, tokenizer, config)
    return theta, config, tokenizer, examples, sequences, counts | {"skipped": counts["skipped"] + skipped}


def warn_of(counts: dict[str, int]) -> None:
    """Say how many examples were longer than --max-length, and what became of them."""
    for name in ("cut", "dropped"):
        if counts[name]:
            say(f"{counts[name]} of {counts['read']} examples were longer than --max-length and {name}")
