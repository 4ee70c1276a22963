"""Write the notebooks of the course to a folder: exercises to be solved, no outputs.

example:
  minisft course my-course
"""

from pathlib import Path

from minisft.cli import flags
from minisft.cli.console import print_json, show
from minisft.course import copies


def add_flags(parser):
    parser.add_argument("directory", type=flags.path, metavar="DIR", help="a folder; made if it is not there")
    flags.switch(parser, "--overwrite", "replace notebooks that are in DIR, with the answers in them")
    flags.switch(parser, "--json", "print one JSON object")


def run(arguments):
    written = [str(path) for path in copies.write(Path(arguments.directory), arguments.overwrite)]
    if arguments.json:
        print_json({"notebooks": written})
    for path in [] if arguments.json else written:
        show(path)
