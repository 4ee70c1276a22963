"""Which tests need what only POSIX has: elsewhere they are skipped, and say so."""

import inspect
import os
import re

import pytest

POSIX = os.name == "posix"
NOT_IMPORTABLE = ["cli/test_terminal.py", "fuzz/test_*.py", "runs/test_fault_injection.py", "runs/test_lock.py"]
OF_POSIX = re.compile(r"mkfifo|umask|SIGKILL|send_signal|os\.fork|geteuid|\"/dev/|symlink_to|\.chmod\(|\bfcntl\b")


def needs_posix(function):
    """Whether a test mentions pipes with names, links, permissions, signals or devices."""
    return bool(OF_POSIX.search(inspect.getsource(function)))


def skip_what_needs_posix(items, posix=POSIX):
    for item in items:
        if not posix and needs_posix(item.function):
            item.add_marker(pytest.mark.skip(reason="needs what only POSIX has"))
