"""What the flags of several commands share: their types, and groups of flags with defaults and help.

Defaults of a run are those of `TrainConfig`, so the help, the library and train_config.json cannot disagree.
"""

import argparse
import math

from minisft.config import DTYPES, OPTIMIZERS, REDUCTIONS, SCHEDULES, TrainConfig

DATA_HELP = """\
data, one JSON object a line:
  {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}
  {"prompt": "...", "completion": "..."}      texts as they are, or two lists of messages
  {"instruction": "...", "input": "...", "output": "..."}      Alpaca's form; a JSON array too
  {"text": "..."}      all of it is learned

"""


def whole(low=1, high=2**63 - 1):
    """The type of a flag: a whole number from low to high."""

    def convert(text):
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {low}")
        if value > high:
            raise argparse.ArgumentTypeError(f"{text!r} is too large, at most {high} is allowed")
        return value

    return convert


def number(what, allowed):
    """The type of a flag: a finite number for which allowed(value) holds; `what` says in words which are."""

    def convert(text):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and allowed(value)):
            raise argparse.ArgumentTypeError(f"{text!r} is not a finite number {what}")
        return value

    return convert


def path(text):
    """The type of a flag: the name of a file or a directory. An empty one would mean the current directory."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; give a name")
    return text


positive = number("above 0", lambda value: value > 0)
not_negative = number("of at least 0", lambda value: value >= 0)
share = number("above 0 and at most 1", lambda value: 0 < value <= 1)
momentum = number("of at least 0 and below 1", lambda value: 0 <= value < 1)


def option(parser, name, help, type=None, default=None, **more):
    """A flag whose help ends with its default. Metavars are ASCII: not every terminal has λ."""
    shown = "" if default is None or "action" in more else " (default: %(default)s)"
    kind = {} if type is None else {"type": type}
    parser.add_argument(name, help=help + shown, default=default, **kind, **more)


def switch(parser, name, help):
    parser.add_argument(name, action="store_true", help=help)


def model(p):
    known = "a directory, a .gguf file, atlas, smollm2, or owner/name of the hub"
    option(p, "--model", known, path, required=True, metavar="DIR")


def examples(p, help):
    """--data of prompts and answers, whose forms the help of the command then lists before its example."""
    option(p, "--data", help, path, nargs="+", required=True, metavar="FILE")
    p.epilog = DATA_HELP + p.epilog


def prompts(p):
    option(
        p,
        "--prompt-loss-weight",
        "weight of prompt tokens: 0 maximises log Pr(y|x), 1 log Pr(x,y)",
        not_negative,
        TrainConfig.prompt_loss_weight,
        metavar="W",
    )
    option(p, "--assistant-turns", "answers that are targets", default="all", choices=("all", "last"))


def objective(p):
    option(p, "--loss-reduction", "what the loss is", default=TrainConfig.loss_reduction, choices=REDUCTIONS)
    option(p, "--max-length", "tokens of an example (default: the context)", whole(2), metavar="N")
    option(p, "--on-too-long", "for longer ones", default="cut", choices=("cut", "drop", "error"))


def machine(p):
    option(p, "--dtype", "precision of everything computed", default="float32", choices=DTYPES)
    switch(p, "--json", "print one JSON object")


def sampling(p):
    option(p, "--max-new-tokens", "an answer's length at most", whole(), 256, metavar="N")
    option(p, "--temperature", "0 takes the likeliest token; 1 draws from the model", not_negative, 0.0, metavar="T")
    option(p, "--top-k", "draw from the K likeliest tokens; 0: from all", whole(0), 0, metavar="K")
    option(p, "--top-p", "draw from the likeliest tokens that reach P", share, 1.0, metavar="P")
    option(p, "--seed", "seed of the draws", whole(0), 0, metavar="N")


def training(p):
    d = TrainConfig
    option(p, "--output-dir", "where the run goes", path, required=True, metavar="DIR")
    existing = p.add_mutually_exclusive_group()
    switch(existing, "--resume", "go on from the newest whole checkpoint there, or from the start")
    switch(existing, "--overwrite", "replace the run that is there")
    option(
        p,
        "--learning-rate",
        "(default: 1e-3 for models under 10 million parameters, 2e-5 above)",
        positive,
        metavar="R",
    )
    option(p, "--num-train-epochs", "passes over the data", whole(), d.num_train_epochs, metavar="N")
    option(p, "--max-steps", "end after N steps, whatever the epochs", whole(), metavar="N")
    option(p, "--batch-size", "sequences of a micro-batch", whole(), d.batch_size, metavar="N")
    slices = d.gradient_accumulation_steps
    option(p, "--gradient-accumulation-steps", "micro-batches of a step", whole(), slices, metavar="N")
    option(p, "--optim", "the optimiser", default=d.optim, choices=OPTIMIZERS)
    option(p, "--adam-beta1", "decay of the first moment", momentum, d.adam_beta1, metavar="B")
    option(p, "--adam-beta2", "decay of the second moment", momentum, d.adam_beta2, metavar="B")
    option(p, "--adam-epsilon", "added to the root of the second", positive, d.adam_epsilon, metavar="E")
    option(p, "--weight-decay", "of matrices, not of gains and biases", not_negative, d.weight_decay, metavar="D")
    option(p, "--max-grad-norm", "clip longer gradients; 0: never", not_negative, d.max_grad_norm, metavar="C")
    option(p, "--lr-scheduler-type", "the schedule", default=d.lr_scheduler_type, choices=SCHEDULES)
    option(p, "--warmup-steps", "steps until the full rate", whole(0), d.warmup_steps, metavar="N")
    objective(p)
    option(p, "--seed", "seed of everything random", whole(0), d.seed, metavar="N")
    p.add_argument("--no-shuffle", dest="shuffle", action="store_false", help="keep the order of the file")
    option(p, "--save-steps", "write checkpoint-N/ every N steps", whole(), metavar="N")
    option(p, "--eval-data", "evaluate on this at the end", path, nargs="+", metavar="FILE")
    option(p, "--eval-steps", "and every N steps", whole(), metavar="N")
    option(p, "--logging-steps", "print the metrics every N steps", whole(), metavar="N")
    machine(p)
