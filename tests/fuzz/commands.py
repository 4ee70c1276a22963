"""Whole commands: runs that go on from damaged files, and flags that nobody would give."""

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

STEPS = ["--max-steps", 4, "--save-steps", 2]


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
    """Where θ̂, the data and a run of 4 steps lie that was killed after its third; and the bytes of its θ̃."""
    place = Path(tempfile.mkdtemp(prefix="minisft-fuzz-originals-"))
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        commandline.make_theta_hat(place)
        commandline.write_pairs(place / "train.jsonl")
        assert commandline.minisft(*commandline.sft_line(place, place / "run", *STEPS)) == 0
    theta_tilde = (place / "run" / "model.safetensors").read_bytes()
    shutil.rmtree(place / "run" / "checkpoint-4")
    for name in ("model.safetensors", "README.md"):
        (place / "run" / name).unlink()
    return place, theta_tilde


def resumed(place, target, change):
    """Change a file of the run, and resume it: it ends in the same θ̃, or is refused; no file of a checkpoint is lost."""
    originals, theta_tilde = prepare()
    run = place / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(originals / "run", run)
    (run / target).write_bytes(change((run / target).read_bytes()))
    before = [path.read_bytes() for path in sorted((run / "checkpoint-2").iterdir())]
    ended = ended_well(*command(*commandline.sft_line(originals, run, *STEPS), "--resume"))
    kept = [path for path in run.glob("checkpoint-2*") if path.is_dir()]
    right.require(
        any([path.read_bytes() for path in sorted(folder.iterdir())] == before for folder in kept),
        "a checkpoint is lost",
    )
    if ended == "right":
        right.require((run / "model.safetensors").read_bytes() == theta_tilde, "resumed, θ̃ is another")
    return ended


def of_json(rng):
    return lambda content: (
        mutant_of_json(json.loads(content), rng) if rng.random() < 0.9 else mutant_of_bytes(content, rng)
    )


def record(rng, place):
    return resumed(place, "train_config.json", of_json(rng))


def counters(rng, place):
    return resumed(place, "checkpoint-2/trainer_state.json", of_json(rng))


def metrics(rng, place):
    def change(content):
        lines = content.split(b"\n")
        at = rng.randrange(len(lines) - 1)
        lines[at] = mutant_of_json(json.loads(lines[at]), rng)
        return b"\n".join(lines) if rng.random() < 0.8 else mutant_of_bytes(content, rng)

    return resumed(place, "metrics.jsonl", change)


def moments(rng, place):
    return resumed(place, "checkpoint-2/optimizer.safetensors", lambda content: mutant_of_bytes(content, rng, 400))


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
