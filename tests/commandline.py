"""The command line in tests: run it in-process, a tiny θ̂ to run it on, and what was on disk."""

import json
import os
import subprocess
import sys
from pathlib import Path

from minisft import cli

ROOT = Path(__file__).parents[1]
CONTEXT = 128
SIZES = ["--hidden-size", 16, "--num-hidden-layers", 1, "--num-attention-heads", 2, "--num-key-value-heads", 1]
SIZES += ["--vocab-size", 300, "--max-position-embeddings", CONTEXT]
TEXTS = [
    f"The capital of {place} is {city}." for place, city in (("Peru", "Lima"), ("Chad", "N’Djamena"), ("Fiji", "Suva"))
]
PAIRS = [(f"What is the capital of {text[15:19]}?", text) for text in TEXTS] * 3


def minisft(*arguments):
    """Exit status of a command, run in this process."""
    try:
        cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return stop.code
    return 0


def command(*arguments):
    """The same command for a process of its own, and its environment."""
    line = [sys.executable, "-m", "minisft", *map(str, arguments)]
    return {"args": line, "env": os.environ | {"PYTHONPATH": str(ROOT)}, "text": True}


def subprocess_of(*arguments, **more):
    return subprocess.run(**command(*arguments), capture_output=True, timeout=60, **more)


def conversation(question, answer):
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read_rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_pairs(path):
    return write_rows(path, [conversation(*pair) for pair in PAIRS])


def make_theta_hat(directory):
    """A tiny pre-trained model: C 16, one layer, a context of 128 tokens."""
    texts = write_rows(directory / "texts.jsonl", [{"text": text} for text in TEXTS])
    arguments = ["--data", texts, "--output-dir", directory / "theta_hat", "--max-steps", 2]
    assert minisft("pretrain", *arguments, *SIZES) == 0
    return directory / "theta_hat"


def contents(directory):
    """{path: bytes} of every file below a directory."""
    return {path.relative_to(directory): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}
