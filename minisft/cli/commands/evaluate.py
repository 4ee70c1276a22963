"""log Pr(y|x) of a data set, and how good the model's own answers are.

example:
  minisft evaluate --model theta_tilde --data test.jsonl --json
"""

from pathlib import Path

from minisft.cli import flags
from minisft.cli.console import print_json, print_table, row_file, track, with_reduction
from minisft.cli.inputs import load_with_data, model_directory, settings_of, warn_of
from minisft.config import whole
from minisft.evaluate import evaluate


def add_flags(parser):
    flags.model(parser)
    flags.examples(parser, "what to evaluate on")
    flags.option(parser, "--per-example", "write one JSON object per example to this file", flags.path, metavar="FILE")
    flags.option(parser, "--max-new-tokens", "an answer's length at most", whole(1), 256)
    flags.objective(parser)
    flags.machine(parser)


def run(arguments):
    settings = settings_of(arguments)
    *loaded, counts = load_with_data(arguments, arguments.dtype)

    def progress(batches):
        return track(batches, "answers: batch")

    sources = [model_directory(arguments.model), *map(Path, arguments.data)]
    with row_file(arguments.per_example, "--per-example", sources) as write:
        summary, rows = evaluate(*loaded, settings, arguments.max_new_tokens, progress)
        write(rows)
    warn_of(counts)
    if arguments.json:
        print_json(summary)
    else:
        print_table(arguments.model, ["", ""], with_reduction(summary, settings.loss_reduction).items())
