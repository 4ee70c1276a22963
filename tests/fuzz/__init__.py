"""Damaged files, odd combinations and odd flags by the thousand: `python -m tests.fuzz --help`."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: two threads on shared cores spin
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

TESTS = str(Path(__file__).parents[1])
if TESTS not in sys.path:  # as pytest does, for `support`
    sys.path.insert(0, TESTS)
