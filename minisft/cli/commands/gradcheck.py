"""Check that backward is the derivative of forward; the exit status is 3 if it is not.

example:
  minisft gradcheck
  minisft gradcheck --model theta_tilde --data train.jsonl
"""

from argparse import ArgumentParser, Namespace

import numpy as np

from minisft import checkpoint, data
from minisft.cli import flags
from minisft.cli.console import complain, print_json, print_table
from minisft.cli.inputs import load_with_data, model_directory, settings_of
from minisft.config import whole
from minisft.errors import MinisftError
from minisft.formats import peft
from minisft.verification import whole_model


def add_flags(parser: ArgumentParser) -> None:
    known, files = "check this model, named as for sft; needs --data", "check on the first 4 examples of these files"
    flags.option(parser, "--model", known, flags.path, metavar="DIR")
    flags.option(parser, "--data", files, flags.path, nargs="+", metavar="FILE")
    flags.option(parser, "--seed", "seed of the random directions", whole(0), 0)
    flags.objective(parser)
    flags.as_json(parser)


def run(arguments: Namespace) -> int | None:
    """Check every layer, by its example, and a tiny model; or every tensor of a model, on the first examples of files.

    Of an adapter, that is A and B beside the frozen W.

    Returns the exit status: 3 if a gradient is wrong.
    """
    rng = np.random.default_rng(arguments.seed)
    if bool(arguments.model) != bool(arguments.data):
        raise MinisftError("--model: goes with --data; give both or neither")
    if arguments.model:
        load = checkpoint.load_unmerged if peft.is_adapter(model_directory(arguments.model)) else checkpoint.load
        theta, config, _, _, sequences, _ = load_with_data(arguments, np.float64, load)
        settings = settings_of(arguments)
        batch = data.collate(sequences[:4], settings.prompt_loss_weight, settings.loss_reduction, np.float64)
        errors = whole_model.model_errors(theta, config, batch, rng)
    else:
        errors = whole_model.layer_errors(rng) | whole_model.tiny_errors(rng)
    return report(errors, arguments.json)


def report(errors: dict[str, whole_model.Errors], as_json: bool) -> int | None:
    """Print {tensor: Errors} as a table or as JSON, and say which gradients are wrong; returns the exit status."""
    asked = ["difference", "complex_step"]
    if any(off.pytorch is not None for off in errors.values()):
        asked.append("pytorch")
    checks = [
        {"tensor": name} | {oracle: finite(getattr(off, oracle)) for oracle in asked} | {"passed": off.passed}
        for name, off in errors.items()
    ]
    if as_json:
        passed = all(check["passed"] for check in checks)
        print_json({"passed": passed, "tolerance": whole_model.TOLERANCE, "checks": checks})
    else:
        columns = ["tensor", *(oracle.replace("_", " ") for oracle in asked), ""]
        rows = [[*list(check.values())[:-1], "ok" if check["passed"] else "WRONG"] for check in checks]
        judges = " and ".join(columns[2:-1])
        print_table(f"relative error of backward; ok: at most {whole_model.TOLERANCE:g} by {judges}", columns, rows)
    wrong = [name for name, off in errors.items() if not off.passed]
    if wrong:
        return complain(f"gradcheck: the gradient is wrong for {', '.join(wrong)}", 3)
    return None


def finite(value: float | None) -> float | None:
    """The value, or None where it is not finite: JSON has neither NaN nor infinity."""
    return value if value is not None and np.isfinite(value) else None
