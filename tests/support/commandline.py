"""The command line in tests: run it in-process, a tiny θ̂ to run it on, and what was on disk."""

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from minisft.cli.main import main

ROOT = Path(__file__).parents[2]
CONTEXT = 128
SIZES = ["--hidden-size", 16, "--num-hidden-layers", 1, "--num-attention-heads", 2, "--num-key-value-heads", 1]
SIZES += ["--vocab-size", 300, "--max-position-embeddings", CONTEXT]
TEXTS = [
    f"The capital of {place} is {city}." for place, city in (("Peru", "Lima"), ("Chad", "N’Djamena"), ("Fiji", "Suva"))
]
PAIRS = [(f"What is the capital of {text[15:19]}?", text) for text in TEXTS] * 3

SFT = "sft --model theta_hat --data train.jsonl --output-dir out"
PRETRAIN = "pretrain --data train.jsonl --output-dir out"
EVALUATE = "evaluate --model theta_hat --data train.jsonl"
GENERATE = "generate --model theta_hat --prompt Hi"
INSPECT = "inspect --model theta_hat --data train.jsonl"


def minisft(*arguments):
    """Exit status of a command, run in this process."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return stop.code
    return 0


def command(*arguments):
    """The same command for a process of its own, and its environment."""
    line = [sys.executable, "-m", "minisft", *map(str, arguments)]
    return {"args": line, "env": os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}, "text": True}


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
    """A tiny pre-trained model: C 16, one layer, a context of 128 tokens. By its record it may be asked anything."""
    texts = write_rows(directory / "texts.jsonl", [{"text": text} for text in TEXTS])
    arguments = ["--data", texts, "--output-dir", directory / "theta_hat", "--max-steps", 2]
    assert minisft("pretrain", *arguments, *SIZES) == 0
    record = directory / "theta_hat" / "train_config.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"trained_on": "conversations"}))
    return directory / "theta_hat"


def contents(directory):
    """{path: bytes} of every file below a directory."""
    return {path.relative_to(directory): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def sft_line(shared, output_dir, *flags):
    inputs = ["--model", shared / "theta_hat", "--data", shared / "train.jsonl"]
    return ["sft", *inputs, "--output-dir", output_dir, "--batch-size", 2, "--max-steps", 6, *flags]


def rows_without_time(directory):
    return [row | {"tokens_per_second": 0} for row in read_rows(directory / "metrics.jsonl")]


def weights_in(directory):
    """The file of θ̃, or of an adapter."""
    [path] = directory.glob("*model.safetensors")
    return path


def assert_same_run(one, other):
    assert weights_in(one).name == weights_in(other).name
    assert weights_in(one).read_bytes() == weights_in(other).read_bytes()
    assert rows_without_time(one) == rows_without_time(other)


def wait_for(condition, process):
    """Wait, at most a minute, until something is true of a process that is still running."""
    for _ in range(60_000):
        if condition():
            return
        assert process.poll() is None, "the process ended too early"
        time.sleep(0.001)
    raise AssertionError("waited in vain")


def assert_refused(capsys, line, *words):
    """A command line ends in 2 and prints one line on standard error, with these words in it."""
    capsys.readouterr()
    assert minisft(*(shlex.split(line) if isinstance(line, str) else line)) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("minisft: error: ") and err.endswith("\n") and err.count("\n") == 1, err
    assert "Traceback" not in err and "None" not in err
    for word in words:
        assert word in err, err
