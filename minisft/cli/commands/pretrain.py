"""Train a first model, and its tokenizer, on text.

example:
  minisft pretrain --data book.txt --output-dir theta_hat --num-train-epochs 5
"""

import re
from argparse import ArgumentParser, Namespace
from dataclasses import fields
from pathlib import Path

import numpy as np

from minisft import data, model
from minisft.cli import flags
from minisft.cli.console import say
from minisft.cli.inputs import encoded, max_length, model_directory, sequences_of, usable
from minisft.cli.training import output_directory, train
from minisft.config import ModelConfig, flag, whole
from minisft.data import Example, Sequence
from minisft.errors import MinisftError
from minisft.formats.documents import Documents, documents
from minisft.formats.tokenizer_files import END_OF_TEXT
from minisft.parallel import Ranks
from minisft.runs.record import PLAIN_TEXT
from minisft.tokenizer import Tokenizer


def add_flags(parser: ArgumentParser) -> None:
    size = whole(1, 10**6)  # larger arrays fit into no memory
    files = 'plain text, or .jsonl with lines of {"text": ...}'
    flags.option(parser, "--data", files, flags.path, nargs="+", required=True, metavar="FILE")
    tokenizer = parser.add_mutually_exclusive_group()
    flags.option(tokenizer, "--tokenizer", "use the tokenizer of this model, not a new one", flags.path, metavar="DIR")
    flags.option(tokenizer, "--vocab-size", "largest vocabulary of the new tokenizer (default: 512)", size)
    flags.option(parser, "--hidden-size", "number of channels C", size, 128)
    flags.option(parser, "--num-hidden-layers", "number of blocks", size, 4)
    flags.option(parser, "--num-attention-heads", "number of query heads H", size, 4)
    flags.option(parser, "--num-key-value-heads", "number of key/value heads G, a divisor of H", size, 2)
    flags.option(parser, "--intermediate-size", "number of channels inside the MLP (default: 8/3 of C)", size)
    flags.option(parser, "--max-position-embeddings", "the context of the model, in tokens", whole(2, 10**6), 256)
    flags.training(parser, without=("prompt_loss_weight", *flags.OF_A_MODEL))


def run(arguments: Namespace, ranks: Ranks) -> None:
    sources = [model_directory(arguments.tokenizer, "--tokenizer")] if arguments.tokenizer else []
    with output_directory(arguments, sources, ranks):
        learn(arguments, sources, ranks)


def learn(arguments: Namespace, sources: list[Path], ranks: Ranks) -> None:
    files = documents_of(arguments, arguments.data)
    texts = (example.completion for file in files for example in file.found.examples)
    tokenizer = Tokenizer.load(sources[0]) if sources else Tokenizer.train(texts, arguments.vocab_size or 512)
    config = sizes(arguments, tokenizer)
    sequences, counts = text_sequences_of(arguments, files, tokenizer, config)
    tested: tuple[list[Example], list[Sequence]] | None = None
    if arguments.eval_data:  # no examples, since plain text asks nothing
        held_out = documents_of(arguments, arguments.eval_data)
        tested = [], text_sequences_of(arguments, held_out, tokenizer, config)[0]
    theta = model.init(config, np.random.default_rng(arguments.seed), arguments.dtype)
    train(arguments, theta, config, tokenizer, sequences, counts, tested, ranks, PLAIN_TEXT)


def documents_of(arguments: Namespace, paths: list[str]) -> list[Documents]:
    """The documents of each file. Raises MinisftError if a file has prompts: those are for sft."""
    files = [documents(path) for path in paths]
    for path, file in zip(paths, files):
        for example in file.found.examples:
            if example.prompt or not isinstance(example.completion, str):
                wrong = 'is not plain text; pretrain reads {"text": …}, use sft for prompts'
                raise MinisftError(f"{example.where}: {wrong}")
        if file.plain and len(file.found.examples) > 1:
            say(f"{path}: {len(file.found.examples)} documents, between lines of {END_OF_TEXT}")
        usable(arguments, file.found)
    return files


def text_sequences_of(
    arguments: Namespace, files: list[Documents], tokenizer: Tokenizer, config: ModelConfig
) -> tuple[list[Sequence], dict[str, int]]:
    """Documents in tokens, and the counts: plain text in pieces, so that nothing is lost; rows as for sft."""
    length, counts = max_length(arguments, config), dict.fromkeys(("read", "cut", "dropped", "skipped"), 0)
    sequences: list[Sequence] = []
    for file in files:
        if file.plain:
            whole, num_bad = encoded(arguments, file.found.examples, tokenizer, None)
            cut = [piece for document in whole for piece in data.pieces(document, length)]
            fitted, counted = data.fit(cut, length, arguments.on_too_long)
            counted["skipped"] = num_bad
        else:
            fitted, counted = sequences_of(arguments, file.found.examples, tokenizer, config)
            counted["skipped"] += file.found.num_bad
        counts = {name: counts[name] + counted[name] for name in counts}
        sequences += fitted
    return sequences, counts


def sizes(arguments: Namespace, tokenizer: Tokenizer) -> ModelConfig:
    """The sizes that the flags ask for. Raises MinisftError, naming the flags, if they do not fit together."""
    names = [field.name for field in fields(ModelConfig) if hasattr(arguments, field.name)]
    values = {name: getattr(arguments, name) for name in names} | {"vocab_size": tokenizer.vocab_size}
    values["intermediate_size"] = arguments.intermediate_size or -(-arguments.hidden_size // 3) * 8
    try:
        return ModelConfig(**values)
    except MinisftError as error:
        raise MinisftError(re.sub("|".join(names), lambda name: flag(name[0]), str(error))) from None
