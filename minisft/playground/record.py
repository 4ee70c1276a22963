"""A run as events: what it is, then what is measured of θ_t. The page draws them as they come; the film holds them all.

begin     the settings, the watched pairs, the questions           tokens    log Pr at t, losses, distances
answers   the held-out answers at t                                path      the plane so far
asked     a question of one's own under θ̂ and θ_t                  slow      one step taken apart
texts     of the ids that an event is the first to mention         examples  tokens of the sequences, likewise
"""

from dataclasses import asdict
from typing import Any

from minisft import trajectory
from minisft.config import ModelConfig
from minisft.data import Example, Sequence, encode
from minisft.params import Params
from minisft.playground import choice, lines, measure, slow
from minisft.playground.choice import SETTINGS, Choice
from minisft.playground.path import Path
from minisft.playground.run import Run
from minisft.tokenizer import Tokenizer

PAIRS = 3  # watched: their tokens are columns of the heat map
PROBES = 8  # pairs whose losses are the curves; the watched ones are the first of them
QUESTIONS = 24


class Recorder:
    """The events of one run. It reads θ and never changes it."""

    def __init__(
        self,
        theta_hat: Params,
        config: ModelConfig,
        tokenizer: Tokenizer,
        chosen: Choice,
        watched: list[Example] | None = None,
        keep: bool = True,
    ) -> None:
        self.theta_hat, self.config, self.tokenizer, self.chosen = theta_hat, config, tokenizer, chosen
        self.start = choice.theta_at_start(chosen, theta_hat, config)
        sequences = choice.sequences_of(chosen.examples, tokenizer, config)
        self.run = Run(self.start, config, sequences, chosen.settings, keep)
        questions = spread([e for e in chosen.asked if choice.text_of(e)[0]], QUESTIONS)
        self.watched = watched or questions[:PAIRS] or chosen.asked[:PAIRS]
        asked = [*(watched or []), *(e for e in questions if e not in (watched or []))]
        self.questions = [e for e in asked if choice.text_of(e)[0]][:QUESTIONS]
        probes = [*self.watched, *(e for e in spread(chosen.asked, PROBES) if e not in self.watched)][:PROBES]
        self.probes = measure.pairs_of(probes, tokenizer, config)
        self.pairs = self.probes[: len(self.watched)]
        self.path = Path(self.start)
        self.under_theta_hat: dict[tuple[str, str], dict[str, Any]] = {}
        self.told: set[int] = set()
        self.shown: set[int] = set()

    # --- events -------------------------------------------------------------------------------------------------------

    def begin(self) -> dict[str, Any]:
        run, settings = self.run, asdict(self.chosen.settings)
        return self.with_texts(
            {
                "event": "begin",
                "data": self.chosen.data,
                "start": self.chosen.start,
                "mistake": self.chosen.mistake,
                "settings": {name: settings[name] for name in SETTINGS},
                "total": run.total,
                "endless": self.chosen.settings.lr_scheduler_type == "constant",
                "examples_learned": len(run.sequences),
                "tensors": list(self.theta_hat.named),
                "parameters": int(self.theta_hat.flat.size),
                "pairs": [
                    dict(zip(("question", "expected"), choice.text_of(example))) | {"ids": measure.targets(sequence)}
                    for example, sequence in zip(self.watched, self.pairs)
                ],
                "questions": [list(choice.text_of(example)) for example in self.questions],
                "held_out": self.chosen.asked is not self.chosen.examples,
                "lines": lines.shown(self.chosen.settings.optim),
            }
        )

    def tokens(self, theta: Params, step: int, metrics: dict[str, Any]) -> dict[str, Any]:
        pairs, losses = measure.tokens(theta, self.config, self.probes)
        away = [float(f"{norm:.4g}") for norm in trajectory.distances(theta, self.start).values()]
        seen = pairs[: len(self.pairs)]
        event = {"event": "tokens", "t": step, "metrics": metrics, "pairs": seen, "away": away} | losses
        return self.with_texts(event)

    def answers(self, theta: Params, step: int) -> dict[str, Any]:
        return measure.summary(step, measure.answers(theta, self.config, self.tokenizer, self.questions))

    def asked(self, theta: Params, step: int, example: Example) -> dict[str, Any]:
        """A question under θ̂ and θ_t: both answers, and the tokens of the expected one, or else of θ_t's own."""
        question, expected = choice.text_of(example)
        if (question, expected) not in self.under_theta_hat:  # θ̂ does not move, so it is asked once
            self.under_theta_hat = {(question, expected): self.answer(self.theta_hat, example)}
        hat, now = self.under_theta_hat[question, expected], self.answer(theta, example)
        judged = example if expected else choice.asking(question, now["predicted"])
        sequence = encode(judged, self.tokenizer, "last", self.config.max_position_embeddings)
        pairs: list[list[measure.Token]] = [[]]
        if sequence.is_y[1:].any():
            pairs, _ = measure.tokens(theta, self.config, [sequence])
        event = {"event": "asked", "t": step, "question": question, "expected": expected, "hat": hat, "now": now}
        return self.with_texts(event | {"ids": measure.targets(sequence) if pairs[0] else [], "tokens": pairs[0]})

    def answer(self, theta: Params, example: Example) -> dict[str, Any]:
        [given] = measure.answers(theta, self.config, self.tokenizer, [example])
        return given

    def slow(self, step: int, row: int | None = None) -> dict[str, Any]:
        event = slow.take_apart(self.run, step, self.pairs, row)
        new = [part["example"] for part in event["batch"] if part["example"] not in self.shown]
        self.shown |= set(new)
        return self.with_texts(event | {"examples": {str(i): as_lists(self.run.sequences[i]) for i in new}})

    def with_texts(self, event: dict[str, Any]) -> dict[str, Any]:
        """The event with the texts of the ids in it that none before has mentioned."""
        new = set(mentioned(event)) - self.told
        self.told |= new
        texts = {str(i): self.tokenizer.token_text(i) for i in sorted(new)}
        return event | ({"texts": texts} if texts else {})


def as_lists(sequence: Sequence) -> list[list[int]]:
    """[ids, is_y] with 0 and 1."""
    return [sequence.ids.tolist(), sequence.is_y.astype(int).tolist()]


def mentioned(event: dict[str, Any]) -> list[int]:
    """Every id in an event."""
    pairs = event.get("pairs", []) if event["event"] != "slow" else []
    found = [i for pair in pairs if isinstance(pair, dict) for i in pair["ids"]] + list(event.get("ids", []))
    tokens = [token for pair in pairs if isinstance(pair, list) for token in pair] + list(event.get("tokens", []))
    found += [i for _, top in tokens for i, _ in top]
    found += [i for ids, _ in event.get("examples", {}).values() for i in ids] if event["event"] == "slow" else []
    return found + [candidate[0] for candidate in event.get("row", {}).get("candidates", [])]


def spread(examples: list[Example], count: int) -> list[Example]:
    """`count` examples of different kinds and places: an odd stride meets every kind, as data sets repeat theirs."""
    if len(examples) <= count:
        return list(examples)
    stride = max(1, len(examples) // count)
    stride -= (stride + 1) % 2 if stride > 1 else 0
    return examples[::stride][:count]
