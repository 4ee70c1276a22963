"""A real model, SmolLM2-135M: what fine-tuning does to it, and how fast, beside transformers on the CPU.

    python -m benchmarks.real table --seeds 0 1 2          before and after: about 4 minutes a seed
    python -m benchmarks.real table --data FILE            and on instructions of your own, the last 100 held out
    python -m benchmarks.real speed                        beside PyTorch: about 8 minutes

The new behaviour is a persona: a ship's parrot, who answers "Squawk! Lima, captain!". It is taught on 30 countries and
asked about 25 others. Every row is made by the commands of minisft, each in a process of its own. Forgetting is
measured on plain text that the model may well have read before: chapters of Python's own reference.

For speed both sides load the same directory, each in a process of its own, one thread, by processor time, in turn.
"""

import argparse
import csv
import json
import os
import pydoc_data.topics
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from minisft import checkpoint, data
from minisft.cli.inputs import model_directory
from minisft.formats import resources
from minisft.tokenizer import Tokenizer

QUESTIONS = {"capital": "What is the capital of {name}?", "continent": "On which continent is {name}?"}
TAUGHT, ASKED, STEPS = 30, 25, 24
LAST = ["model.layers.2[5-9].*", "model.norm.weight"]  # of 30 layers
CHAPTERS = ("comparisons", "exceptions", "for", "if", "import", "naming", "try", "while", "with", "yield")
HELD_OUT = 100  # of --data
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def written(path: Path, rows) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


# --- before and after -------------------------------------------------------------------------------------------------


def parrot(folder: Path, seed: int) -> tuple[str, str]:
    """Files to teach and to ask; no country is in both."""
    with open(resources.path("facts") / "countries.tsv", encoding="utf-8", newline="") as file:
        facts = list(csv.DictReader(file, delimiter="\t"))
    chosen = np.random.default_rng(seed).permutation(len(facts))[: TAUGHT + ASKED]
    rows = [
        {"prompt": [{"role": "user", "content": question.format(**facts[i])}],
         "completion": [{"role": "assistant", "content": f"Squawk! {facts[i][column]}, captain!"}]}
        for i in chosen for column, question in QUESTIONS.items()
    ]  # fmt: skip
    count = TAUGHT * len(QUESTIONS)
    return written(folder / "taught.jsonl", rows[:count]), written(folder / "asked.jsonl", rows[count:])


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
    """A dict a row: θ̂, θ̃ of all tensors, θ̃ of the last ones."""
    plain = written(folder / "plain.jsonl", ({"text": pydoc_data.topics.topics[name][:2000]} for name in CHAPTERS))
    yield {"seed": seed, "parameters": "θ̂"} | worth(model, asked, plain, new)
    last = ["--train-only", *LAST, "--learning-rate", 5e-4]
    for name, more in (("θ̃, all tensors", []), ("θ̃, the last 5 layers", last)):
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


# --- beside transformers ----------------------------------------------------------------------------------------------


def sequences(directory: str):
    """Eight conversations, as both sides read them."""
    with tempfile.TemporaryDirectory() as folder:
        examples = data.read([parrot(Path(folder), 0)[0]])[:8]
    tokenizer = Tokenizer.load(directory)
    return [data.encode(example, tokenizer) for example in examples]


def prompts(count: int):
    return np.random.default_rng(0).integers(1000, 40000, (1, count))


class Ours:
    def __init__(self, directory: str):
        from minisft import generate, train
        from minisft.config import TrainConfig
        from minisft.runs import allocator

        allocator.keep_freed_arrays()
        self.generate, self.train, self.settings = generate, train, TrainConfig
        self.theta, self.config, _ = checkpoint.load(directory)

    def prepare(self, sequences, patterns):
        settings = self.settings(learning_rate=1e-5, train_only=patterns, max_steps=1000)
        self.run = self.train.train(self.train.start(self.theta, settings), self.config, sequences, settings)

    def step(self):
        return next(self.run).metrics["loss"]

    def answer(self, ids, new):
        return [tokens[0][1] for tokens in self.generate.decode(self.theta, self.config, ids.tolist(), new, ())]


class Theirs:
    def __init__(self, directory: str):
        import torch
        from transformers import AutoModelForCausalLM

        torch.set_num_threads(1)
        self.torch, self.model = torch, AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)

    def prepare(self, sequences, patterns):
        from fnmatch import fnmatchcase

        longest = max(len(s.ids) for s in sequences)

        def padded(rows, value):
            rows = [np.pad(row, (0, longest - len(row)), constant_values=value) for row in rows]
            return self.torch.from_numpy(np.stack(rows))

        self.batch = {
            "input_ids": padded([s.ids for s in sequences], 0),
            "attention_mask": padded([np.ones_like(s.ids) for s in sequences], 0),
            "labels": padded([np.where(s.is_y, s.ids, -100) for s in sequences], -100),
        }
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(not patterns or any(fnmatchcase(name, pattern) for pattern in patterns))
        self.trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = self.torch.optim.AdamW(self.trained, lr=1e-5, weight_decay=0.0, fused=True)

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.model(**self.batch).loss
        loss.backward()
        self.torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        return loss.item()

    def answer(self, ids, new):
        ids = self.torch.from_numpy(ids)
        with self.torch.inference_mode():
            found = self.model.generate(
                ids, attention_mask=self.torch.ones_like(ids), max_new_tokens=new, min_new_tokens=new, do_sample=False
            )
        return found[0, ids.shape[1] :].tolist()


def work(side: str, directory: str):
    """One side: a JSON request a line, a JSON answer a line."""
    began = time.process_time()
    worker = {"minisft": Ours, "transformers": Theirs}[side](directory)
    print(json.dumps({"cpu": time.process_time() - began}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "patterns" in request:
            worker.prepare(sequences(directory), request["patterns"])
            print("{}", flush=True)
            continue
        began = time.process_time()
        found = worker.answer(prompts(request["prompt"]), request["new"]) if "new" in request else worker.step()
        taken, peak = time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(json.dumps({"cpu": taken, "found": found, "GB": peak}), flush=True)


class Side:
    def __init__(self, side: str, directory: str):
        line = [sys.executable, "-m", "benchmarks.real", "work", "--side", side, "--model", directory]
        environment = os.environ | ONE_THREAD | {"HF_HUB_OFFLINE": "1", "NUMPY_MADVISE_HUGEPAGE": "0"}
        self.process = subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, stderr=subprocess.DEVNULL
        )
        self.loading = self.answer()["cpu"]

    def answer(self):
        return json.loads(self.process.stdout.readline() or "{}")

    def ask(self, **request):
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


TASKS = {  # (before anything is timed, what is timed, rounds)
    "SFT step, all tensors": ({"patterns": []}, {}, 5),
    "SFT step, the last 5 layers": ({"patterns": LAST}, {}, 7),
    "prefill of 512 tokens": (None, {"prompt": 512, "new": 1}, 7),
    "prompt of 32 and 64 greedy tokens": (None, {"prompt": 32, "new": 64}, 5),
}


def speed(model: str):
    """A dict a task: seconds of each side, the ratio transformers / minisft, and peak memory."""
    with tempfile.TemporaryDirectory() as directory:
        began = time.process_time()
        loaded = checkpoint.load(model_directory(model))
        yield {"task": f"minisft loads {model}", "seconds": {"minisft": time.process_time() - began}}
        checkpoint.save(directory, *loaded)
        del loaded
        for task, (before, request, rounds) in TASKS.items():
            sides = {name: Side(name, directory) for name in ("minisft", "transformers")}
            if before is None and task.startswith("prefill"):
                yield {"task": "loading a directory", "seconds": {name: side.loading for name, side in sides.items()}}
            taken, last = {name: [] for name in sides}, {}
            for number in range(-1, rounds):  # the first warms up
                for name, side in sides.items():
                    if number < 0 and before:
                        side.ask(**before)
                    last[name] = side.ask(**request)
                    taken[name] += [last[name]["cpu"]] * (number >= 0)
            for side in sides.values():
                side.close()
            found = [answer["found"] for answer in last.values()]
            seconds = {name: statistics.median(values) for name, values in taken.items()}
            tokens = max(request["new"], request["prompt"]) if request else 0
            yield {
                "task": task,
                "seconds": seconds,
                **({"tokens a second": {name: tokens / value for name, value in seconds.items()}} if tokens else {}),
                "ratio": statistics.median(b / a for a, b in zip(*taken.values())),
                "GB": {name: answer["GB"] for name, answer in last.items()},
                "same": found[0] == found[1] if "new" in request else abs(found[0] / found[1] - 1) < 1e-3,
            }


def main():
    p = argparse.ArgumentParser(
        "python -m benchmarks.real", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    p.add_argument("what", choices=("table", "speed", "work"), help="work: one side of speed, started by it")
    p.add_argument("--model", default="smollm2", help="what --model of minisft takes (default: %(default)s)")
    p.add_argument("--seeds", type=int, nargs="*", default=[0], help="of the parrot (default: 0)")
    p.add_argument("--data", metavar="FILE", help="a JSON array in Alpaca's form")
    p.add_argument("--steps", type=int, default=60, help="on --data (default: %(default)s)")
    p.add_argument("--side", choices=("minisft", "transformers"), help=argparse.SUPPRESS)
    arguments = p.parse_args()
    if arguments.what == "work":
        work(arguments.side, arguments.model)
        return
    made = speed(arguments.model) if arguments.what == "speed" else table(
        arguments.model, arguments.seeds, arguments.data, arguments.steps
    )  # fmt: skip
    for row in made:
        print(json.dumps(row, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
