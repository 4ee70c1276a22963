"""What is said of θ_t: log Pr of every token of some pairs, the tokens it finds likeliest instead, and its answers.

One forward over all pairs gives log π of every row; all sums are float64. Nothing here changes θ. Which tokens are y is
said by `encode` and `collate` as they are, whatever mistake the run makes with them.
"""

from typing import Any

import numpy as np

from minisft import evaluate, trajectory
from minisft.config import ModelConfig
from minisft.data import Example, Sequence, collate, encode, fit
from minisft.errors import MinisftError
from minisft.params import Params
from minisft.tokenizer import Tokenizer

Token = tuple[float, list]  # log Pr(y_i | x, y_<i), and the likeliest tokens at its place

LIKELIEST = 5
MAX_NEW_TOKENS = 48


def short(value: float) -> float:
    """A number as it is sent: six digits say all that a picture can show."""
    return float(f"{value:.6g}")


def tokens(theta: Params, config: ModelConfig, sequences: list[Sequence]) -> tuple[list[list[Token]], dict[str, float]]:
    """For every token of y of each pair its log Pr and the likeliest tokens there; and −J per token, on x and on y.

    Returns ([[(log Pr, [[id, probability], …]), …] for each pair], {"loss_x", "loss_y"}), in nats. Pairs without x to
    predict have no loss on x.
    """
    batch = collate(sequences, 1.0, "sum", theta.flat.dtype)
    log_pi = trajectory.log_softmax(theta, config, batch, np.arange(len(batch.ids)))
    log_prob = log_pi[np.arange(len(batch.ids)), batch.targets]
    if not np.isfinite(log_prob).all():
        raise MinisftError("log Pr is not finite: θ has diverged; start again with a smaller learning rate")
    of_y = np.flatnonzero(batch.is_y)
    likeliest = np.argpartition(-log_pi[of_y], LIKELIEST - 1, axis=-1)[:, :LIKELIEST]
    pairs: list[list[Token]] = [[] for _ in sequences]
    for row, ids in zip(of_y, likeliest):
        ids = ids[np.argsort(-log_pi[row, ids], kind="stable")]
        top = [[int(i), round(float(np.exp(log_pi[row, i])), 3)] for i in ids]
        place = np.searchsorted(batch.starts, row, side="right") - 1
        pairs[place].append((short(log_prob[row]), top))
    losses = {"loss_y": log_prob[batch.is_y], "loss_x": log_prob[~batch.is_y]}
    return pairs, {name: short(-values.mean()) for name, values in losses.items() if len(values)}


def pairs_of(examples: list[Example], tokenizer: Tokenizer, config: ModelConfig) -> list[Sequence]:
    """The examples in tokens, cut to the context."""
    limit = config.max_position_embeddings
    return fit([encode(example, tokenizer, "all", limit + 1) for example in examples], limit)[0]


def answers(theta: Params, config: ModelConfig, tokenizer: Tokenizer, examples: list[Example]) -> list[dict[str, Any]]:
    """Greedy answers as `minisft evaluate` grades them: {"predicted", "exact", "stopped"} for each example."""
    given = evaluate.answers(theta, config, tokenizer, examples, MAX_NEW_TOKENS)
    nothing = {"predicted": "", "exact": False, "stopped": False}
    return [{name: (answer or nothing)[name] for name in nothing} for answer in given]


def targets(sequence: Sequence) -> list[int]:
    """The tokens of y, in order: the columns of the heat map."""
    return [int(i) for i in sequence.ids[1:][sequence.is_y[1:]]]


class InTurns:
    """Questions put to a copy of θ_t a few at a time, between the steps, so that the beat of a run does not wait."""

    def __init__(self, step: int, theta: Params, questions: list[Example]) -> None:
        self.step, self.theta, self.questions = step, theta.copy(), questions
        self.given: list[dict[str, Any]] = []

    def go_on(self, config: ModelConfig, tokenizer: Tokenizer, count: int) -> dict[str, Any] | None:
        """Ask `count` more; the event for the page once all are answered."""
        few = self.questions[len(self.given) : len(self.given) + count]
        self.given += answers(self.theta, config, tokenizer, few)
        return summary(self.step, self.given) if len(self.given) == len(self.questions) else None


def summary(step: int, given: list[dict[str, Any]]) -> dict[str, Any]:
    """The held-out answers at t: exact match and stop rate, and every answer."""
    rates = {name: float(np.mean([answer[key] for answer in given])) for name, key in RATES.items()}
    return {"event": "answers", "t": step, **rates, "answers": [[a["predicted"], a["exact"]] for a in given]}


RATES = {"exact_match": "exact", "stop_rate": "stopped"}
