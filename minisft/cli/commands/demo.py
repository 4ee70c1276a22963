"""Show the whole story in 90 seconds: a shipped model before and after fine-tuning.

example:
  minisft demo --output-dir minisft-demo
"""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.table import Table

from minisft import checkpoint, data, train, trajectory
from minisft.cli import flags
from minisft.cli.console import Page, print_json
from minisft.config import TrainConfig, whole
from minisft.errors import MinisftError
from minisft.evaluate import answers
from minisft.formats import resources
from minisft.formats.apart import require_apart
from minisft.formats.files import read_json, write_atomically, write_json
from minisft.params import Params
from minisft.playground import film
from minisft.playground.choice import STARTS, Choice
from minisft.playground.record import Recorder
from minisft.runs.directory import MODEL_FILES, RECORD, checkpoints, clear_leftovers
from minisft.runs.lock import alone_in

PRE_TRAINED, RANDOM = STARTS
SETTINGS = TrainConfig(
    learning_rate=3e-4, max_steps=120, batch_size=16, loss_reduction="sum", max_grad_norm=0.0, warmup_steps=10
)
LOOKS = (0, 5, 10, 15, 20, 30, 40, 60, 80, 100, 120)  # steps t at which θ_t is asked
ASKED_ON_THE_WAY = 5  # every fifth held-out question; at the end all of them
MAX_NEW_TOKENS = 48  # more than twice the longest answer
DATA = ("atlas_train.jsonl", "atlas_test.jsonl")
MARKER = "demo.json"  # its table; a directory that has it was made here, and is replaced
WRITTEN = ("metrics.jsonl", "demo.png", "demo.html")
SHOWN = "What is the capital of Kenya?"


def add_flags(parser: ArgumentParser) -> None:
    directory = "directory to write the results to"
    flags.option(parser, "--output-dir", directory, flags.path, "minisft-demo", metavar="DIR")
    flags.option(parser, "--seed", "seed of the order of the pairs and of the random start", whole(0), 0)
    flags.as_json(parser)


def run(arguments: Namespace) -> None:
    console = Page(stderr=arguments.json)  # with --json the story counts as progress
    with kept(Path(arguments.output_dir), arguments.seed):
        result = demonstrate(Path(arguments.output_dir), arguments.seed, console)
    if arguments.json:
        print_json(result)


@contextmanager
def kept(output_dir: Path, seed: int) -> Iterator[None]:
    """Keep a directory to this demonstration, and mark it as one. Refuses what is not new, empty or such a one itself.

    Raises MinisftError if it cannot be written.
    """
    theta_tilde, marker = output_dir / "theta_tilde", output_dir / MARKER
    require_apart(output_dir, [resources.path("atlas"), *map(resources.path, DATA)], "--output-dir")
    with alone_in(output_dir):
        taken = [path for path in (marker, theta_tilde, *(output_dir / name for name in WRITTEN)) if path.exists()]
        foreign = [theta_tilde / RECORD, *(output_dir / name for name in (RECORD, *MODEL_FILES))]
        if checkpoints(output_dir) or any(map(Path.exists, foreign)) or (taken and not is_ours(marker)):
            raise MinisftError(f"--output-dir: {output_dir} holds what demo has not written; give another one")
        clear_leftovers(output_dir)
        write_json(marker, {"seed": seed, "rows": []})  # the table comes at the end
        yield


def is_ours(marker: Path) -> bool:
    """Whether `demo` wrote this file."""
    try:
        return read_json(marker).keys() >= {"seed", "rows"}
    except MinisftError:
        return False


def demonstrate(output_dir: Path, seed: int, console: Page) -> dict:
    """Tell the story on `console`, write theta_tilde/, metrics.jsonl, demo.png, demo.html and demo.json.

    θ̂ continues a text, it does not answer. Fine-tuned on questions about 50 countries, θ̃ answers questions about 150
    others, whose facts it knows from pre-training alone. The other two runs differ from the first in one thing each:

        conditional   from θ̂, log Pr(y|x)            λ = 0
        joint         from θ̂, log Pr(x, y)           λ = 1
        random        from random θ, log Pr(y|x)     λ = 0

    All make the same steps on the same pairs in the same order, under `sum`, so that no divisor comes between the two
    objectives. How far the joint one is behind depends on steps and rate (notebook 08 has both at their best).
    Returns the content of demo.json. Raises MinisftError if output_dir cannot be written to.
    """
    write_atomically(Path(output_dir) / "metrics.jsonl", b"")  # to find out now whether that works
    story = Story(seed, console)
    plan = {
        "conditional": ("θ̃  conditional, log Pr(y|x), from θ̂", SETTINGS, PRE_TRAINED),
        "joint": ("θ̃  joint, log Pr(x, y), from θ̂", replace(SETTINGS, prompt_loss_weight=1.0), PRE_TRAINED),
        "random": ("θ̃  conditional, log Pr(y|x), from random θ", SETTINGS, RANDOM),
    }

    console.tell(f": {story.theta_hat.flat.size:,} parameters, pre-trained on plain text. It continues:", "θ̂")
    for example in story.held_out[1::199]:
        _, reply = trajectory.watch(story.theta_hat, story.config, story.tokenizer, example)
        console.tell(f"  x  {example.completion[0]['content']}")
        console.tell(f"  ŷ  {cut(reply)}")
    exact, stopped = story.ask(story.theta_hat, story.held_out)
    table = [{"run": "theta_hat", "exact_match": exact, "stop_rate": stopped}]
    titles, curves, rows, watched = ["θ̂  pre-trained only"], {"theta_hat": [(t, exact) for t in (0, LOOKS[-1])]}, [], {}
    for name, (title, settings, start) in plan.items():
        console.tell("")
        console.tell(f": {settings.max_steps} steps of {settings.batch_size} pairs, 50 countries", title)
        console.tell(f"    t  −J/token  held-out   ŷ_t to: {SHOWN}")
        theta, curves[name], metrics, watched[name] = story.tell(name, settings, start)
        rows += metrics
        exact, stopped = story.ask(theta, story.held_out)
        table.append({"run": name, "exact_match": exact, "stop_rate": stopped})
        titles.append(title)
        if name == "conditional":
            checkpoint.save(Path(output_dir) / "theta_tilde", theta, story.config, story.tokenizer)

    lines = "".join(json.dumps(row) + "\n" for row in rows)
    write_atomically(Path(output_dir) / "metrics.jsonl", lines.encode())
    draw(Path(output_dir) / "demo.png", story, curves, watched["conditional"])
    write_atomically(Path(output_dir) / "demo.html", film.html(story.films))
    result = {"seed": seed, "num_examples": len(story.held_out), "rows": table}
    write_json(Path(output_dir) / MARKER, result)
    console.print(report(table, titles, len(story.held_out)))
    console.tell(f"Written: {output_dir}/theta_tilde, metrics.jsonl, demo.png, demo.html (the film), demo.json")
    return result


class Story:
    """What all runs have in common: the shipped model and data, the held-out questions, and the console."""

    def __init__(self, seed: int, console: Page) -> None:
        self.theta_hat, self.config, self.tokenizer = checkpoint.load(resources.path("atlas"))
        learned, asked = map(resources.path, DATA)
        self.pairs, self.held_out = data.read([learned]), data.read([asked])
        self.shown = next(e for e in self.held_out if e.completion[0]["content"] == SHOWN)
        kenya = self.held_out.index(self.shown)
        self.watched = self.held_out[kenya : kenya + 3]  # capital, currency, continent
        self.films: list[list[dict]] = []
        self.seed, self.console = seed, console

    def ask(self, theta: Params, examples: list[data.Example]) -> tuple[float, float]:
        """(exact match, stop rate) of greedy answers."""
        replies = answers(theta, self.config, self.tokenizer, examples, MAX_NEW_TOKENS)
        exact, stopped = ([reply[key] for reply in replies if reply] for key in ("exact", "stopped"))
        return float(np.mean(exact)), float(np.mean(stopped))

    def tell(
        self, name: str, settings: TrainConfig, start: str
    ) -> tuple[Params, list[tuple[int, float]], list[dict], dict[int, tuple[np.ndarray, str]]]:
        """One run from `start`: θ̃, its curve of exact match, its metrics, and {t: (log Pr of each y_i, ŷ_t)}."""
        chosen = Choice("atlas", start, replace(settings, seed=self.seed), self.pairs, self.held_out)
        recorder = Recorder(self.theta_hat, self.config, self.tokenizer, chosen, self.watched, keep=False)
        some = self.held_out[::ASKED_ON_THE_WAY]
        curve: list[tuple[int, float]] = []
        rows: list[dict] = []
        watched = {}

        def look(state: train.State) -> None:
            t, metrics = state.step, state.metrics
            if metrics:
                rows.append({"run": name} | metrics)
            if t in LOOKS:
                exact, _ = self.ask(state.theta, some)
                watched[t] = trajectory.watch(state.theta, self.config, self.tokenizer, self.shown)
                curve.append((t, exact))
                loss = f"{metrics['loss'] / metrics['num_target_tokens']:7.3f}" if metrics else "      -"
                self.console.tell(f"{t:5d} {loss} {exact:8.1%}   {cut(watched[t][1])}")

        self.films.append(film.record(recorder, look))
        return recorder.run.state.theta, curve, rows, watched


def cut(text: str, width: int = 50) -> str:  # with the numbers before it, 80 columns
    """The text on one line of at most `width` characters."""
    text = text.strip().replace("\n", " / ")
    return text if len(text) <= width else text[: width - 1] + "…"


def report(table: list[dict], titles: list[str], count: int) -> Table:
    """The table for the console: a row for each set of parameters; `count` questions were asked."""
    result = Table(title=f"{count} questions about 150 countries held out of fine-tuning")
    result.add_column("parameters")
    result.add_column("exact match", justify="right")
    result.add_column("stop rate", justify="right")
    for row, title in zip(table, titles):
        result.add_row(title, f"{row['exact_match']:.1%}", f"{row['stop_rate']:.1%}")
    return result


def draw(path: Path, story: Story, curves: dict[str, list[tuple]], watched: dict[int, tuple[np.ndarray, str]]) -> None:
    """Write the slide: four curves, and for one question log Pr(y_i|x, y_<i) over t and ŷ_t."""
    from minisft import plots  # matplotlib takes a second to import, and only those who draw should wait for it

    names = {
        "conditional": "θ̃: conditional log Pr(y|x)",
        "joint": "joint log Pr(x, y)",
        "random": "conditional, from random start",
        "theta_hat": "θ̂: before fine-tuning",
    }
    _, token_texts = trajectory.target(story.tokenizer, story.shown)
    figure = plots.demo_picture(
        {title: curves[name] for name, title in names.items()},
        np.stack([log_prob for log_prob, _ in watched.values()]),
        list(watched),
        token_texts,
        SHOWN,
        [(t, reply) for t, (_, reply) in watched.items()],
        f"From θ̂ to θ̃: {SETTINGS.max_steps} steps on 50 countries, asked about 150 others",
    )
    plots.save(figure, path)
