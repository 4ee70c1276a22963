"""Write the notebooks of the course to a folder, with the exercises unsolved and no outputs.

examples:
  minisft course my-course
  minisft course copy-17 --variant 17
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from minisft.cli import flags
from minisft.cli.console import print_json, show
from minisft.config import whole
from minisft.course import copies


def add_flags(parser: ArgumentParser) -> None:
    parser.add_argument("directory", type=flags.path, metavar="DIR", help="a folder, which is made if needed")
    flags.switch(parser, "--overwrite", "replace notebooks in DIR, and the answers in them")
    dealt = "other numbers, letters, countries and mistakes where an answer is a value: neighbours' answers differ"
    flags.option(parser, "--variant", dealt, whole(0), metavar="N")
    flags.switch(parser, "--nbgrader", "write an assignment of nbgrader for each notebook, below DIR/source")
    flags.as_json(parser)


def run(arguments: Namespace) -> None:
    given = arguments.overwrite, arguments.variant, arguments.nbgrader
    written = [str(path) for path in copies.write(Path(arguments.directory), *given)]
    if arguments.json:
        print_json({"notebooks": written})
    for path in [] if arguments.json else written:
        show(path)
