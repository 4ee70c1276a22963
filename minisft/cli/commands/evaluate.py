"""Compute log Pr(y|x) of a data set, and find out how good the model's own answers are.

example:
  minisft evaluate --model theta_tilde --data test.jsonl --json
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from pathlib import Path

from minisft.cli import flags
from minisft.cli.console import print_json, print_table, row_file, track, with_reduction
from minisft.cli.inputs import load_with_data, model_directory, settings_of, warn_of, warn_of_chat
from minisft.config import whole
from minisft.evaluate import evaluate


def add_flags(parser: ArgumentParser) -> None:
    flags.model(parser)
    flags.examples(parser, "the examples to evaluate on")
    flags.option(parser, "--per-example", "write one JSON object per example to this file", flags.path, metavar="FILE")
    flags.option(parser, "--max-new-tokens", "longest answer, in tokens", whole(1), 256)
    flags.endings(parser)
    flags.objective(parser)
    flags.machine(parser)


def run(arguments: Namespace) -> None:
    settings = settings_of(arguments)
    theta, config, tokenizer, examples, sequences, counts = load_with_data(arguments, arguments.dtype)

    source = model_directory(arguments.model)
    warn_of_chat(source, examples)

    def progress(batches: Iterable) -> Iterator:
        return track(batches, "answers: batch")

    sources = [source, *map(Path, arguments.data)]
    with row_file(arguments.per_example, "--per-example", sources) as write:
        summary, rows = evaluate(
            theta,
            config,
            tokenizer,
            examples,
            sequences,
            settings,
            arguments.max_new_tokens,
            progress,
            arguments.stop,
            arguments.repetition_penalty,
        )
        write(rows)
    warn_of(counts)
    if arguments.json:
        print_json(summary)
    else:
        shown = with_reduction(summary, settings.loss_reduction)
        print_table(arguments.model, ["", ""], [[name, value] for name, value in shown.items()])
