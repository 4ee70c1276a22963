"""The way in: find the command, and turn every mistake into one line and an exit status.

People read tables on standard output and progress on standard error. With --json, one JSON object goes to standard
output, and nothing else does.
"""

import argparse
import errno
import os
import sys
import traceback
from inspect import cleandoc
from types import ModuleType
from typing import NoReturn

import numpy as np

from minisft import __version__, parallel
from minisft.cli.commands import (
    chat,
    course,
    demo,
    doctor,
    evaluate,
    export,
    film,
    generate,
    gradcheck,
    grade,
    inspect,
    merge,
    playground,
    pretrain,
    sft,
)
from minisft.cli.console import complain, say
from minisft.cli.spelling import ours
from minisft.errors import MinisftError
from minisft.formats.files import by_its_name
from minisft.runs import allocator

COMMANDS = (
    demo,
    playground,
    pretrain,
    sft,
    film,
    evaluate,
    generate,
    chat,
    inspect,
    doctor,
    gradcheck,
    merge,
    export,
    course,
    grade,
)
SHARED = (pretrain, sft)  # among the ranks that mpiexec starts: `run(arguments, ranks)`


class Parser(argparse.ArgumentParser):
    """Errors are MinisftErrors, so that a wrong flag is reported like any other mistake: in one line."""

    def error(self, message: str) -> NoReturn:
        raise MinisftError(f"{message.removeprefix('argument ')}; see {self.prog} --help")


def name_of(command: ModuleType) -> str:
    """minisft.cli.commands.sft -> sft"""
    return command.__name__.rpartition(".")[2]


def parser() -> Parser:
    """The parser of `minisft`; what it parses has the field `command` and one field per flag."""
    top = Parser(
        prog="minisft",
        allow_abbrev=False,
        description="Supervised fine-tuning of a small language model, from scratch in NumPy.",
        epilog="Each command has its own help: minisft sft --help",
    )
    top.add_argument("--version", action="version", version=f"minisft {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        help, _, example = cleandoc(command.__doc__ or "").partition("\n\n")
        own = commands.add_parser(
            name_of(command),
            help=help,
            description=help,
            epilog=example,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_flags(own)
    return top


def main(argv: list[str] | None = None) -> None:
    """Run one command. Raises SystemExit if its status is not 0.

    2: the user's mistake, in one line on standard error; 3: a check failed; 130: Ctrl-C; 141: nobody reads the output.
    If one of several ranks fails, it ends them all.
    """
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without λ is no reason to stop
    allocator.keep_freed_arrays()
    ranks = parallel.ALONE
    try:
        ranks = parallel.join()
        with ranks.with_one_voice():
            arguments = parser().parse_args(ours(sys.argv[1:] if argv is None else argv))
            with np.errstate(all="ignore"):  # numbers that are not finite are refused, in words, where it matters
                status = run(arguments, ranks)
            if sys.stdout:
                sys.stdout.flush()
    except MinisftError as error:
        status = complain(error, 2)
    except OSError as error:
        status = 141 if nobody_reads(error) else complain(told(error), 2)  # quietly
    except MemoryError as error:
        status = complain(f"not enough memory ({error}); try smaller sizes or a smaller --batch-size", 2)
    except KeyboardInterrupt as interrupt:
        say(f"minisft: interrupted{f': {interrupt}' if interrupt.args else ''}")
        status = 130
    except BaseException as error:  # our own mistake; and the end of --help
        if isinstance(error, SystemExit) and not error.code:
            raise
        for line in traceback.format_exc().splitlines():
            say(line)
        status = 1
    finally:
        drop_unwritten()
    if status:
        ranks.abort(status)  # or the others would wait for this one forever
        raise SystemExit(status)


def run(arguments: argparse.Namespace, ranks: parallel.Ranks) -> int | None:
    """Run the command that was asked for; returns its exit status, or None for 0."""
    command = next(command for command in COMMANDS if name_of(command) == arguments.command)
    if command in SHARED:
        return command.run(arguments, ranks)
    if ranks.size > 1:
        known = " and ".join(map(name_of, SHARED))
        raise MinisftError(f"{arguments.command}: runs in one process; only {known} can use several; leave out mpiexec")
    return command.run(arguments)


def nobody_reads(error: OSError) -> bool:
    """Whether the reader of our output has left. Windows has no word for that and says that something is wrong."""
    unnamed = os.name != "posix" and error.errno == errno.EINVAL and error.filename is None
    return isinstance(error, BrokenPipeError) or unnamed


def told(error: OSError) -> str:
    """What the system refused, and where: what has no name is a stream that this process was given."""
    why = error.strerror or str(error)
    if error.filename is None:
        return f"standard output: cannot be written ({why}); make room, or send it elsewhere"
    return f"{by_its_name(os.fsdecode(error.filename))}: {why}; check the place, its permissions and its room"


def drop_unwritten() -> None:
    """Throw away what standard output and error did not take, or Python would try again at its end, and complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
