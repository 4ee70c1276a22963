"""Write a model as one .gguf file, for llama.cpp and the programs built on it.

example:
  minisft export --model theta_tilde --gguf theta_tilde.gguf
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from minisft import checkpoint
from minisft.cli import flags
from minisft.cli.console import print_json, show
from minisft.cli.inputs import model_directory
from minisft.errors import MinisftError
from minisft.formats.apart import require_apart
from minisft.formats.gguf import write as gguf_export
from minisft.runs.directory import require_no_part


def add_flags(parser: ArgumentParser) -> None:
    target = "the file to write, in float32; its name ends in .gguf"
    flags.model(parser)
    flags.option(parser, "--gguf", target, flags.path, required=True, metavar="FILE")
    flags.switch(parser, "--overwrite", "replace FILE if it exists")
    flags.as_json(parser)


def run(arguments: Namespace) -> None:
    source, target = model_directory(arguments.model), Path(arguments.gguf)
    if target.suffix.lower() != ".gguf" or target.is_dir():
        why = "is a directory" if target.is_dir() else "does not end in .gguf"
        raise MinisftError(f"--gguf: {target} {why}; name a file that ends in .gguf")
    require_apart(target, [source], "--gguf")
    require_no_part(target, "--gguf")
    if target.exists() and not arguments.overwrite:
        raise MinisftError(f"--gguf: {target} already exists; name another file, or give --overwrite")
    theta, config, tokenizer = checkpoint.load(source)
    gguf_export.write(target, theta, config, tokenizer)
    size = target.stat().st_size
    if arguments.json:
        print_json({"gguf": str(target), "num_parameters": theta.flat.size, "bytes": size})
    else:
        show(f"{target}: {theta.flat.size:,} parameters in {size / 1e6:,.1f} MB")
