"""Every command and flag of the command line, with its default and its help; what they do is in cli.py and jobs.py.

A command is a function that adds its flags; its docstring is the command's help, with an example at the end.
Defaults of a run are those of `TrainConfig`, so the help, the library and train_config.json cannot disagree.
"""

import argparse
import math
from inspect import cleandoc

from minisft import __version__
from minisft.config import DTYPES, OPTIMIZERS, REDUCTIONS, SCHEDULES, TrainConfig
from minisft.errors import MinisftError

DATA_HELP = """\
data, one JSON object a line:
  {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}
  {"prompt": "...", "completion": "..."}      texts as they are, or two lists of messages
  {"instruction": "...", "input": "...", "output": "..."}      Alpaca's form; a JSON array too
  {"text": "..."}      all of it is learned

"""


class Parser(argparse.ArgumentParser):
    """Errors are MinisftErrors, so that a wrong flag is reported like any other mistake: in one line."""

    def error(self, message):
        raise MinisftError(f"{message.removeprefix('argument ')}; see {self.prog} --help")


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


def parser() -> Parser:
    """The parser of `minisft`; the namespace it returns has `command` and a field a flag."""
    top = Parser(
        prog="minisft",
        allow_abbrev=False,
        description="Supervised fine-tuning of a small language model, from scratch in NumPy.",
        epilog="Each command has its own help: minisft sft --help",
    )
    top.add_argument("--version", action="version", version=f"minisft {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for add_flags in COMMANDS:
        help, _, example = cleandoc(add_flags.__doc__).partition("\n\n")
        command = commands.add_parser(
            add_flags.__name__,
            help=help,
            description=help,
            epilog=(DATA_HELP if add_flags in (sft, evaluate, inspect) else "") + example,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        add_flags(command)
    return top


def demo(p):
    """The whole story in 90 seconds.

    example:
      minisft demo --output-dir minisft-demo
    """
    option(p, "--output-dir", "where the results go", path, "minisft-demo", metavar="DIR")
    option(p, "--seed", "seed of the order of the pairs and of the random start", whole(0), 0, metavar="N")
    switch(p, "--json", "print the table as one JSON object instead")


def pretrain(p):
    """Train a first model, and its tokenizer, on text.

    example:
      minisft pretrain --data book.txt --output-dir theta_hat --num-train-epochs 5
    """
    size = whole(1, 10**6)  # beyond it no array fits
    option(p, "--data", "text (.txt) or JSON lines with {text}", path, nargs="+", required=True, metavar="FILE")
    tokenizer = p.add_mutually_exclusive_group()
    option(tokenizer, "--tokenizer", "use the tokenizer of this model, not a new one", path, metavar="DIR")
    option(tokenizer, "--vocab-size", "tokens of the new tokenizer at most (default: 512)", size, metavar="N")
    option(p, "--hidden-size", "channels C", size, 128, metavar="N")
    option(p, "--num-hidden-layers", "blocks", size, 4, metavar="N")
    option(p, "--num-attention-heads", "query heads H", size, 4, metavar="N")
    option(p, "--num-key-value-heads", "key/value heads G, a divisor of H", size, 2, metavar="N")
    option(p, "--intermediate-size", "channels inside the MLP (default: 8/3 of C)", size, metavar="N")
    option(p, "--max-position-embeddings", "the context, in tokens", whole(2, 10**6), 256, metavar="N")
    training(p)


def sft(p):
    """Fine-tune a model on prompts and answers.

    example:
      minisft sft --model atlas --data train.jsonl --output-dir theta_tilde
      minisft sft --model atlas --data train.jsonl --output-dir last_block --train-only "model.layers.3.*" "*norm*"
    """
    model(p)
    option(p, "--data", "what to learn from", path, nargs="+", required=True, metavar="FILE")
    prompts(p)
    choice = "freeze all tensors but those whose names match (default: train all)"
    p.add_argument("--train-only", help=choice, type=path, nargs="+", default=TrainConfig.train_only, metavar="PATTERN")
    training(p)


def evaluate(p):
    """log Pr(y|x) of a data set, and how good the model's own answers are.

    example:
      minisft evaluate --model theta_tilde --data test.jsonl --json
    """
    model(p)
    option(p, "--data", "what to evaluate on", path, nargs="+", required=True, metavar="FILE")
    option(p, "--per-example", "write one JSON object an example to this file", path, metavar="FILE")
    option(p, "--max-new-tokens", "an answer's length at most", whole(), 256, metavar="N")
    prompts(p)
    objective(p)
    machine(p)


def generate(p):
    """Let the model answer one prompt, or a file of prompts.

    example:
      minisft generate --model theta_tilde --prompt "What is the capital of Peru?"
      minisft generate --model theta_tilde --data test.jsonl --output answers.jsonl
    """
    model(p)
    source = p.add_mutually_exclusive_group(required=True)
    option(source, "--prompt", "one question", metavar="TEXT")
    option(source, "--data", "a file of prompts, one JSON object a line", path, nargs="+", metavar="FILE")
    option(p, "--output", "write the answers to --data as JSON lines to this file", path, metavar="FILE")
    switch(p, "--raw", "continue the prompt as plain text, without the chat template")
    sampling(p)
    machine(p)


def chat(p):
    """A conversation in the terminal; /exit or the end of input leaves.

    example:
      minisft chat --model theta_tilde --system "Answer in one sentence."
    """
    model(p)
    option(p, "--system", "a system turn to begin with", metavar="TEXT")
    sampling(p)
    machine(p)


def inspect(p):
    """The loss receipt: what every token contributes to the loss.

    example:
      minisft inspect --model theta_tilde --data train.jsonl --example 0
    """
    model(p)
    option(p, "--data", "the examples", path, nargs="+", required=True, metavar="FILE")
    option(p, "--example", "only this one, counted from 0 (default: all)", whole(0), metavar="K")
    prompts(p)
    objective(p)
    machine(p)


def gradcheck(p):
    """Is backward the derivative of forward? Exit status 3 if it is not.

    example:
      minisft gradcheck
      minisft gradcheck --model theta_tilde --data train.jsonl
    """
    option(p, "--model", "a directory or the name of a shipped model; needs --data", path, metavar="DIR")
    option(p, "--data", "check on the first 4 examples of this file", path, nargs="+", metavar="FILE")
    option(p, "--seed", "seed of the random directions", whole(0), 0, metavar="N")
    prompts(p)
    objective(p)
    switch(p, "--json", "print one JSON object")


def export(p):
    """Write a model as one .gguf file, for llama.cpp and the programs around it.

    example:
      minisft export --model theta_tilde --gguf theta_tilde.gguf
    """
    model(p)
    option(p, "--gguf", "the file, in float32; its name ends in .gguf", path, required=True, metavar="FILE")
    switch(p, "--overwrite", "replace the file that is there")
    switch(p, "--json", "print one JSON object")


def course(p):
    """Write the notebooks of the course to a folder: exercises to be solved, no outputs.

    example:
      minisft course my-course
    """
    p.add_argument("directory", type=path, metavar="DIR", help="a folder; made if it is not there")
    switch(p, "--overwrite", "replace notebooks that are in DIR, with the answers in them")
    switch(p, "--json", "print one JSON object")


def model(p):
    known = "a directory, a .gguf file, atlas, smollm2, or owner/name of the hub"
    option(p, "--model", known, path, required=True, metavar="DIR")


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


COMMANDS = (demo, pretrain, sft, evaluate, generate, chat, inspect, gradcheck, export, course)
