"""What the flags of several commands share: their types, and groups of flags with defaults and help.

The settings of a run are said in `TrainConfig`, so the help, the library and train_config.json cannot disagree.
"""

import argparse
import math
from dataclasses import fields

from minisft.config import DTYPES, Numbers, TrainConfig, flag, number, whole
from minisft.errors import one_line

DATA_HELP = """\
data, one JSON object per line:
  {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}
  {"prompt": "...", "completion": "..."}      texts as they are, or two lists of messages
  {"instruction": "...", "input": "...", "output": "..."}      Alpaca's form; a JSON array too
  {"text": "..."}      all of it is learned

"""


def number_type(allowed: Numbers):
    """The type of a flag: text to one of these numbers."""

    def convert(text):
        try:
            value = (int if allowed.whole else float)(text)
        except ValueError:
            value = math.nan
        if wrong := allowed.complaint(value):
            raise argparse.ArgumentTypeError(f"{one_line(repr(text))} {wrong}")
        return value

    return convert


def path(text):
    """The type of a flag: the name of a file or a directory. An empty one would mean the current directory."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; give a name")
    return text


def option(parser, name, help, allowed=None, default=None, metavar=None, **more):
    """A flag whose help ends with its default. Metavars are ASCII: not every terminal has λ.

    allowed  Numbers, a tuple of names to choose from, a function of the text, or None: any text
    """
    if isinstance(allowed, Numbers):
        more["type"], metavar = number_type(allowed), metavar or "N"
    elif isinstance(allowed, tuple):
        more["choices"] = allowed
    elif allowed:
        more["type"] = allowed
    shown = "" if default in (None, ()) else " (default: %(default)s)"
    parser.add_argument(name, help=help + shown, default=default, metavar=metavar, **more)


def switch(parser, name, help):
    parser.add_argument(name, action="store_true", help=help)


def setting(parser, name):
    """The flag of a field of TrainConfig, made of what is said of it there."""
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


def model(parser):
    known = "a directory, a .gguf file, atlas, smollm2, or owner/name of the hub"
    option(parser, "--model", known, path, required=True, metavar="DIR")


def examples(parser, help):
    """--data of prompts and answers, whose forms the help of the command then lists before its example."""
    option(parser, "--data", help, path, nargs="+", required=True, metavar="FILE")
    parser.epilog = DATA_HELP + parser.epilog


def turns(parser):
    option(parser, "--assistant-turns", "answers that are targets", ("all", "last"), "all")


def lengths(parser):
    option(parser, "--max-length", "tokens of an example (default: the context)", whole(2))
    option(parser, "--on-too-long", "for longer ones", ("cut", "drop", "error"), "cut")


def objective(parser):
    """What the loss of examples is, for the commands that compute it and do not train."""
    setting(parser, "prompt_loss_weight")
    setting(parser, "loss_reduction")
    turns(parser)
    lengths(parser)


def machine(parser):
    option(parser, "--dtype", "precision of everything computed", DTYPES, "float32")
    switch(parser, "--json", "print one JSON object")


def sampling(parser):
    temperature = "0 takes the likeliest token; 1 draws from the model"
    option(parser, "--max-new-tokens", "an answer's length at most", whole(1), 256)
    option(parser, "--temperature", temperature, number(low=0), 0.0, metavar="T")
    option(parser, "--top-k", "draw from the K likeliest tokens; 0: from all", whole(0), 0, metavar="K")
    option(parser, "--top-p", "draw from the likeliest tokens that reach P", number(above=0, high=1), 1.0, metavar="P")
    option(parser, "--seed", "seed of the draws", whole(0), 0)


def training(parser, without=()):
    """All that a run can be told: every field of TrainConfig but those `without`, and where and when to write."""
    option(parser, "--output-dir", "where the run goes", path, required=True, metavar="DIR")
    existing = parser.add_mutually_exclusive_group()
    switch(existing, "--resume", "go on from the newest whole checkpoint there, or from the start")
    switch(existing, "--overwrite", "replace the run that is there")
    for field in fields(TrainConfig):
        if field.name not in without:
            setting(parser, field.name)
    lengths(parser)
    option(parser, "--save-steps", "write checkpoint-N/ every N steps", whole(1))
    option(parser, "--eval-data", "evaluate on this at the end", path, nargs="+", metavar="FILE")
    option(parser, "--eval-steps", "and every N steps", whole(1))
    option(parser, "--logging-steps", "print the metrics every N steps", whole(1))
    machine(parser)
