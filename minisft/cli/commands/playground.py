"""Open the playground in the browser: press Train, and watch a model learn to answer.

example:
  minisft playground
  minisft playground --model theta_tilde --no-browser
"""

import webbrowser
from argparse import ArgumentParser, Namespace

from minisft.cli import flags
from minisft.cli.console import show
from minisft.cli.inputs import model_directory
from minisft.config import whole
from minisft.errors import MinisftError


def add_flags(parser: ArgumentParser) -> None:
    known = "where runs start: a directory, a .gguf file, atlas or smollm2"
    flags.option(parser, "--model", known, flags.path, "atlas", metavar="DIR")
    flags.option(parser, "--port", "port of this machine to listen at; 0 takes a free one", whole(0, 65535), 0)
    flags.switch(parser, "--no-browser", "print the address, and open no browser")


def run(arguments: Namespace) -> None:
    try:
        from minisft.playground.server import serve  # an extra
    except ImportError:
        raise MinisftError('playground: needs a server; pip install "minisft[playground]"') from None

    def ready(address: str) -> None:
        show(address)
        if not arguments.no_browser:
            webbrowser.open(address)

    serve((arguments.model, str(model_directory(arguments.model).resolve())), arguments.port, ready)
