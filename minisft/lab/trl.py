"""What TRL's SFTTrainer trains of a row, as TRL 1.16 does it, without TRL: its tokens, and which of them count.

    conversation        the template's text; all tokens count, or with assistant_only_loss those in {% generation %}
    prompt, completion  both in one piece; with completion_only_loss, the default, what follows the common beginning of
                        the prompt alone (with the prompt for generation, if these are messages) and of the whole
    text                all tokens count
    longer rows         cut to max_length, and dropped where nothing is left that counts
    packing             "bfd" cuts and drops no row; "bfd_split" cuts rows into pieces; "wrapped" lays all rows of a
                        thousand end to end and cuts the whole. The first token of a piece is predicted by nobody

tests/parity holds it against TRL itself.
"""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tokenizers import Encoding
from tokenizers import Tokenizer as Backend

from minisft.errors import MinisftError, quoted
from minisft.formats import added_tokens
from minisft.formats.native import native
from minisft.formats.tokenizer_json import NOT_READ
from minisft.lab.generation import Spans
from minisft.tokenizer import Tokenizer

STRATEGIES = ("bfd", "bfd_split", "wrapped")
TOGETHER = 1000  # rows that are packed at a time


class Settings(NamedTuple):
    """The fields of SFTConfig that say what counts, with its defaults."""

    completion_only_loss: bool | None = None  # None: if the first row has a prompt and a completion
    assistant_only_loss: bool = False
    packing: bool = False
    packing_strategy: str = "bfd"
    max_length: int = 1024


class Trained(NamedTuple):
    """A row as TRL trains it.

    ids      (n,) int;  counts (n,) bool: the token is predicted, and its loss counts
    dropped  TRL leaves the row out
    """

    ids: list[int]
    counts: np.ndarray
    dropped: bool = False


class Trainer:
    """SFTTrainer's preparation of rows, under some settings."""

    def __init__(self, tokenizer: Tokenizer, settings: Settings, first: dict) -> None:
        """first: the first row of the data, by which TRL decides. Raises MinisftError where TRL raises."""
        self.settings, self.tokenizer, self.eos = settings, tokenizer, tokenizer.config["eos_token"]
        with native(tokenizer.path, *NOT_READ):  # as the file has it: offsets and BOS are its post-processor's
            self.backend = Backend.from_buffer(tokenizer.source)
            added_tokens.add(self.backend, tokenizer.config, tokenizer.path)
            self.backend.no_truncation()
            self.backend.no_padding()
        only = settings.completion_only_loss
        self.completion_only = {"prompt", "completion"} <= first.keys() if only is None else only
        if settings.assistant_only_loss and not is_conversation(first):
            raise MinisftError("--assistant-only-loss: TRL refuses it, since the first row is not a conversation")
        self.chat = Spans(tokenizer.chat)
        if settings.assistant_only_loss and not self.chat.has_blocks:
            self.chat = Spans(tokenizer.chat, training_template(tokenizer))

    # --- one row ---

    def row(self, row: Any) -> tuple[list[int], np.ndarray]:
        """The ids of a row before it is cut, and which of them have a label. Raises MinisftError where TRL fails."""
        if not isinstance(row, dict):
            raise MinisftError("TRL reads objects only; write one with messages")
        if row.get("chat_template_kwargs"):
            raise MinisftError("chat_template_kwargs: what TRL makes of them is not known here; remove them")
        row = converted({key: value for key, value in row.items() if value is not None})
        tools = row.get("tools")
        tools = json.loads(tools) if isinstance(tools, str) else tools
        if "prompt" in row and "completion" in row:
            return self.pair(row["prompt"], row["completion"], tools)
        if is_conversation(row) and "messages" in row:
            encoding, inside = self.conversation(row["messages"], tools)
            return encoding.ids, inside
        if not isinstance(row.get("text"), str):
            known = "messages, prompt and completion, or text; conversations in from and value"
            raise MinisftError(f"TRL cannot read the keys {quoted(sorted(row))}; it reads {known}")
        ids = self.backend.encode(self.ended(row["text"])).ids
        return ids, np.ones(len(ids), bool)

    def pair(self, prompt: Any, completion: Any, tools: Any) -> tuple[list[int], np.ndarray]:
        if isinstance(prompt, list):
            alone = self.encode(self.chat.spans(prompt, tools, add_generation_prompt=True)[0]).ids
            encoding, inside = self.conversation(prompt + completion, tools)
            ids = encoding.ids
        else:
            alone = self.backend.encode(prompt).ids
            ids = self.backend.encode(prompt + self.ended(completion)).ids
            inside = np.ones(len(ids), bool)
        same = next((n for n, (i, j) in enumerate(zip(alone, ids)) if i != j), min(len(alone), len(ids)))
        return ids, inside & (np.arange(len(ids)) >= same) if self.completion_only else inside

    def conversation(self, messages: list, tools: Any) -> tuple[Encoding, np.ndarray]:
        """The tokens of a conversation, and which count: with assistant_only_loss those that overlap a block."""
        text, spans = self.chat.spans(messages, tools)
        encoding = self.encode(text)
        inside = np.ones(len(encoding.ids), bool)
        if self.settings.assistant_only_loss:
            overlap = [any(begin < last and end > first for first, last in spans) for begin, end in encoding.offsets]
            inside = np.array(overlap, bool)
            if not inside.any():
                raise MinisftError("TRL refuses it: the row has no token inside {% generation %}")
        return encoding, inside

    def encode(self, text: str) -> Encoding:
        return self.backend.encode(text, add_special_tokens=False)

    def ended(self, text: str) -> str:
        return text if text.endswith(self.eos) else text + self.eos

    # --- all rows ---

    def cut(self, rows: list[tuple[list[int], np.ndarray]]) -> list[Trained]:
        """The rows as they are trained, in order: cut, or packed."""
        result, longest, packing = [], self.settings.max_length, self.settings.packing
        strategy, place = self.settings.packing_strategy, 0
        for number, (ids, labelled) in enumerate(rows):
            counts = labelled.copy()
            if packing and strategy != "bfd":
                place = 0 if strategy == "bfd_split" or number % TOGETHER == 0 else place
                counts[(place + np.arange(len(ids))) % longest == 0] = False
                place += len(ids)
                result.append(Trained(ids, counts))
                continue
            counts = counts[:longest]
            dropped = not packing and not counts.any()
            counts[:1] = False
            result.append(Trained(ids[:longest], counts & (not dropped), dropped))
        return result


# --- what TRL finds in a row ------------------------------------------------------------------------------------------


def converted(row: dict) -> dict:
    """A row in from and value as messages; the names of the roles stay as they are."""
    talk = row.get("conversations")
    if not (isinstance(talk, list) and talk and isinstance(talk[0], dict) and {"from", "value"} <= talk[0].keys()):
        return row
    names = {"from": "role", "value": "content"}
    messages = [{names.get(key, key): value for key, value in message.items()} for message in talk]
    return {key: value for key, value in row.items() if key != "conversations"} | {"messages": messages}


def is_conversation(row: dict) -> bool:
    row = converted(row)
    talk = next((row[key] for key in ("prompt", "completion", "messages") if key in row), None)
    return isinstance(talk, list) and bool(talk) and isinstance(talk[0], dict) and "role" in talk[0]


def training_template(tokenizer: Tokenizer) -> str:
    """The template that TRL puts in the place of one without {% generation %}: a file of its package."""
    package = find_spec("trl")  # found, and not imported
    folder = Path(package.origin).parent / "chat_templates" if package and package.origin else Path("nowhere")
    for file in folder.glob("*_training.jinja"):
        original = file.with_name(file.name.replace("_training", ""))
        if original.exists() and original.read_text(encoding="utf-8") == tokenizer.template:
            return file.read_text(encoding="utf-8")
    raise MinisftError(
        "--assistant-only-loss: the chat template has no {% generation %}; TRL refuses it, or takes its own, which "
        "is in the package trl: install that to see it here, or add the blocks to the template"
    )
