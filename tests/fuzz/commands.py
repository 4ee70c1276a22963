"""Whole commands: runs that go on from damaged files, and flags that nobody would give."""

import atexit
import contextlib
import io
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

from support import commandline

from . import right
from .mutate import mutant_of_bytes, mutant_of_json


def command(*arguments):
    """(status, standard output, standard error) of a command in this process."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        status = commandline.minisft(*arguments)
    return status, out.getvalue(), err.getvalue()


def ended_well(status, out, err):
    """ "right" or "refused"; a command that fails says so in one line, the last."""
    right.require("Traceback" not in out + err, "a traceback", err[-400:])
    complaints = [line for line in err.splitlines() if line.startswith("minisft: error: ")]
    right.require(all(line.isprintable() for line in err.splitlines()), "not made visible", err[-400:])
    if status == 2:
        right.require(complaints == err.splitlines()[-1:], "not one line, the last, of error", err[-400:])
        return "refused"
    right.require(status in (0, 3) and not complaints, "exit status", status, err[-400:])
    return "right"


@cache
def prepare():
    """A place with θ̂, data, a run of 4 steps that has ended, and the same killed after its third; the bytes of θ̃."""
    place = Path(tempfile.mkdtemp(prefix="minisft-fuzz-originals-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        commandline.make_theta_hat(place)
        commandline.write_pairs(place / "train.jsonl")
        assert commandline.minisft(*line_of(place, place / "ended")) == 0
    shutil.copytree(place / "ended", place / "killed")
    shutil.rmtree(place / "killed" / "checkpoint-4")
    for name in ("model.safetensors", "README.md"):
        (place / "killed" / name).unlink()
    return place, (place / "ended" / "model.safetensors").read_bytes()


def line_of(place, run):
    return commandline.sft_line(place, run, "--max-steps", 4, "--save-steps", 2)


def resumed(rng, place, target, change):
    """Change a file of a run, and resume it: it ends in the same θ̃, or is refused; no checkpoint is lost."""
    originals, theta_tilde = prepare()
    run = place / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(originals / rng.choice(("ended", "killed", "killed")), run)
    (run / target).write_bytes(change((run / target).read_bytes()))
    before = contents_of(run / "checkpoint-2")
    ended = ended_well(*command(*line_of(originals, run), "--resume"))
    kept = [folder for folder in run.glob("checkpoint-2*") if folder.is_dir()]
    right.require(before in map(contents_of, kept), "a checkpoint is lost")
    if ended == "right":
        right.require((run / "model.safetensors").read_bytes() == theta_tilde, "resumed, θ̃ is another")
    return ended


def contents_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def of_json(rng):
    return lambda content: (
        mutant_of_json(json.loads(content), rng) if rng.random() < 0.9 else mutant_of_bytes(content, rng)
    )


def record(rng, place):
    return resumed(rng, place, "train_config.json", of_json(rng))


def counters(rng, place):
    return resumed(rng, place, "checkpoint-2/trainer_state.json", of_json(rng))


def metrics(rng, place):
    def change(content):
        lines = content.split(b"\n")
        at = rng.randrange(len(lines) - 1)
        lines[at] = mutant_of_json(json.loads(lines[at]), rng)
        return b"\n".join(lines) if rng.random() < 0.8 else mutant_of_bytes(content, rng)

    return resumed(rng, place, "metrics.jsonl", change)


def moments(rng, place):
    name = rng.choice(("optimizer.safetensors", "model.safetensors"))
    return resumed(rng, place, f"checkpoint-2/{name}", lambda content: mutant_of_bytes(content, rng, 400))


VALUES = [
    "",
    " ",
    "0",
    "1",
    "2",
    "3",
    "-1",
    "0.5",
    "1e-3",
    "1e308",
    "1e999",
    "nan",
    "inf",
    "-inf",
    "1_0",
    "٣",
    "0x2",
    "1e",
    "9" * 25,
]
VALUES += [
    "9" * 5000,
    "é",
    "\udcff",
    "a\nb",
    "\x1b[31m",
    "a" * 5000,
    "--",
    "-",
    "-h",
    "[",
    "*",
    "..",
    "/",
    "/dev/null",
    "~",
]
VALUES += [
    "None",
    "true",
    "adamw",
    "sgd",
    "sum",
    "cosine",
    "float64",
    "all",
    "last",
    "cut",
    "drop",
    "error",
    "Hi",
    "<|im_end|>",
]
FLAGS = [
    "--model",
    "--data",
    "--output-dir",
    "--eval-data",
    "--eval-steps",
    "--save-steps",
    "--logging-steps",
    "--learning-rate",
    "--batch-size",
    "--gradient-accumulation-steps",
    "--optim",
    "--adam-beta1",
    "--adam-beta2",
    "--adam-epsilon",
    "--weight-decay",
    "--max-grad-norm",
    "--lr-scheduler-type",
    "--warmup-steps",
    "--prompt-loss-weight",
    "--loss-reduction",
    "--seed",
    "--no-shuffle",
    "--train-only",
    "--dtype",
    "--assistant-turns",
    "--max-length",
    "--on-too-long",
    "--resume",
    "--overwrite",
    "--json",
    "--per-example",
    "--max-new-tokens",
    "--temperature",
    "--top-k",
    "--top-p",
    "--prompt",
    "--system",
    "--raw",
    "--output",
    "--num-samples",
    "--gguf",
    "--vocab-size",
    "--hidden-size",
    "--num-attention-heads",
    "--num-key-value-heads",
    "--head-dim",
    "--max-position-embeddings",
    "--num-train-epochs",
    "--version",
    "--unknown",
    "-x",
]
LINES = {
    "sft": "sft --model {m} --data {d} --output-dir {o} --batch-size 2 {x} --max-steps 1",
    "pretrain": "pretrain --data {t} --output-dir {o} --hidden-size 16 --num-hidden-layers 1 --num-attention-heads 2 "
    "--vocab-size 300 {x} --max-steps 1",
    "evaluate": "evaluate --model {m} --data {d} --max-new-tokens 2 {x}",
    "generate": "generate --model {m} --prompt Hi --max-new-tokens 2 {x}",
    "inspect": "inspect --model {m} --data {d} {x}",
    "export": "export --model {m} --gguf {o}/model.gguf {x}",
    "gradcheck": "gradcheck --model {m} --data {d} {x}",
}


def flags(rng, place):
    """A command of which one to three flags are others, or have other values."""
    originals, _ = prepare()
    names = {"m": "theta_hat", "d": "train.jsonl", "t": "texts.jsonl", "o": "out"}
    names = {key: str(originals / name) if key != "o" else str(place / name) for key, name in names.items()}
    extra = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        extra.append(rng.choice(FLAGS))
        paths = [*names.values(), f"{place}/out/model.gguf", f"{names['m']}/config.json", "atlas"]
        extra += [rng.choice(VALUES + paths) for _ in range(rng.choice((0, 1, 1, 1, 2)))]
    command_name = rng.choice(list(LINES))
    line = [
        word for part in LINES[command_name].split() for word in (extra if part == "{x}" else [part.format(**names)])
    ]
    before = commandline.contents(originals / "theta_hat")
    with contextlib.chdir(place):
        ended = ended_well(*command(*line))
    right.require(commandline.contents(originals / "theta_hat") == before, "what is read was changed", line)
    for path in place.iterdir():
        if path.name not in ("out", "run") and not path.is_dir():
            path.unlink()
    shutil.rmtree(place / "out", ignore_errors=True)
    return ended
