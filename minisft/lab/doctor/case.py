"""What the doctor looks at: the rows of the files, in tokens too, and the files of the model."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from unicodedata import category

from minisft import checkpoint, data
from minisft.config import ModelConfig
from minisft.data import Example, Sequence
from minisft.errors import MinisftError
from minisft.formats import rows, tables
from minisft.formats.files import read_json
from minisft.params import Params
from minisft.tokenizer import Tokenizer

LARGEST = 2**31  # bytes of weights that are still loaded


class Turn(NamedTuple):
    """One answer of a row, and what it is given.

    x        all that precedes it, exactly;  texts: the texts of it;  system: those of system turns
    y        the answer, with the calls of tools;  text: without them
    """

    x: str
    texts: list[str]
    system: list[str]
    y: str
    text: str

    @property
    def alone(self) -> bool:
        """Whether one text precedes it, and no other."""
        return len(self.texts) == 1


@dataclass
class Data:
    """Rows of files.

    examples  those that can be read
    bad       (where, what is wrong) of the others
    unread    {key that nobody reads: where}
    forms     the kinds of the rows, whether the model can have them or not: list of messages, or str
    """

    examples: list[Example] = field(default_factory=list)
    bad: list[tuple[str, str]] = field(default_factory=list)
    unread: dict[str, list[str]] = field(default_factory=dict)
    forms: set[type] = field(default_factory=set)


@dataclass
class Model:
    """A model's files: its tokenizer, and θ̂ if it could be loaded.

    path            a directory or a .gguf file
    max_length      the context, in tokens
    vocab_size      rows of the embedding
    without_theta   why there is no θ̂, or nothing
    """

    path: Path
    tokenizer: Tokenizer
    max_length: int
    vocab_size: int
    theta: Params | None = None
    config: ModelConfig | None = None
    without_theta: str = ""

    def files(self, name: str) -> dict[str, Any]:
        """A JSON file of the directory; empty if there is none."""
        file = self.path / name
        return read_json(file) if self.path.is_dir() and file.exists() else {}


@dataclass
class Case:
    """Everything a check may look at.

    sequences  the examples in tokens, one more than max_length at most
    tests      the rows of --test
    """

    model: Model
    data: Data
    tests: Data
    sequences: list[Sequence]
    max_length: int
    learning_rate: float = 0.0
    sample: list[int] = field(default_factory=list)  # numbers of the examples that θ̂ was asked about
    log_probs: list = field(default_factory=list)  # of the sample: log Pr of the tokens of y, (n,) each
    rehearsal: Any = None  # a Rehearsal, if there is one

    @property
    def tokenizer(self) -> Tokenizer:
        return self.model.tokenizer

    @cached_property
    def turns(self) -> list[tuple[Example, list[Turn]]]:
        """The answers of each row."""
        return [(example, list(turns(example))) for example in self.data.examples]

    @property
    def rows(self) -> list[tuple[Example, Sequence]]:
        return list(zip(self.data.examples, self.sequences))

    @property
    def talks(self) -> bool:
        """Whether any row is a conversation."""
        return list in self.data.forms

    @property
    def plain(self) -> bool:
        """Whether any row is plain text."""
        return str in self.data.forms


# --- reading ----------------------------------------------------------------------------------------------------------


def read(paths: list[str]) -> Data:
    """The rows of files, each where it belongs. Raises MinisftError if a file cannot be read or has no row."""
    found = Data()
    for path in paths:
        count = len(found.examples) + len(found.bad)
        for row, where in tables.rows(path):
            try:
                if isinstance(row, MinisftError):
                    raise row
                found.examples.append(rows.example(row, where))
                found.forms.add(type(found.examples[-1].completion))
                for key in rows.unread(row):
                    found.unread.setdefault(key, []).append(where)
            except MinisftError as error:
                found.bad.append((where, str(error)))
        if count == len(found.examples) + len(found.bad):
            raise MinisftError(f"{path}: contains no example; give one JSON object per line")
    return found


def model_of(path: Path) -> Model:
    """A model; without θ̂ if its weights are missing, too large or of another family. Raises MinisftError otherwise."""
    weights = sum(file.stat().st_size for file in path.glob("*.safetensors")) if path.is_dir() else 0
    why = ""
    if path.is_dir() and not weights:
        why = "the directory has no weights"
    elif weights > LARGEST:
        why = f"its weights have {weights / 2**30:.1f} GB, more than {LARGEST / 2**30:.0f}"
    if not why:
        try:
            theta, config, tokenizer = checkpoint.load(path)
            return Model(path, tokenizer, config.max_position_embeddings, config.vocab_size, theta, config)
        except MinisftError as error:
            if not (path / "tokenizer.json").exists():
                raise
            why = str(error)
    tokenizer = Tokenizer.load(path)
    sizes = read_json(path / "config.json") if (path / "config.json").exists() else {}
    sizes = sizes.get("text_config", sizes)
    length, vocabulary = (sizes.get(name) for name in ("max_position_embeddings", "vocab_size"))
    length = length if isinstance(length, int) and length > 1 else 2**20
    vocabulary = vocabulary if isinstance(vocabulary, int) else tokenizer.vocab_size
    return Model(path, tokenizer, length, vocabulary, without_theta=why)


def encoded(rows: Data, tokenizer: Tokenizer, limit: int) -> list[Sequence]:
    """The examples in tokens; those that the tokenizer or the template refuses become bad rows."""
    sequences, kept = [], []
    for example in rows.examples:
        try:
            sequences.append(data.encode(example, tokenizer, limit=limit))
            kept.append(example)
        except MinisftError as error:
            rows.bad.append((example.where, str(error)))
    rows.examples = kept
    return sequences


# --- what is said in a row --------------------------------------------------------------------------------------------


def said(example: Example) -> Iterator[tuple[str, str]]:
    """(role, text) of all that a row says; the role of a plain completion is "assistant", of its prompt "user"."""
    if isinstance(example.completion, str):
        yield "user", example.prompt
        yield "assistant", example.completion
    else:
        for message in example.prompt + example.completion:
            yield message["role"], message.get("content") or ""


def answers(example: Example) -> list[int]:
    """The numbers of the texts in `said` that are y, and count."""
    if isinstance(example.completion, str):
        return [1] if example.weight else []
    first, messages = len(example.prompt), example.prompt + example.completion
    weights = [example.weight * message.get("weight", 1.0) for message in messages]
    return [i for i in range(first, len(messages)) if messages[i]["role"] == "assistant" and weights[i]]


def turns(example: Example) -> Iterator[Turn]:
    """The answers of a row that count, each given all that precedes it; x is empty where nobody asked.

    Nobody asks a conversation's first answer, a greeting, if the user speaks after it.
    """
    spoken, plain = list(said(example)), isinstance(example.completion, str)
    calls = [None, None] if plain else [message.get("tool_calls") for message in example.prompt + example.completion]
    starts = next((i for i, (role, _) in enumerate(spoken) if role not in ("system", "assistant")), 0)
    for i in answers(example):
        before = spoken[:i]
        asked = i > starts and any(text for _, text in before)
        x = repr((plain, example.tools, calls[:i], before)) if asked else ""
        system = [text for role, text in before if role == "system"]
        yield Turn(x, [text for _, text in before], system, f"{spoken[i][1]}{calls[i] or ''}", spoken[i][1])


def is_empty(turn: Turn) -> bool:
    """Whether an answer says nothing, and calls no tool."""
    return all(category(c)[0] in "CZ" for c in turn.y)  # blanks, and what has no width
