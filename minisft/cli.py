"""The command line: one function a command, and `main`, which turns every mistake into one line and an exit status.

The flags are in flags.py. People read tables on standard output and progress on standard error; with --json there is one
JSON object on standard output and nothing else.
"""

import json
import os
import re
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np

from minisft import allocator, checkpoint, data, evaluate, flags, model, modelcheck, runs, screen, shipped
from minisft.chat import Conversation, lines
from minisft.config import ModelConfig, TrainConfig, flag
from minisft.errors import MinisftError
from minisft.files import replacing
from minisft.generate import generate
from minisft.receipt import receipt
from minisft.tokenizer import Tokenizer
from minisft.train import default_learning_rate, steps_in

# --- main -------------------------------------------------------------------------------------------------------------


def main(argv: list[str] | None = None):
    """Run one command. Raises SystemExit with the status of commands.md if it is not 0."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without λ is no reason to stop
    allocator.keep_freed_arrays()
    try:
        arguments = flags.parser().parse_args(argv)
        with np.errstate(all="ignore"):  # what is not finite is refused where it matters, in words
            status = COMMANDS[arguments.command](arguments)
        sys.stdout.flush()
    except MinisftError as error:
        status = complain(error, 2)
    except BrokenPipeError:  # the reader of our output has left: so do we, quietly
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        status = 141
    except OSError as error:
        status = complain(f"{error.filename or 'input or output'}: {error.strerror or error}", 2)
    except MemoryError as error:
        status = complain(f"not enough memory ({error}); try smaller sizes or a smaller --batch-size", 2)
    except KeyboardInterrupt as interrupt:
        screen.say(f"minisft: interrupted{f': {interrupt}' if interrupt.args else ''}")
        status = 130
    if status:
        raise SystemExit(status)


def complain(error, status):
    screen.say("minisft: error: " + " ".join(str(error).splitlines()))
    return status
