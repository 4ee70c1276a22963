"""Fine-tune a model on prompts and answers.

example:
  minisft sft --model atlas --data train.jsonl --output-dir theta_tilde
  minisft sft --model atlas --data train.jsonl --output-dir last_block --train-only "model.layers.3.*" "*norm*"
  minisft sft --model atlas --data train.jsonl --output-dir adapter --lora-r 8
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from minisft import adapter, checkpoint
from minisft.cli import flags
from minisft.cli.console import say
from minisft.cli.inputs import examples_of, model_directory, places_of, sequences_of, settings_of
from minisft.cli.training import keep_date, output_directory, train
from minisft.config import ALL_LINEAR, flag
from minisft.errors import MinisftError
from minisft.formats import peft
from minisft.parallel import Ranks
from minisft.params import Params
from minisft.runs import model_card
from minisft.runs.record import CONVERSATIONS, PLAIN_TEXT


def add_flags(parser: ArgumentParser) -> None:
    flags.model(parser)
    adapter = "go on with this adapter (LoRA), of the same model"
    flags.option(parser, "--adapter", adapter, flags.path, metavar="DIR")
    flags.examples(parser, "the examples to learn from")
    flags.turns(parser)
    flags.training(parser)


def run(arguments: Namespace, ranks: Ranks) -> None:
    source = model_directory(arguments.model)
    read = [*places_of(source), *([Path(arguments.adapter)] if arguments.adapter else [])]
    with output_directory(arguments, read, ranks):
        learn(arguments, source, ranks)


def require_lora(arguments: Namespace, source: Path) -> None:
    """Raises MinisftError if the flags of LoRA do not fit together, or not the model."""
    given = [name for name in flags.LORA if getattr(arguments, name) not in (None, 0, (ALL_LINEAR,))]
    for name in given:
        if arguments.adapter:
            raise MinisftError(f"{flag(name)}: an adapter has its own; leave it out, or --adapter")
        if not arguments.lora_r:
            raise MinisftError(f"{flag(name)}: goes with --lora-r; give both")
    if peft.is_adapter(source) and (given or arguments.adapter):
        raise MinisftError(
            f"--model: {source} is itself an adapter; go on with it, by --model BASE --adapter {source}, or merge it "
            "first, by minisft merge"
        )


def with_adapter(arguments: Namespace, theta_hat: Params) -> Params:
    """θ̂ itself, or with a new adapter, or with that of --adapter, whose rank, α and modules are then those flags."""
    settings = settings_of(arguments)
    if not (arguments.adapter or settings.lora_r):
        return theta_hat
    if not arguments.adapter:
        theta = adapter.start(theta_hat, settings)
    else:
        path = model_directory(arguments.adapter, "--adapter")
        theta, given = checkpoint.load_adapter(path, theta_hat), peft.read_config(path)
        every = adapter.modules(theta) == list(adapter.linear_maps(theta))
        arguments.lora_target_modules = (ALL_LINEAR,) if every else tuple(given.target_modules)
        if given.dropout:
            say(f"{path}: was trained with a dropout of {given.dropout:g}; here there is none")
    arguments.lora_r, arguments.lora_alpha = adapter.rank_and_alpha(theta)
    return theta


def learn(arguments: Namespace, source: Path, ranks: Ranks) -> None:
    examples, skipped = examples_of(arguments, arguments.data)
    require_lora(arguments, source)
    theta_hat, config, tokenizer = checkpoint.load(source, arguments.dtype)
    theta = with_adapter(arguments, theta_hat)
    keep_date(arguments, tokenizer)
    sequences, counts = sequences_of(arguments, examples, tokenizer, config)
    counts["skipped"] += skipped
    tested = None
    if arguments.eval_data:
        held_out, _ = examples_of(arguments, arguments.eval_data)
        tested = held_out, sequences_of(arguments, held_out, tokenizer, config)[0]
    trained_on = PLAIN_TEXT if all(isinstance(example.completion, str) for example in examples) else CONVERSATIONS
    licence = model_card.licence(source)
    train(arguments, theta, config, tokenizer, sequences, counts, tested, ranks, trained_on, licence)
