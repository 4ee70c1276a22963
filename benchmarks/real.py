"""A real model, SmolLM2-135M: what fine-tuning does to it, and how fast, beside transformers on the CPU.

    python -m benchmarks.real table --seeds 0 1 2          before and after: about 4 minutes a seed
    python -m benchmarks.real table --data FILE            and on instructions of your own, the last 100 held out
    python -m benchmarks.real speed                        beside PyTorch: about 8 minutes

The new behaviour is a persona: a ship's parrot, who answers "Squawk! Lima, captain!". It is taught on 30 countries and
asked about 25 others. Every row is made by the commands of minisft, each in a process of its own. Forgetting is
measured on plain text that the model may well have read before: chapters of Python's own reference.

For speed see beside_transformers.py.
"""

import argparse
import json
import os
import pydoc_data.topics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.beside_transformers import LAST, ONE_THREAD, speed, work
from benchmarks.parrot import parrot, written

STEPS = 24
LORA_RATE = 1e-3
CHAPTERS = ("comparisons", "exceptions", "for", "if", "import", "naming", "try", "while", "with", "yield")
HELD_OUT = 100  # of --data


# --- before and after -------------------------------------------------------------------------------------------------


def minisft(*arguments) -> tuple[dict, float, float]:
    """The object that a command with --json prints, its seconds of processor time, and its peak memory in GB."""
    line = [sys.executable, "-m", "minisft", *map(str, arguments), "--json"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, env=os.environ | ONE_THREAD) as process:
        out = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(process.returncode)  # its line of error is above
    return json.loads(out), used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6


def worth(model, questions: str, plain: str, new=32) -> dict:
    asked, _, _ = minisft("evaluate", "--model", model, "--data", questions, "--max-new-tokens", new)
    text, _, _ = minisft("evaluate", "--model", model, "--data", plain)
    per_token = {"log Pr(y|x)": asked, "log Pr of plain text": text}
    result = {name: found["log_prob"] / found["num_target_tokens"] for name, found in per_token.items()}
    return result | {"exact match": asked["exact_match"], "stop rate": asked["stop_rate"]}


def rows_of_table(model: str, folder: Path, taught: str, asked: str, seed: int, steps: int, new: int):
    """A dict a row: θ̂; θ̃ of all tensors, of the last ones, of adapters."""
    plain = written(folder / "plain.jsonl", ({"text": pydoc_data.topics.topics[name][:2000]} for name in CHAPTERS))
    yield {"seed": seed, "parameters": "θ̂"} | worth(model, asked, plain, new)
    last = ["--train-only", *LAST, "--learning-rate", 5e-4]
    lora = {f"θ̃, LoRA r {r}": ["--lora-r", r, "--learning-rate", LORA_RATE] for r in (8, 16)}
    for name, more in ({"θ̃, all tensors": [], "θ̃, the last 5 layers": last} | lora).items():
        flags = ["--output-dir", folder / "tilde", "--overwrite", "--max-steps", steps, "--seed", seed, *more]
        _, seconds, peak = minisft("sft", "--model", model, "--data", taught, *flags)
        row = {"seed": seed, "parameters": name} | worth(folder / "tilde", asked, plain, new)
        yield row | {"seconds": seconds, "GB": peak}


def table(model: str, seeds: list[int], own: str | None, steps: int):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for seed in seeds:
            yield from rows_of_table(model, folder, *parrot(folder, seed), seed, STEPS, 32)
        if own:
            examples = json.loads(Path(own).read_text(encoding="utf-8"))
            taught = written(folder / "taught.jsonl", examples[:-HELD_OUT])
            asked = written(folder / "asked.jsonl", examples[-HELD_OUT:])
            for row in rows_of_table(model, folder, taught, asked, 0, steps, 1):
                yield row | {"exact match": None, "stop rate": None, "data": Path(own).name}


def main():
    p = argparse.ArgumentParser(
        "python -m benchmarks.real", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    p.add_argument("what", choices=("table", "speed", "work"), help="work: one side of speed, started by it")
    p.add_argument("--model", default="smollm2", help="what --model of minisft takes (default: %(default)s)")
    p.add_argument("--seeds", type=int, nargs="*", default=[0], help="of the parrot (default: 0)")
    p.add_argument("--data", metavar="FILE", help="a JSON array in Alpaca's form")
    p.add_argument("--steps", type=int, default=60, help="on --data (default: %(default)s)")
    p.add_argument("--only", default="", metavar="TEXT", help="only the tasks of speed with this in their names")
    p.add_argument("--side", choices=("minisft", "transformers"), help=argparse.SUPPRESS)
    arguments = p.parse_args()
    if arguments.what == "work":
        work(arguments.side, arguments.model)
        return
    made = speed(arguments.model, arguments.only) if arguments.what == "speed" else table(
        arguments.model, arguments.seeds, arguments.data, arguments.steps
    )  # fmt: skip
    for row in made:
        print(json.dumps(row, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
