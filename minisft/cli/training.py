"""What pretrain and sft have in common: a run made from flags and sequences, and the summary at its end."""

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from minisft import frozen, model
from minisft.cli.console import Bar, metrics_line, print_json, print_table, say, with_reduction
from minisft.cli.inputs import max_length, settings_of, warn_of
from minisft.config import ModelConfig, TrainConfig, flag
from minisft.data import Example, Sequence
from minisft.errors import MinisftError, quoted
from minisft.evaluate import evaluate
from minisft.formats.files import read_json
from minisft.formats.places import lasting
from minisft.parallel import Ranks
from minisft.params import Params
from minisft.runs import loop, model_card
from minisft.runs.directory import RECORD, reserved
from minisft.runs.record import Measured, Run, describe, fingerprint, read_metrics
from minisft.tokenizer import Tokenizer
from minisft.train import State, default_learning_rate, read_again, steps_in, trained

NOT_SETTINGS = ("output_dir", "resume", "overwrite", "json")


@contextmanager
def output_directory(arguments: Namespace, models: list[Path], ranks: Ranks) -> Iterator[None]:
    """Keep --output-dir to this run until it ends. Rank 0 does so: it may be writing by the time another one looks."""
    if ranks.rank:
        yield
        return
    sources = [*models, *map(Path, arguments.data), *map(Path, arguments.eval_data or [])]
    with reserved(Path(arguments.output_dir), sources, arguments.resume, arguments.overwrite):
        yield


def keep_date(arguments: Namespace, tokenizer: Tokenizer) -> None:
    """Chat templates may write today's date: in a run that is resumed it is that of its start."""
    path = Path(arguments.output_dir) / RECORD
    if arguments.resume and path.exists():
        written = read_json(path).get("date")
        try:
            tokenizer.chat.day = date.fromisoformat(written) if written else tokenizer.chat.day
        except (TypeError, ValueError) as error:
            raise MinisftError(f"{path}: date {quoted(written)} is not a date; correct it, or --overwrite") from error


@dataclass
class Evaluation:
    """θ -> the numbers of `minisft evaluate` on held-out examples.

    sequences  the examples in tokens; learned: what the run learns from
    repeated   whether it is called more than once: then what is frozen is computed once, in the memory that is left
    """

    config: ModelConfig
    tokenizer: Tokenizer
    examples: list[Example]
    sequences: list[Sequence]
    settings: TrainConfig
    learned: list[Sequence]
    repeated: bool

    def __call__(self, theta: Params) -> dict:
        if self.repeated and (block := model.lowest(theta.part(trained(theta, self.settings)))):
            self.remember(theta, block)
        return evaluate(theta, self.config, self.tokenizer, self.examples, self.sequences, self.settings)[0]

    def remember(self, theta: Params, block: int) -> None:
        self.repeated, room, per_row = False, self.settings.cache_frozen, frozen.row(theta, self.config)
        kept = frozen.fitting(theta, self.config, self.learned, read_again(self.learned, self.settings), room)
        room -= per_row * sum(len(self.learned[i].ids) - 1 for i in kept)
        kept = frozen.fitting(theta, self.config, self.sequences, np.full(len(self.sequences), True), room)
        self.sequences = frozen.remember(theta, self.config, self.sequences, block, kept)


def train(
    arguments: Namespace,
    theta: Params,
    config: ModelConfig,
    tokenizer: Tokenizer,
    sequences: list[Sequence],
    counts: dict[str, int],
    tested: tuple[list[Example], list[Sequence]] | None,
    ranks: Ranks,
    trained_on: str,
    licence: str = "not stated",
) -> None:
    """Start, resume or overwrite a training run, and say how it went. All that was read has been checked by now.

    counts      how many examples were read, cut, dropped and skipped
    tested      (examples, sequences) to evaluate on, or None
    trained_on  what the examples are: record.PLAIN_TEXT or record.CONVERSATIONS
    licence     of the model that the run starts from
    """
    if arguments.eval_steps and not tested:
        raise MinisftError("--eval-steps: evaluates on --eval-data, which is missing; give both")
    for name in ("load_best_model_at_end", "early_stopping_patience"):
        if getattr(arguments, name) and not arguments.eval_steps:
            raise MinisftError(f"{flag(name)}: looks at eval_loss; give --eval-data and --eval-steps as well")
    settings = settings_of(arguments)
    if not settings.learning_rate:
        settings = replace(settings, learning_rate=default_learning_rate(theta))
    record = {name: value for name, value in vars(arguments).items() if name not in NOT_SETTINGS}
    record |= {name: value for name, value in asdict(config).items() if name in record}
    record |= asdict(settings) | {"max_length": max_length(arguments, config), "trained_on": trained_on}
    record["date"] = tokenizer.chat.day.isoformat()
    run = Run(
        directory=Path(arguments.output_dir),
        config=config,
        tokenizer=tokenizer,
        sequences=sequences,
        settings=settings,
        record=describe(record, config, theta, sequences, counts, ranks),
        save_steps=arguments.save_steps or 0,
        load_best=arguments.load_best_model_at_end,
        patience=arguments.early_stopping_patience or 0,
        eval_steps=arguments.eval_steps or 0,
        evaluation=tested and Evaluation(config, tokenizer, *tested, settings, sequences, bool(arguments.eval_steps)),
        base_model=lasting(arguments.model) if theta.frozen else "",
        licence=licence,
        ranks=ranks,
    )
    total = steps_in(sequences, settings)
    state = loop.begin(run, theta, arguments.resume, say)
    of = f" of an adapter of {theta.base.flat.size:,}" if theta.frozen else ""
    say(
        f"{theta.flat.size:,} parameters{of}, {counts['read']} examples, {total} steps; "
        f"learning rate {settings.learning_rate:g} ({settings.lr_scheduler_type})"
    )
    warn_of(counts)
    with Bar("step", total) as bar:

        def report(row: dict) -> None:
            if "loss" in row:
                bar.show(row["step"], f"loss ({settings.loss_reduction}) {row['loss']:.4f}")
            if "eval_loss" in row or (arguments.logging_steps and row["step"] % arguments.logging_steps == 0):
                say(metrics_line(row, settings.loss_reduction))

        try:
            loop.follow(run, state, report)
        finally:
            if ranks.rank == 0 and model_card.is_theirs(run.directory):
                say(f"{run.directory}/{model_card.CARD}: not written by minisft, or edited since; it stays as it is")
    if ranks.rank == 0 and run.load_best:
        say(f"θ̃ is θ after step {Measured(run.directory).best}, where eval_loss was lowest")
    if ranks.rank == 0:
        summarise(arguments, run, state, counts)


def summarise(arguments: Namespace, run: Run, state: State, counts: dict[str, int]) -> None:
    """Print what came out of the run, from its metrics.jsonl, so that it also holds for a run that was resumed."""
    rows = read_metrics(run.directory)
    last = {name: value for row in rows for name, value in row.items()}
    skipped = sum(row.get("num_target_tokens") == 0 for row in rows)
    if skipped:
        say(f"warning: {skipped} steps had no targets and changed nothing; look at the data with minisft inspect")
    moving = any(row.get("num_target_tokens") and row.get("learning_rate") for row in rows)
    start = run.record["sha256"]["adapter" if state.theta.frozen else "model"]
    if moving and fingerprint(state.theta) == start:
        say("warning: the steps have not moved θ at all; look at --learning-rate, --adam-epsilon and --max-grad-norm")
    reduction = run.settings.loss_reduction
    if arguments.json:
        result = {
            "output_dir": str(run.directory),
            "steps": state.step,
            "steps_without_target": skipped,
            "num_tokens": state.num_tokens,
            "num_parameters": state.theta.base.flat.size,
            "learning_rate": run.settings.learning_rate,
            "loss_reduction": reduction,
            "loss": last.get("loss"),
            "examples": counts,
        }
        print_json(result | {name: value for name, value in last.items() if name.startswith("eval_")})
    else:
        print_table(
            str(run.directory),
            ["", ""],
            [
                ["steps", state.step],
                ["tokens", state.num_tokens],
                [f"examples {', '.join(counts)}", ", ".join(map(str, counts.values()))],
                *([name, value] for name, value in with_reduction(last, reduction).items() if "loss" in name),
            ],
        )
