"""A step, a prompt and an answer of a real model, compared with transformers and PEFT on the CPU.

Both sides load the same directory, each in a process of its own, one thread, by processor time, in turn. What is
compared is in TASKS; `python -m benchmarks.real speed` runs it.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.parrot import parrot
from minisft import checkpoint, data
from minisft.cli.inputs import model_directory
from minisft.tokenizer import Tokenizer

ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
LAST = ["model.layers.2[5-9].*", "model.norm.weight"]  # of 30 layers
RATE = 1e-5  # of every step that is timed


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

    def prepare(self, sequences, patterns=(), lora=0, kept=0):
        """kept: MB for what the frozen blocks compute; its first step, which computes it, is not timed."""
        chosen = {"train_only": patterns, "lora_r": lora, "cache_frozen": kept}
        settings = self.settings(learning_rate=RATE, max_steps=1000, **chosen)
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

    def prepare(self, sequences, patterns=(), lora=0, kept=0):
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
        if lora:
            from peft import LoraConfig, get_peft_model

            settings = {"r": lora, "lora_alpha": 2 * lora, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
            self.model = get_peft_model(self.model, LoraConfig(**settings))
        for name, parameter in self.model.named_parameters() if not lora else ():
            parameter.requires_grad_(not patterns or any(fnmatchcase(name, pattern) for pattern in patterns))
        self.trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = self.torch.optim.AdamW(self.trained, lr=RATE, weight_decay=0.0, fused=True)

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
        if "prepare" in request:
            worker.prepare(sequences(directory), **request["prepare"])
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
    "SFT step, all tensors": ({"prepare": {}}, {}, 5),
    "SFT step, the last 5 layers, nothing kept": ({"prepare": {"patterns": LAST}}, {}, 7),
    "SFT step, the last 5 layers": ({"prepare": {"patterns": LAST, "kept": 1024}}, {}, 7),
    "SFT step, LoRA r 8": ({"prepare": {"lora": 8}}, {}, 7),
    "SFT step, LoRA r 16": ({"prepare": {"lora": 16}}, {}, 7),
    "prefill of 512 tokens": (None, {"prompt": 512, "new": 1}, 7),
    "prompt of 32 and 64 greedy tokens": (None, {"prompt": 32, "new": 64}, 5),
}


def speed(model: str, wanted: str = ""):
    """A dict a task: seconds of each side, the ratio transformers / minisft, and peak memory.

    wanted  only the tasks with this in their names
    """
    with tempfile.TemporaryDirectory() as directory:
        began = time.process_time()
        loaded = checkpoint.load(model_directory(model))
        yield {"task": f"minisft loads {model}", "seconds": {"minisft": time.process_time() - began}}
        checkpoint.save(directory, *loaded)
        del loaded
        for task, (before, request, rounds) in TASKS.items():
            if wanted not in task:
                continue
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
