"""Fine-tune a model on prompts and answers.

example:
  minisft sft --model atlas --data train.jsonl --output-dir theta_tilde
  minisft sft --model atlas --data train.jsonl --output-dir last_block --train-only "model.layers.3.*" "*norm*"
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from minisft import checkpoint
from minisft.cli import flags
from minisft.cli.inputs import examples_of, model_directory, sequences_of
from minisft.cli.training import keep_date, output_directory, train
from minisft.parallel import Ranks
from minisft.runs import model_card
from minisft.runs.record import CONVERSATIONS, PLAIN_TEXT


def add_flags(parser: ArgumentParser) -> None:
    flags.model(parser)
    flags.examples(parser, "the examples to learn from")
    flags.turns(parser)
    flags.training(parser)


def run(arguments: Namespace, ranks: Ranks) -> None:
    source = model_directory(arguments.model)
    with output_directory(arguments, [source], ranks):
        learn(arguments, source, ranks)


def learn(arguments: Namespace, source: Path, ranks: Ranks) -> None:
    examples, skipped = examples_of(arguments, arguments.data)
    theta_hat, config, tokenizer = checkpoint.load(source, arguments.dtype)
    keep_date(arguments, tokenizer)
    sequences, counts = sequences_of(arguments, examples, tokenizer, config)
    counts["skipped"] += skipped
    tested = None
    if arguments.eval_data:
        held_out, _ = examples_of(arguments, arguments.eval_data)
        tested = held_out, sequences_of(arguments, held_out, tokenizer, config)[0]
    trained_on = PLAIN_TEXT if all(isinstance(example.completion, str) for example in examples) else CONVERSATIONS
    licence = model_card.licence(source)
    train(arguments, theta_hat, config, tokenizer, sequences, counts, tested, ranks, trained_on, licence)
