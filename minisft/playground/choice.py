"""What is learned: a data set, where θ starts, and the settings of the run, as the page asks for them.

Everything that comes from the page is checked here. It names data sets; it never names a file.
"""

from typing import Any, NamedTuple

import numpy as np

from minisft import data, model
from minisft.config import ModelConfig, TrainConfig, number, whole
from minisft.data import Example, Sequence
from minisft.doors import number as require_number
from minisft.errors import MinisftError, quoted
from minisft.formats import resources, tables
from minisft.lab import mistakes
from minisft.lab.mistakes import Mistake
from minisft.params import Params
from minisft.tokenizer import Tokenizer

SHIPPED = ("atlas", "shop", "sums", "support")
PASTED = "pasted rows"
STARTS = ("pre-trained", "random")
MOST = {"max_steps": 2000, "batch_size": 64, "prompt_loss_weight": 1, "learning_rate": 1}
SETTINGS: dict[str, Any] = {  # what the page begins with; all other settings are those of `minisft sft`
    "prompt_loss_weight": 0.0,
    "loss_reduction": "token_mean",
    "learning_rate": 5e-4,
    "lr_scheduler_type": "constant",
    "max_steps": 120,
    "batch_size": 16,
    "optim": "adamw",
    "seed": 0,
}
NONE = "none"
BEGIN: dict[str, Any] = {"data": "atlas", "rows": "", "start": STARTS[0], "mistake": NONE} | SETTINGS
MOST_ROWS = 1000
QUESTION = 2000  # characters


class Choice(NamedTuple):
    """What a run learns from, and how."""

    data: str  # one of SHIPPED, PASTED, or the names of files
    start: str  # one of STARTS
    settings: TrainConfig
    examples: list[Example]
    asked: list[Example]  # the questions that are not learned, or, of pasted rows, the rows themselves
    mistake: str = NONE  # its name in the lab; who makes the run switches it on


def choose(wanted: dict[str, Any]) -> Choice:
    """The choice that the page describes, with BEGIN for what it leaves out. Raises MinisftError if one is wrong."""
    if unknown := sorted(set(wanted) - set(BEGIN)):
        raise MinisftError(f"{quoted(unknown[0])}: is not a setting of the page; use {', '.join(BEGIN)}")
    wanted = BEGIN | wanted
    for name, options in (("data", (*SHIPPED, PASTED)), ("start", STARTS)):
        if wanted[name] not in options:
            raise MinisftError(f"{name}: {quoted(wanted[name])} is unknown; choose one of {', '.join(options)}")
    for name, most in MOST.items():
        allowed = whole(1, most) if isinstance(most, int) and most > 1 else number(low=0, high=most)
        require_number(name, wanted[name], allowed)
    if not wanted["learning_rate"]:
        raise MinisftError("learning rate: 0 moves nothing; give a number above 0")
    settings = TrainConfig(**{name: wanted[name] for name in SETTINGS})
    if wanted["data"] == PASTED:
        examples = asked = pasted(wanted["rows"])
    else:
        examples, asked = (data.read([resources.path(f"{wanted['data']}_{part}.jsonl")]) for part in ("train", "test"))
    mistake_of(wanted["mistake"])
    return Choice(wanted["data"], wanted["start"], settings, examples, asked, wanted["mistake"])


def mistake_of(name: Any) -> Mistake | None:
    """The mistake that the page asks for. Raises MinisftError if it is unknown."""
    return None if name == NONE else mistakes.by_name(name)


def pasted(text: Any) -> list[Example]:
    """Rows that somebody has typed, one JSON object a line or one array, checked like those of a file."""
    if not isinstance(text, str) or not text.strip():
        raise MinisftError(f"{PASTED}: there are none; paste lines of JSON with prompt and completion")
    raw = text.encode(errors="replace")
    if raw.lstrip().startswith(b"["):
        found = [(row, f"{PASTED}: record {i}") for i, row in enumerate(tables.parse(raw, PASTED), 1)]
    else:
        lines = [(line, f"{PASTED}:{i}") for i, line in enumerate(raw.split(b"\n"), 1) if line.strip()]
        found = [(tables.parse(line, where), where) for line, where in lines]
    if not 0 < len(found) <= MOST_ROWS:
        raise MinisftError(f"{PASTED}: {len(found)} of them, but from 1 to {MOST_ROWS} are taken; paste fewer or more")
    return [data.example(row, where) for row, where in found]


def asking(question: Any, expected: Any) -> Example:
    """A question that somebody has typed, with the answer expected of it, which may be empty."""
    for name, text in (("question", question), ("expected answer", expected)):
        if not isinstance(text, str) or len(text) > QUESTION:
            raise MinisftError(f"{name}: a text of at most {QUESTION} characters is expected; shorten it")
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": expected}]
    return data.example({"messages": messages}, "the question")


def sequences_of(examples: list[Example], tokenizer: Tokenizer, config: ModelConfig) -> list[Sequence]:
    """The examples in tokens, cut to the context, as `minisft sft` has them."""
    limit = config.max_position_embeddings + 1
    return data.fit([data.encode(example, tokenizer, "all", limit) for example in examples], limit - 1)[0]


def theta_at_start(choice: Choice, theta_hat: Params, config: ModelConfig) -> Params:
    """θ̂ itself, or random parameters of the same shapes and dtype, drawn by the seed of the run."""
    if choice.start == STARTS[0]:
        return theta_hat
    return model.init(config, np.random.default_rng(choice.settings.seed), theta_hat.flat.dtype)


def text_of(example: Example) -> tuple[str, str]:
    """(x, y) for people: the last question and the last answer, as texts."""
    if isinstance(example.completion, str):
        return example.prompt, example.completion
    turns = [*example.prompt, *example.completion]
    answer = turns.pop()["content"] if turns[-1]["role"] == "assistant" else ""
    return (turns[-1]["content"] if turns else ""), answer
