"""Write a run as a film: one HTML file with a slider over t, which opens from the disk without a network.

example:
  minisft film --model atlas --data train.jsonl --watch held_out.jsonl --output film.html --max-steps 120
"""

from argparse import ArgumentParser, Namespace
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

from minisft import checkpoint, data, train
from minisft.cli import flags
from minisft.cli.console import Bar, print_json, show
from minisft.cli.inputs import model_directory, settings_of
from minisft.config import TrainConfig
from minisft.formats.apart import require_apart
from minisft.formats.files import write_atomically
from minisft.playground import film
from minisft.playground.choice import STARTS, Choice
from minisft.playground.record import PAIRS, Recorder

RUNS = ("given", "conditional", "joint", "random")


def add_flags(parser: ArgumentParser) -> None:
    flags.model(parser)
    flags.examples(parser, "the examples to learn from")
    watch = "held-out questions with their answers: the first three are watched token by token"
    flags.option(parser, "--watch", watch, flags.path, nargs="+", required=True, metavar="FILE")
    flags.option(parser, "--output", "the file to write", flags.path, required=True, metavar="FILE.html")
    runs = "the runs in the film: as given; with weight 0 or 1 on x; from random parameters"
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=["given"], metavar="RUN", help=f"{runs} {RUNS}")
    for field in fields(TrainConfig):
        if field.name not in flags.LORA:
            flags.setting(parser, field.name)
    flags.machine(parser)


def run(arguments: Namespace) -> None:
    source = model_directory(arguments.model)
    sources = [source, *map(Path, arguments.data), *map(Path, arguments.watch)]
    require_apart(Path(arguments.output), sources, "--output")
    examples, watched = data.read(arguments.data), data.read(arguments.watch)
    theta_hat, config, tokenizer = checkpoint.load(source, arguments.dtype)
    given = settings_of(arguments)
    given = replace(given, learning_rate=given.learning_rate or train.default_learning_rate(theta_hat))
    runs = []
    for name in arguments.runs:
        weight = {"conditional": 0.0, "joint": 1.0}.get(name, given.prompt_loss_weight)
        start = STARTS[name == "random"]
        chosen = Choice("the data", start, replace(given, prompt_loss_weight=weight), examples, watched)
        recorder = Recorder(theta_hat, config, tokenizer, chosen, watched[:PAIRS], keep=False)
        with Bar(f"film of {name}", recorder.run.total) as bar:
            runs.append(film.record(recorder, partial(show_step, bar)))
    page = film.html(runs)
    write_atomically(arguments.output, page)
    if arguments.json:
        print_json({"output": arguments.output, "bytes": len(page), "runs": arguments.runs})
    else:
        show(f"Written: {arguments.output}, {len(page) / 1e6:.1f} MB")


def show_step(bar: Bar, state: train.State) -> None:
    if state.step:
        bar.show(state.step)
