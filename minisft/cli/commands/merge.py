"""Merge an adapter (LoRA) with its base model, into one whole model.

example:
  minisft merge --adapter adapter --output-dir theta_tilde
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from minisft import adapter, checkpoint
from minisft.cli import flags
from minisft.cli.console import print_json, show
from minisft.cli.inputs import model_directory
from minisft.runs.directory import reserved


def add_flags(parser: ArgumentParser) -> None:
    base = "its base model, if that is not where the adapter says"
    flags.option(parser, "--adapter", "the directory of an adapter", flags.path, required=True, metavar="DIR")
    flags.option(parser, "--output-dir", "directory to write the model to", flags.path, required=True, metavar="DIR")
    flags.option(parser, "--model", base, flags.path, metavar="DIR")
    flags.machine(parser)


def run(arguments: Namespace) -> None:
    source, target = model_directory(arguments.adapter, "--adapter"), Path(arguments.output_dir)
    base = model_directory(arguments.model) if arguments.model else checkpoint.base_of(source)
    with reserved(target, [source, base], resume=False, overwrite=False):
        theta, config, tokenizer = checkpoint.load_unmerged(source, arguments.dtype, base)
        r, alpha = adapter.rank_and_alpha(theta)
        maps = len(adapter.modules(theta))
        whole = adapter.merged(theta, into=theta.base)
        checkpoint.save(target, whole, config, tokenizer)
    if arguments.json:
        print_json({"output_dir": str(target), "num_parameters": whole.flat.size, "r": r, "alpha": alpha, "maps": maps})
    else:
        show(f"{target}: {whole.flat.size:,} parameters, {maps} linear maps of which have changed by {alpha:g}/{r} B A")
