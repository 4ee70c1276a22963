"""Find out what will go wrong, before it is trained: in the rows, in the template, and under the model.

example:
  minisft doctor --model atlas --data train.jsonl --test test.jsonl
  minisft doctor --model atlas --data train.jsonl --rehearse --json
"""

from argparse import ArgumentParser, Namespace
from typing import Any

from minisft.cli import flags
from minisft.cli.console import print_json, show, shown
from minisft.cli.inputs import model_directory
from minisft.config import whole
from minisft.lab import doctor

FOUND = 3  # the exit status if an error was found


def add_flags(parser: ArgumentParser) -> None:
    flags.model(parser)
    flags.examples(parser, "the rows that will be trained")
    flags.option(parser, "--test", "rows that must not be in training", flags.path, (), nargs="+", metavar="FILE")
    flags.option(parser, "--max-length", "longest example, in tokens (default: the context of the model)", whole(2))
    flags.switch(parser, "--rehearse", "train 8 rows for 30 steps, too, and see whether it works")
    flags.setting(parser, "learning_rate")
    flags.as_json(parser)


def run(arguments: Namespace) -> int:
    result = doctor.examine(
        model_directory(arguments.model),
        arguments.data,
        arguments.test,
        arguments.max_length,
        arguments.rehearse,
        arguments.learning_rate or 0.0,
    )
    if arguments.json:
        print_json(result)
    else:
        print_result(result)
    return FOUND if result["summary"]["errors"] else 0


def print_result(result: dict[str, Any]) -> None:
    """A block a finding, and one line about all."""
    for finding in result["findings"]:
        count, where = finding["count"], finding["where"]
        show(f"{finding['severity']}: {finding['check']} ({count})")
        more = f", and {count - len(where[:5])} more" if count > 5 else ""
        show(f"  where  {', '.join(where[:5])}{more}")
        show(f"  why    {finding['why']}")
        show(f"  do     {finding['do']}")
        if finding["price"]:
            show(f"  price  {priced(finding['price'])}")
        show("")
    summary = result["summary"]
    counted = [f"{summary[f'{name}s']} {name}{'s' * (summary[f'{name}s'] != 1)}" for name in doctor.ORDER]
    tests = f" and {summary['test_rows']} of the test" if summary["test_rows"] else ""
    show(f"{summary['rows']} rows{tests}: {', '.join(counted)}")
    if summary["sample"]:
        sample = summary["sample"]
        show(f"under θ̂: {sample['rows']} of {sample['of']} rows, drawn with seed {sample['seed']}")
    for group, why in summary["left_out"].items():
        show(f"left out: {group} ({why})")


PRICES = {"held_out_loss": "held-out loss", "exact_match": "exact match", "stop_rate": "stop rate"}


def priced(price: dict[str, Any]) -> str:
    """The price in words: each quantity with the mistake, and without it."""
    pairs = ((words, price["with"].get(name), price["without"].get(name)) for name, words in PRICES.items())
    told = [f"{words} {shown(one)} (without it {shown(other)})" for words, one, other in pairs if one is not None]
    return f"{price['mistake']} in the lab, on atlas: {', '.join(told)}"
