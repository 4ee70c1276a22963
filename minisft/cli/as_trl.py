"""`minisft inspect --as trl`: our y and that of TRL's SFTTrainer, for the same rows."""

import argparse
from argparse import Namespace
from typing import Any

import numpy as np

from minisft import checkpoint, data
from minisft.cli import flags
from minisft.cli.console import print_json, print_table, say, show
from minisft.cli.inputs import model_directory
from minisft.errors import MinisftError
from minisft.formats import rows, tables
from minisft.lab.beside import compared
from minisft.lab.trl import STRATEGIES, Settings, Trainer
from minisft.tokenizer import Tokenizer

FOUND, SHOWN = 3, 3  # the exit status if y differs; tables of rows that differ
BOOLEANS = {"true": True, "false": False}
FLAGS = ("completion_only_loss", "assistant_only_loss", "packing", "packing_strategy")


def add_flags(parser: flags.Parser) -> None:
    group = parser.add_argument_group("what TRL is told, with --as trl; --max-length is 1024 there")
    flags.option(group, "--as", "show what this trainer would train, beside our own", ("trl",), dest="trainer")
    answers = "count tokens of the completion only (default: if the first row has a prompt and a completion)"
    more: dict[str, Any] = {"nargs": "?", "const": True, "metavar": "BOOL"}
    flags.option(group, "--completion-only-loss", answers, boolean, **more)
    blocks = "count tokens inside {%% generation %%} of the template only"
    flags.option(group, "--assistant-only-loss", blocks, boolean, **more)
    flags.option(group, "--packing", "pack the rows", boolean, **more)
    flags.option(group, "--packing-strategy", "how (default: bfd)", STRATEGIES)


def boolean(text: str) -> bool:
    if text.lower() not in BOOLEANS:
        raise argparse.ArgumentTypeError("is neither true nor false")
    return BOOLEANS[text.lower()]


def inspect(arguments: Namespace) -> int:
    """Print both, and say whether y differs."""
    path = model_directory(arguments.model)
    tokenizer = Tokenizer.load(path) if path.is_dir() else checkpoint.load(path)[2]
    given = [pair for file in arguments.data for pair in tables.rows(file)]
    if not given:
        raise MinisftError(f"{', '.join(arguments.data)}: contains no example; give one JSON object per line")
    told = {name: getattr(arguments, name) for name in FLAGS if getattr(arguments, name) is not None}
    settings = Settings(**told, max_length=arguments.max_length or Settings().max_length)
    first = given[0][0]
    trainer = Trainer(tokenizer, settings, first if isinstance(first, dict) else {})
    trained, wrong = [], dict[int, str]()
    for number, (row, _) in enumerate(given):
        try:
            if isinstance(row, MinisftError):
                raise row
            trained.append(trainer.row(row))
        except MinisftError as error:
            wrong[number] = str(error)
            trained.append(([], np.zeros(0, bool)))
    reports = list[dict[str, Any]]()
    for number, (theirs, (row, where)) in enumerate(zip(trainer.cut(trained), given)):
        if arguments.example in (None, number):
            ids, counts, refused = our_own(row, where, tokenizer, arguments)
            tokens = compared(tokenizer, ids, counts, theirs)
            report: dict[str, Any] = {"where": where, "minisft_refuses": refused, "trl_refuses": wrong.get(number, "")}
            report["trl_drops"] = theirs.dropped and number not in wrong
            report["differs"] = bool(refused) or number in wrong or any(token["differs"] for token in tokens)
            reports.append(report | {"tokens": tokens})
    if not reports:
        raise MinisftError(f"--example: {arguments.example} does not exist; the last is {len(given) - 1}")
    differing = sum(report["differs"] for report in reports)
    if arguments.json:
        print_json({"as": "trl", "settings": settings._asdict(), "examples": reports, "differing": differing})
    else:
        print_reports(reports, settings, arguments.example is not None)
    return FOUND if differing else 0


def our_own(row: Any, where: str, tokenizer: Tokenizer, arguments: Namespace) -> tuple[list[int], np.ndarray, str]:
    """(ids, which of them are targets, why the row is refused) of a row in minisft, cut to --max-length if given."""
    try:
        if isinstance(row, MinisftError):
            raise row
        example = rows.example(row, where)
        sequence = data.encode(example, tokenizer, arguments.assistant_turns, arguments.max_length)
    except MinisftError as error:
        return [], np.zeros(0, bool), str(error)
    counts = sequence.is_y & (np.nan_to_num(sequence.weight) > 0)
    counts[:1] = False
    return sequence.ids.tolist(), counts, ""


def print_reports(reports: list[dict], settings: Settings, wanted: bool) -> None:
    """A table of the rows asked for, or of the first that differ, and what is to be said about all."""
    for report in reports if wanted else [report for report in reports if report["differs"]][:SHOWN]:
        for name in ("minisft", "trl"):
            if report[f"{name}_refuses"]:
                say(f"{report['where']}: {name} refuses it: {report[f'{name}_refuses']}")
        if report["trl_drops"]:
            say(f"{report['where']}: trl drops it")
        print_table(report["where"], ["id", "text", "minisft", "trl", ""], *lines(report["tokens"]))
    told = ", ".join(f"{name} {value}" for name, value in settings._asdict().items())
    differing = [report for report in reports if report["differs"]]
    noted = sum(any(token["note"] for token in report["tokens"]) for report in reports)
    show(f"TRL with {told}")
    show(f"y differs in {len(differing)} of {len(reports)} rows")
    if noted:
        show(f"note: in {noted} rows TRL also trains the white space after an end token, which no answer reaches")


def lines(tokens: list[dict]) -> tuple[list[list], list[str]]:
    """The lines of a table, and their styles: what differs is red."""
    cells, styles = [], []
    for token in tokens:
        marks = {None: "–", True: "y", False: ""}
        word = "differs" if token["differs"] else "note" if token["note"] else ""
        cells.append([token["id"], token["text"], marks[token["minisft"]], marks[token["trl"]], word])
        same = "green" if token["minisft"] else "dim"
        styles.append("bold red" if token["differs"] else "yellow" if token["note"] else same)
    return cells, styles
