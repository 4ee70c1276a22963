"""A command on a terminal of its own: what the terminal is sent, byte for byte."""

import os
import pty
import select
import subprocess
import sys
import time

from support.commandline import ROOT

START = """
import sys
from minisft.cli.main import main
{first}
main(sys.argv[1:])
"""


def on_a_terminal(*arguments, typed="", first="", stdout=None):
    """(exit status, all that reaches the terminal) of a command that is typed there; `first` is run before it.

    stdout  the file that standard output is directed to, if it is
    """
    ours, theirs = pty.openpty()
    line = [sys.executable, "-c", START.format(first=first), *map(os.fspath, map(str, arguments))]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "200"}
    streams = {"stdin": theirs, "stdout": stdout or theirs, "stderr": theirs}
    process = subprocess.Popen(line, **streams, env=environment, start_new_session=True)
    os.close(theirs)
    os.write(ours, typed.encode())
    received, until = b"", time.monotonic() + 60
    while time.monotonic() < until:
        if not select.select([ours], [], [], 0.1)[0]:
            continue
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux says so where others send nothing: the other side is closed
            break
        if not piece:
            break
        received += piece
    os.close(ours)
    return process.wait(timeout=10), received.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
