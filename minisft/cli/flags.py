"""What the flags of several commands have in common: their types, and groups of flags with defaults and help.

The settings of a run are stated once, in `TrainConfig`, so the help, the library and train_config.json cannot disagree.
"""

import argparse
import errno
import math
import os
from collections.abc import Callable, Container
from dataclasses import fields
from typing import Any

from minisft.config import DTYPES, Numbers, TrainConfig, flag, number, whole
from minisft.errors import one_line

DATA_HELP = """\
data, one JSON object per line:
  {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}
  {"prompt": "...", "completion": "..."}      texts as they are, or two lists of messages
  {"instruction": "...", "input": "...", "output": "..."}      Alpaca's form
  {"text": "..."}      plain text, learned from beginning to end
also ShareGPT's and Dolly's forms, one JSON array, .csv, .parquet, and any of them as .gz

"""

LORA = ("lora_r", "lora_alpha", "lora_target_modules")
OF_A_MODEL = ("train_only", *LORA, "cache_frozen")  # settings that take a model to start from

Parser = argparse._ActionsContainer  # whatever takes flags: a parser, or a group of flags that exclude each other


def number_type(allowed: Numbers) -> Callable[[str], int | float]:
    """The type of a flag: turns text into one of these numbers."""

    def convert(text: str) -> int | float:
        try:
            value = int(text) if allowed.whole or text.isdecimal() else float(text)
        except ValueError:
            value = math.nan
        if wrong := allowed.complaint(value):
            raise argparse.ArgumentTypeError(f"{one_line(repr(text))} {wrong}")
        return value

    return convert


def path(text: str) -> str:
    """The type of a flag: the name of a file or a directory. An empty name would mean the current directory."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; give a name")
    try:
        os.lstat(text)
    except (OSError, ValueError) as error:  # what is not there may still be made
        if getattr(error, "errno", None) == errno.ENAMETOOLONG:
            raise argparse.ArgumentTypeError("is a name too long for this system; give a shorter one") from None
    return text


def text(given: str) -> str:
    """The type of a flag: any text but an empty one, which would be found everywhere."""
    if not given:
        raise argparse.ArgumentTypeError("is empty; give a text")
    return given


def option(
    parser: Parser,
    name: str,
    help: str,
    allowed: Numbers | tuple[str, ...] | Callable[[str], Any] | None = None,
    default: Any = None,
    metavar: str | None = None,
    **more: Any,
) -> None:
    """Add a flag whose help ends with its default. Metavars are ASCII: not every terminal can show λ.

    allowed  Numbers, a tuple of names to choose from, a function that converts the text, or None for any text
    """
    if isinstance(allowed, Numbers):
        more["type"], metavar = number_type(allowed), metavar or "N"
    elif isinstance(allowed, tuple):
        more["choices"] = allowed
    elif allowed:
        more["type"] = allowed
    given = " ".join(default) if isinstance(default, tuple) else default
    shown = "" if given in (None, "") else f" (default: {given})"
    parser.add_argument(name, help=help + shown, default=default, metavar=metavar, **more)


def switch(parser: Parser, name: str, help: str) -> None:
    """Add a flag that takes no value."""
    parser.add_argument(name, action="store_true", help=help)


def setting(parser: Parser, name: str) -> None:
    """Add the flag of a field of TrainConfig, from what is said about the field there."""
    field = TrainConfig.__dataclass_fields__[name]
    about, default, allowed = field.metadata, field.default, field.metadata["allowed"]
    if field.type is bool:
        action = "store_false" if default else "store_true"
        parser.add_argument(flag(name), dest=name, action=action, help=about["help"])
    elif isinstance(default, tuple):
        option(parser, flag(name), about["help"], path, default, about["metavar"], nargs="+")
    else:
        given = not isinstance(allowed, Numbers) or not allowed.complaint(default)
        option(parser, flag(name), about["help"], allowed, default if given else None, about["metavar"])


def model(parser: Parser) -> None:
    known = "a directory, a .gguf file, atlas, smollm2, or owner/name on the Hugging Face hub"
    option(parser, "--model", known, path, required=True, metavar="DIR")


def examples(parser: argparse.ArgumentParser, help: str) -> None:
    """--data for prompts and answers; the command's help then lists the forms of a line before its own example."""
    option(parser, "--data", help, path, nargs="+", required=True, metavar="FILE")
    parser.epilog = DATA_HELP + (parser.epilog or "")


def turns(parser: Parser) -> None:
    option(parser, "--assistant-turns", "which answers of a conversation are targets", ("all", "last"), "all")


def bad_rows(parser: Parser) -> None:
    option(parser, "--on-bad-row", "what to do with rows of data that cannot be used", ("error", "skip"), "error")


def lengths(parser: Parser) -> None:
    option(parser, "--max-length", "longest example, in tokens (default: the context of the model)", whole(2))
    option(parser, "--on-too-long", "what to do with longer examples", ("cut", "drop", "error"), "cut")
    bad_rows(parser)


def objective(parser: Parser) -> None:
    """What the loss of the examples is, for commands that compute it without training."""
    setting(parser, "prompt_loss_weight")
    setting(parser, "loss_reduction")
    turns(parser)
    lengths(parser)


def as_json(parser: Parser) -> None:
    switch(parser, "--json", "print one JSON object instead, for programs")


def machine(parser: Parser) -> None:
    option(parser, "--dtype", "precision of all arithmetic", DTYPES, "float32")
    as_json(parser)


def sampling(parser: Parser) -> None:
    temperature = "0 always takes the likeliest token; 1 draws from the distribution of the model"
    top_k = "draw from the K likeliest tokens only; 0 draws from all of them"
    top_p = "draw from the likeliest tokens only, as many as it takes to reach probability P"
    option(parser, "--max-new-tokens", "longest answer, in tokens", whole(1), 256)
    option(parser, "--temperature", temperature, number(low=0), 0.0, metavar="T")
    option(parser, "--top-k", top_k, whole(0), 0, metavar="K")
    option(parser, "--top-p", top_p, number(above=0, high=1), 1.0, metavar="P")
    option(parser, "--seed", "seed of the draws", whole(0), 0)
    endings(parser)


def endings(parser: Parser) -> None:
    """What also ends an answer, or keeps it from repeating itself."""
    stop = "end an answer before one of these texts, as well as at the model's end tokens"
    penalty = "divide the logits of all tokens so far by R (multiply, if they are negative); 1 does nothing"
    option(parser, "--stop", stop, text, (), nargs="+", metavar="TEXT")
    option(parser, "--repetition-penalty", penalty, number(above=0), 1.0, metavar="R")


def training(parser: argparse.ArgumentParser, without: Container[str] = ()) -> None:
    """Everything a run can be told: all fields of TrainConfig but those in `without`, and what to write and when."""
    option(parser, "--output-dir", "directory to write the run to", path, required=True, metavar="DIR")
    existing = parser.add_mutually_exclusive_group()
    switch(existing, "--resume", "go on from the newest complete checkpoint in DIR, or from the start")
    switch(existing, "--overwrite", "replace the run in DIR")
    for field in fields(TrainConfig):
        if field.name not in without:
            setting(parser, field.name)
    ratio = "the same as a fraction of all steps"
    option(parser, "--warmup-ratio", ratio, number(low=0, below=1), metavar="R", dest="warmup_steps")
    lengths(parser)
    option(parser, "--save-steps", "write checkpoint-N/ every N steps", whole(1))
    option(parser, "--eval-data", "evaluate on these files at the end", path, nargs="+", metavar="FILE")
    option(parser, "--eval-steps", "evaluate on them every N steps as well", whole(1))
    best, patience = (
        "write the model of the lowest eval_loss, not the last one; each better one is kept as checkpoint-N/",
        "stop when eval_loss has not been lower for N evaluations in a row",
    )
    switch(parser, "--load-best-model-at-end", best)
    option(parser, "--early-stopping-patience", patience, whole(1))
    option(parser, "--logging-steps", "print the metrics every N steps", whole(1))
    machine(parser)
