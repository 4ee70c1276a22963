"""`minisft inspect --run DIR --step N`: one step of a run, taken apart, in tables."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from minisft.cli.console import print_json, print_table, show, shown
from minisft.cli.inputs import model_directory
from minisft.errors import MinisftError
from minisft.playground import lines, slow
from minisft.playground.finished import record_of, take_up
from minisft.playground.run import Run
from minisft.tokenizer import Tokenizer

SUMS = ("loss", "num_target_tokens", "grad_norm")
WATCHED = 3


def inspect(arguments: Namespace) -> None:
    """Print the step, and that its parts add up to its row of metrics.jsonl."""
    if not (arguments.run and arguments.step):
        raise MinisftError(f"--{'step' if arguments.run else 'run'}: is missing; --run and --step go together")
    directory = Path(arguments.run)
    record = record_of(directory)
    model, files = arguments.model or record["model"], arguments.data or record["data"]
    run, tokenizer, row = take_up(directory, record, arguments.step, model_directory(model), files)
    event = slow.take_apart(run, arguments.step, run.sequences[:WATCHED])
    event["metrics"] = row
    if arguments.json:
        print_json(event | {"tensors": named(event, run)})
    else:
        print_step(event, run, tokenizer)


def named(event: dict[str, Any], run: Run) -> list[list]:
    return [[name, *norms] for name, norms in zip(run.trained, event["tensors"])]


def print_step(event: dict[str, Any], run: Run, tokenizer: Tokenizer) -> None:
    """The parts in the order of the mathematics, each after the library's line that computes it."""
    row, text, t = event["row"], tokenizer.token_text, event["t"]

    def code(part: str) -> None:
        source = lines.shown(run.settings.optim)[part]
        show(source["where"])
        for line in source["code"].splitlines():
            show(f"    {line}")

    show(f"step {t}: from θ_{t - 1} to θ_{t}")
    code("weights")
    batch = [
        [run.sequences[part["example"]].where, *part["weights"], len(part["log_prob"]), sum(part["log_prob"])]
        for part in event["batch"]
    ]
    print_table("the batch", ["example", "w on x", "w on y", "tokens that count", "Σ log π"], batch)
    where = run.sequences[event["batch"][row["sequence"]]["example"]].where
    show(f"one row: {where}, token {row['position']}, target {text(row['target'])!r}, w = {shown(row['weight'])}")
    code("pi")
    code("dz")
    candidates = [[text(i), z, pi, dz] for i, z, pi, dz in row["candidates"]]
    count, pi, dz = row["rest"]
    print_table("", ["token", "z", "π", "∂J/∂z"], [*candidates, [f"{count} others", None, pi, dz]])
    code("objective")
    show(f"w log π = {shown(row['contribution'])}")
    code("sign")
    print_table("tensors", ["tensor", "‖∂L/∂tensor‖", "‖change‖"], named(event, run))
    code("update")
    update = [[name, str(value) if isinstance(value, tuple) else value] for name, value in event["update"].items()]
    print_table("the update of one number", ["", ""], update)
    pairs = [[run.sequences[i].where, *pair] for i, pair in enumerate(event["pairs"])]
    print_table("log Pr(y|x)", ["pair", "before", "after"], pairs)
    sums = [[name, event["sums"][name], event["metrics"][name]] for name in SUMS]
    print_table("what the parts add up to", ["", "sum", "metrics.jsonl"], sums)
