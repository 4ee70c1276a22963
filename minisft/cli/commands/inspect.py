"""Print the token report of examples, what TRL would train of them, or one step of a run, taken apart.

example:
  minisft inspect --model theta_tilde --data train.jsonl --example 0
  minisft inspect --model theta_tilde --data train.jsonl --as trl --assistant-only-loss
  minisft inspect --run theta_tilde --step 40
"""

from argparse import ArgumentParser, Namespace

from minisft.cli import as_trl, flags, one_step
from minisft.cli.console import print_json, print_table, show, shown
from minisft.cli.inputs import load_with_data, settings_of, warn_of
from minisft.config import whole
from minisft.errors import MinisftError
from minisft.evaluate import token_report


def add_flags(parser: ArgumentParser) -> None:
    known = "a directory, a .gguf file, atlas, smollm2, or owner/name on the Hugging Face hub (default: that of --run)"
    flags.option(parser, "--model", known, flags.path, metavar="DIR")
    files = "the examples to report on (default: those of --run)"
    flags.option(parser, "--data", files, flags.path, nargs="+", metavar="FILE")
    parser.epilog = flags.DATA_HELP + (parser.epilog or "")
    flags.option(parser, "--run", "a run of sft, whose step --step is taken apart", flags.path, metavar="DIR")
    flags.option(parser, "--step", "the step to take apart, counted from 1", whole(1))
    flags.option(parser, "--example", "report on example K only, counted from 0 (default: all)", whole(0), metavar="K")
    flags.objective(parser)
    as_trl.add_flags(parser)
    flags.machine(parser)


def run(arguments: Namespace) -> int | None:
    if arguments.run or arguments.step:
        one_step.inspect(arguments)
        return None
    for name in ("model", "data"):
        if not getattr(arguments, name):
            raise MinisftError(f"--{name}: is missing; give it, or --run and --step")
    if arguments.trainer:
        return as_trl.inspect(arguments)
    settings = settings_of(arguments)
    theta, config, tokenizer, examples, sequences, counts = load_with_data(arguments, arguments.dtype)
    if arguments.example is not None:
        if arguments.example >= len(examples):
            raise MinisftError(
                f"--example: {arguments.example} does not exist; the last example has the number {len(examples) - 1}"
            )
        wanted = examples[arguments.example].where
        sequences = [sequence for sequence in sequences if sequence.where == wanted][:1]
        if not sequences:
            raise MinisftError(
                f"--example: {wanted} was dropped for being longer than --max-length; use --on-too-long cut"
            )
    result = token_report(theta, config, tokenizer, sequences, settings)
    warn_of(counts)
    if arguments.json:
        print_json(result)
    else:
        print_report(result, [sequence.where for sequence in sequences], settings.loss_reduction)
    return None


def print_report(report: dict, titles: list[str], reduction: str) -> None:
    """Print a table for each example: tokens of y in bold green, other tokens with a weight in cyan, the rest dim."""
    columns = ["position", "id", "text", "target", "weight", "log Pr", "contribution"]
    for title, example in zip(titles, report["examples"]):
        rows, styles = [], []
        for token in example["tokens"]:
            styles.append("bold green" if token["is_target"] else "cyan" if token["weight"] else "dim")
            cells = (
                token["position"],
                token["id"],
                token["text"],
                "y" if token["is_target"] else "",
                token["weight"],
                token["log_prob"],
                token["contribution"],
            )
            rows.append(["" if cell is None else cell for cell in cells])
        print_table(f"{title}: objective ({reduction}) {shown(example['objective'])}", columns, rows, styles)
    show(f"loss ({reduction}) {shown(report['loss'])}: the sum of all contributions")
