"""Commands of which each operation on a file fails in turn, or is where the process is killed: what is left is whole.

`python -m tests.fuzz --faults` tries every operation in every way; the default tests take some of them.
"""

import contextlib
import io
import itertools
import re
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from support import commandline
from support.injector import WAYS, count, disturbed, in_child

from minisft import checkpoint
from minisft.formats.files import PARTIAL

from .right import require
from .workers import Wrong

NOTES = b"Mine, and not the program's."


class Stage:
    """θ̂, data and what the commands come to if nobody disturbs them. `reset` lays out `work` anew."""

    def __init__(self, place):
        self.place, self.work, self.err = place, place / "work", place / "err"
        quietly = contextlib.redirect_stderr(io.StringIO())
        with quietly, contextlib.redirect_stdout(io.StringIO()):
            commandline.make_theta_hat(place)
            commandline.write_pairs(place / "train.jsonl")
            (place / "before" / "out").mkdir(parents=True)
            (place / "before" / "out" / "notes.txt").write_bytes(NOTES)
            shutil.copytree(place / "before", place / "old")
            assert commandline.minisft(*self.sft(place / "old", "--seed", 5)) == 0
            assert commandline.minisft(*self.sft(place / "whole")) == 0
            for name, line in (("gguf", self.export), ("rows", self.evaluate)):
                assert commandline.minisft(*line(place / "whole")) == 0, name

    def sft(self, work, *flags):
        held_out = ["--eval-data", self.place / "train.jsonl", "--eval-steps", 2, "--save-steps", 2]
        return commandline.sft_line(self.place, work / "out", "--max-steps", 3, *held_out, *flags)

    def export(self, work):
        return ["export", "--model", self.place / "theta_hat", "--gguf", work / "model.gguf", "--overwrite"]

    def evaluate(self, work):
        flags = ["--data", self.place / "train.jsonl", "--max-new-tokens", 2, "--per-example", work / "rows.jsonl"]
        return ["evaluate", "--model", self.place / "theta_hat", *flags]

    def reset(self, source=None):
        shutil.rmtree(self.work, ignore_errors=True)
        if source:
            shutil.copytree(self.place / source, self.work)
        else:
            self.work.mkdir()
            for name in ("model.gguf", "rows.jsonl"):
                (self.work / name).write_bytes(NOTES)

    def again(self, *line):
        """How an undisturbed command ends."""
        return in_child(lambda: commandline.minisft(*line), self.err)


class Scenario(NamedTuple):
    """A command on some files, and what must be true of them when it has been disturbed and has ended."""

    name: str
    line: object  # stage -> the command
    source: str | None
    judge: object  # (stage, how it ended)


def run_goes_on(stage, ended):
    """A run in a new directory: what is there can be loaded, and --resume comes to the same bytes."""
    is_whole(stage.work / "out")
    theta = (stage.work / "out" / "model.safetensors").exists()
    checkpoints = list((stage.work / "out").glob("checkpoint-?"))
    resumed = stage.again(*stage.sft(stage.work), "--resume")
    if resumed.status == 2 and ended.status == 2 and theta and not checkpoints:  # its θ would be overwritten
        one_line(resumed)
        is_whole(stage.work / "out")
        resumed = stage.again(*stage.sft(stage.work), "--overwrite")
    is_the_undisturbed(stage, resumed)


def old_or_new(stage, ended):
    """--overwrite: what is there is the old run or the new one, never parts of both, and it can be repeated."""
    out, old, new = stage.work / "out", stage.place / "old" / "out", stage.place / "whole" / "out"
    is_whole(out)
    weights = out / "model.safetensors"
    if weights.exists():
        require(
            any((out / "config.json").read_bytes() == (of / "config.json").read_bytes() for of in (old, new)), "config"
        )
    resumed = stage.again(*stage.sft(stage.work), "--resume")
    if resumed.status == 2:  # of the old run there is still something, or θ without a checkpoint
        one_line(resumed)
        resumed = stage.again(*stage.sft(stage.work), "--overwrite")
    is_the_undisturbed(stage, resumed)


def file_is_old_or_new(name, line):
    def judge(stage, ended):
        content = (stage.work / name).read_bytes()
        new = (stage.place / "whole" / name).read_bytes()
        require(content in (NOTES, new) and (ended.status != 0 or content == new), "neither the old file nor the new")
        require(stage.again(*line(stage)).status == 0 and (stage.work / name).read_bytes() == new, "not as undisturbed")
        has_no_leftovers(stage.work)

    return judge


def is_whole(out):
    require((out / "notes.txt").read_bytes() == NOTES, "what was there before is lost")
    models = [out] if (out / "model.safetensors").exists() else []
    for directory in [*models, *(path for path in out.glob("checkpoint-*") if path.suffix != ".unreadable")]:
        checkpoint.load(directory)


def is_the_undisturbed(stage, ended):
    require(ended.status == 0, "cannot be repeated", ended)
    try:
        commandline.assert_same_run(stage.place / "whole" / "out", stage.work / "out")
    except AssertionError as error:
        raise Wrong(f"not the bytes of the undisturbed run: {str(error)[:200]}") from None
    has_no_leftovers(stage.work / "out")


def has_no_leftovers(directory):
    left = [path.name for path in directory.iterdir() if PARTIAL.fullmatch(path.name) or path.name == ".minisft-lock"]
    require(not left, "something is left over", left)


def one_line(ended):
    lines = ended.err.splitlines()
    errors = [line for line in lines if line.startswith("minisft: error: ")]
    require(ended.status == 2 and errors == lines[-1:] and "Traceback" not in ended.err, "not one line of error", ended)


EXPORT, ROWS = (lambda stage: stage.export(stage.work)), (lambda stage: stage.evaluate(stage.work))
SCENARIOS = [
    Scenario("run", lambda stage: stage.sft(stage.work), "before", run_goes_on),
    Scenario("overwrite", lambda stage: [*stage.sft(stage.work), "--overwrite"], "old", old_or_new),
    Scenario("export", lambda s: s.export(s.work), None, file_is_old_or_new("model.gguf", lambda s: s.export(s.work))),
    Scenario(
        "rows", lambda s: s.evaluate(s.work), None, file_is_old_or_new("rows.jsonl", lambda s: s.evaluate(s.work))
    ),
]


def operations(stage, scenario):
    """What the operations of a scenario are, one after the other."""
    stage.reset(scenario.source)
    return count(scenario.line(stage), stage.work, stage.err)


def trial(stage, scenario, way, at, what):
    """Let something happen at one operation, `what`. Raises Wrong if what follows is not as it must be."""
    stage.reset(scenario.source)
    ended = disturbed(scenario.line(stage), stage.work, stage.err, way, at)
    if way == "killed":
        require(ended.status in (None, 0), "was not killed", ended)
    elif ended.status != 0:  # what nobody needs may fail
        one_line(ended)
        if way != "full" and not what.startswith(("remove", "rmdir")):  # the next start clears it away
            has_no_leftovers(stage.work if scenario.source is None else stage.work / "out")
    scenario.judge(stage, ended)


def main():
    """Every operation in every way; returns the exit status."""
    findings = trials = 0
    with tempfile.TemporaryDirectory(prefix="minisft-faults-") as place:
        stage = Stage(Path(place))
        for scenario in SCENARIOS:
            seen = operations(stage, scenario)
            for (at, what), way in itertools.product(enumerate(seen), WAYS):
                trials += 1
                try:
                    trial(stage, scenario, way, at, what)
                except Exception as error:
                    findings += 1
                    what = re.sub(r"[0-9a-f]{8}-\d+-[0-9a-f]{16}", "…", what)
                    print(
                        f"{scenario.name}, {way} at operation {at} of {len(seen)}, {what}: {error!r}"[:600], flush=True
                    )
            print(f"{scenario.name}: {len(seen)} operations", flush=True)
    print(f"{trials} trials, {findings} findings")
    return 1 if findings else 0
