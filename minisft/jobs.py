"""The two commands that train: from flags and files to a run in a directory, and the summary at its end."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from minisft import checkpoint, data, model, runs, screen
from minisft.config import TrainConfig
from minisft.errors import MinisftError
from minisft.evaluate import evaluate
from minisft.inputs import documents, documents_of, model_directory, sequences_of, settings_of, sizes, warn_of
from minisft.tokenizer import Tokenizer
from minisft.train import default_learning_rate, steps_in


def sft(arguments):
    settings, directory = settings_of(arguments), Path(arguments.output_dir)
    source = model_directory(arguments.model)
    runs.require_free(directory, [source], arguments.resume, arguments.overwrite)
    examples = data.read(arguments.data)
    theta_hat, config, tokenizer = checkpoint.load(source, arguments.dtype)
    sequences, counts = sequences_of(arguments, examples, tokenizer, config)
    tested = None
    if arguments.eval_data:
        tested = data.read(arguments.eval_data)
        tested = tested, sequences_of(arguments, tested, tokenizer, config)[0]
    train(arguments, directory, settings, theta_hat, config, tokenizer, sequences, counts, tested)


def pretrain(arguments):
    settings, directory = settings_of(arguments), Path(arguments.output_dir)
    sources = [model_directory(arguments.tokenizer)] if arguments.tokenizer else []
    runs.require_free(directory, sources, arguments.resume, arguments.overwrite)
    texts = [example.completion for example in documents(arguments.data)]
    tokenizer = Tokenizer.load(sources[0]) if sources else Tokenizer.train(texts, arguments.vocab_size or 512)
    config = sizes(arguments, tokenizer)
    sequences, counts = documents_of(arguments, arguments.data, tokenizer, config)
    tested = None
    if arguments.eval_data:
        tested = [], documents_of(arguments, arguments.eval_data, tokenizer, config)[0]
    theta = model.init(config, np.random.default_rng(settings.seed), arguments.dtype)
    train(arguments, directory, settings, theta, config, tokenizer, sequences, counts, tested)


def train(arguments, directory, settings, theta, config, tokenizer, sequences, counts, tested):
    """Run, resume or overwrite a training run in a directory, and say how it went."""
    if arguments.eval_steps and not tested:
        raise MinisftError("--eval-steps: evaluates on --eval-data, which is missing; give both")
    if not settings.learning_rate:
        settings = replace(settings, learning_rate=default_learning_rate(theta))
    hidden = ("output_dir", "resume", "overwrite", "json")
    record = {name: value for name, value in vars(arguments).items() if name not in hidden}
    record |= asdict(settings) | {"max_length": max_length(arguments, config)}
    run = runs.Run(
        directory,
        config,
        tokenizer,
        sequences,
        settings,
        runs.describe(record, theta, sequences, counts),
        arguments.save_steps or 0,
        arguments.eval_steps or 0,
        tested and (lambda theta: worth(arguments, theta, config, tokenizer, *tested, settings)[0]),
    )
    total = steps_in(sequences, settings)
    screen.say(
        f"{theta.flat.size:,} parameters, {counts['read']} examples, {total} steps; "
        f"learning rate {settings.learning_rate:g} ({settings.lr_scheduler_type})"
    )
    warn_of(counts)
    state = runs.begin(run, theta, arguments.resume, screen.say)
    latest = {}
    with screen.Bar("step", total) as bar:

        def report(state, row):
            latest.update(row)
            if "loss" in row:
                bar.show(state.step, f"loss ({settings.loss_reduction}) {row['loss']:.4f}")
            if "eval_loss" in row or (arguments.logging_steps and state.step % arguments.logging_steps == 0):
                screen.say(screen.metrics_line(row, settings.loss_reduction))

        runs.follow(run, state, report)
    skipped = runs.steps_without_target(run)
    if skipped:
        screen.say(f"warning: {skipped} steps had no target and changed nothing; look at the data with minisft inspect")
    result = {
        "output_dir": str(directory),
        "steps": state.step,
        "steps_without_target": skipped,
        "num_tokens": state.num_tokens,
        "num_parameters": theta.flat.size,
        "learning_rate": settings.learning_rate,
        "loss_reduction": settings.loss_reduction,
        "loss": latest.get("loss"),
        "examples": counts,
    } | {name: value for name, value in latest.items() if name.startswith("eval_")}
    if arguments.json:
        screen.print_json(result)
    else:
        print(f"{directory}: written after {state.step} steps and {state.num_tokens:,} tokens; ", end="")
        print(f"last step: {screen.metrics_line({'loss': result['loss']}, settings.loss_reduction)}")
