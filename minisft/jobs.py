"""The two commands that train: from flags and files to a run in a directory, and the summary at its end."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from minisft import checkpoint, data, model, screen
from minisft.errors import MinisftError
from minisft.evaluate import evaluate
from minisft.inputs import (
    documents,
    max_length,
    model_directory,
    sequences_of,
    settings_of,
    sizes,
    text_sequences_of,
    warn_of,
)
from minisft.parallel import ALONE, Ranks
from minisft.runs import directory as runs
from minisft.runs import model_card
from minisft.tokenizer import Tokenizer
from minisft.train import default_learning_rate, steps_in

NOT_SETTINGS = ("output_dir", "resume", "overwrite", "json")


def sft(arguments, ranks: Ranks = ALONE):
    source = model_directory(arguments.model)
    if ranks.rank == 0:  # who may be writing there by the time another rank comes to look
        runs.require_free(Path(arguments.output_dir), [source], arguments.resume, arguments.overwrite)
    examples = data.read(arguments.data)
    theta_hat, config, tokenizer = checkpoint.load(source, arguments.dtype)
    sequences, counts = sequences_of(arguments, examples, tokenizer, config)
    tested = None
    if arguments.eval_data:
        held_out = data.read(arguments.eval_data)
        tested = held_out, sequences_of(arguments, held_out, tokenizer, config)[0]
    train(arguments, theta_hat, config, tokenizer, sequences, counts, tested, ranks, model_card.licence(source))


def pretrain(arguments, ranks: Ranks = ALONE):
    sources = [model_directory(arguments.tokenizer, "--tokenizer")] if arguments.tokenizer else []
    if ranks.rank == 0:
        runs.require_free(Path(arguments.output_dir), sources, arguments.resume, arguments.overwrite)
    files = documents(arguments.data)
    texts = (example.completion for _, examples in files for example in examples)
    tokenizer = Tokenizer.load(sources[0]) if sources else Tokenizer.train(texts, arguments.vocab_size or 512)
    config = sizes(arguments, tokenizer)
    sequences, counts = text_sequences_of(arguments, files, tokenizer, config)
    tested = None
    if arguments.eval_data:  # no examples: text asks nothing
        tested = [], text_sequences_of(arguments, documents(arguments.eval_data), tokenizer, config)[0]
    theta = model.init(config, np.random.default_rng(arguments.seed), arguments.dtype)
    train(arguments, theta, config, tokenizer, sequences, counts, tested, ranks)


def train(arguments, theta, config, tokenizer, sequences, counts, tested, ranks, licence="not stated"):
    """Run, resume or overwrite a training run, and say how it went. All that is read has been checked by now.

    counts   of examples read, cut and dropped
    tested   (examples, sequences) to evaluate on, or None
    licence  of the model that the run starts from
    """
    if arguments.eval_steps and not tested:
        raise MinisftError("--eval-steps: evaluates on --eval-data, which is missing; give both")
    settings = settings_of(arguments)
    if not settings.learning_rate:
        settings = replace(settings, learning_rate=default_learning_rate(theta))
    record = {name: value for name, value in vars(arguments).items() if name not in NOT_SETTINGS}
    record |= {name: value for name, value in asdict(config).items() if name in record}
    record |= asdict(settings) | {"max_length": max_length(arguments, config)}
    run = runs.Run(
        directory=Path(arguments.output_dir),
        config=config,
        tokenizer=tokenizer,
        sequences=sequences,
        settings=settings,
        record=runs.describe(record, theta, sequences, counts),
        save_steps=arguments.save_steps or 0,
        eval_steps=arguments.eval_steps or 0,
        evaluation=tested and (lambda theta: evaluate(theta, config, tokenizer, *tested, settings)[0]),
        licence=licence,
        ranks=ranks,
    )
    total = steps_in(sequences, settings)
    state = runs.begin(run, theta, arguments.resume, screen.say)
    screen.say(
        f"{theta.flat.size:,} parameters, {counts['read']} examples, {total} steps; "
        f"learning rate {settings.learning_rate:g} ({settings.lr_scheduler_type})"
    )
    warn_of(counts)
    with screen.Bar("step", total) as bar:

        def report(row):
            if "loss" in row:
                bar.show(row["step"], f"loss ({settings.loss_reduction}) {row['loss']:.4f}")
            if "eval_loss" in row or (arguments.logging_steps and row["step"] % arguments.logging_steps == 0):
                screen.say(screen.metrics_line(row, settings.loss_reduction))

        runs.follow(run, state, report)
    if ranks.rank == 0:
        summarise(arguments, run, state, counts)


def summarise(arguments, run, state, counts):
    """Say on standard output what the run came to, from its metrics.jsonl: so it also holds for a resumed one."""
    rows = runs.read_metrics(run.directory)
    last = {name: value for row in rows for name, value in row.items()}
    skipped = sum(row.get("num_target_tokens") == 0 for row in rows)
    if skipped:
        screen.say(f"warning: {skipped} steps had no target and changed nothing; look at the data with minisft inspect")
    reduction = run.settings.loss_reduction
    if arguments.json:
        result = {
            "output_dir": str(run.directory),
            "steps": state.step,
            "steps_without_target": skipped,
            "num_tokens": state.num_tokens,
            "num_parameters": state.theta.flat.size,
            "learning_rate": run.settings.learning_rate,
            "loss_reduction": reduction,
            "loss": last.get("loss"),
            "examples": counts,
        }
        screen.print_json(result | {name: value for name, value in last.items() if name.startswith("eval_")})
    else:
        screen.print_table(
            str(run.directory),
            ["", ""],
            [
                ["steps", state.step],
                ["tokens", state.num_tokens],
                ["examples read, cut, dropped", ", ".join(map(str, counts.values()))],
                *(row for row in screen.with_reduction(last, reduction).items() if "loss" in row[0]),
            ],
        )
