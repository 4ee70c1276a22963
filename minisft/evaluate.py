"""What a model with parameters θ is worth on a data set: log Pr(y|x), and the answers ŷ it gives by itself.

    log Pr(y|x) = Σ_i log Pr(y_i | x, y_<i)                         one pass: every y_i is predicted from the true y_<i

`exact_match` and `stop_rate` are about greedy answers, where the model meets its own tokens.
"""

from collections.abc import Iterator

import numpy as np

from minisft import model, objective
from minisft.config import ModelConfig
from minisft.data import Batch, Example, Sequence, batch, question
from minisft.generate import generate
from minisft.params import Params
from minisft.tokenizer import Tokenizer

ROWS = 4096  # tokens of one forward: bounds the memory of logits
PROMPTS = 128  # answered together


def groups(sequences: list[Sequence]) -> Iterator[list[Sequence]]:
    """Sequences in order, as many at a time as have about ROWS tokens together."""
    group, size = [], 0
    for sequence in sequences:
        if group and size + len(sequence.ids) > ROWS:
            yield group
            group, size = [], 0
        group.append(sequence)
        size += len(sequence.ids)
    yield group


def token_log_probs(theta: Params, config: ModelConfig, part: Batch) -> tuple[np.ndarray, np.ndarray]:
    """log Pr(next token | before) and whether it is the likeliest, for every row of a batch: (N,) float, (N,) bool."""
    rows = np.arange(len(part.ids))
    logits, _ = model.forward(theta, config, part.ids, part.starts, rows)
    log_pi = objective.forward(logits, part.targets, part.weights)[1].log_pi
    return log_pi[rows, part.targets], log_pi.argmax(-1) == part.targets


def log_probs(theta: Params, config: ModelConfig, sequences: list[Sequence]) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each sequence of n tokens, log Pr of the last n − 1 in nats and whether each is the likeliest: (n − 1,) twice."""
    result = []
    for group in groups(sequences):
        part = batch(group, 1.0, "sum", theta.flat.dtype)
        values, hits = token_log_probs(theta, config, part)
        result += zip(np.split(values, part.starts[1:-1]), np.split(hits, part.starts[1:-1]))
    return result


def answers(
    theta: Params, config: ModelConfig, tokenizer: Tokenizer, examples: list[Example], max_new_tokens: int = 256
) -> list[dict]:
    """Greedy answers: one {"predicted", "expected", "exact", "stopped"} an example (texts; compared stripped)."""
    result = []
    for first in range(0, len(examples), PROMPTS):
        chosen = examples[first : first + PROMPTS]
        asked = [question(example, tokenizer) for example in chosen]
        stop_ids = {tokenizer.eos_id, tokenizer.end_of_turn_id}
        for (_, expected), answer in zip(
            asked, generate(theta, config, [ids for ids, _ in asked], max_new_tokens, stop_ids)
        ):
            predicted = tokenizer.decode(answer.ids)
            result.append(
                {
                    "predicted": predicted,
                    "expected": expected,
                    "exact": predicted.strip() == expected.strip(),
                    "stopped": answer.stopped,
                }
            )
    return result


def summary(values: list, sequences: list[Sequence], weighted: Batch, answered: list[dict]) -> dict:
    """The numbers of `minisft evaluate --json`.

    values    what `log_probs` returned for the sequences
    weighted  the batch of all of them, whose weights (reduction and λ) say what `loss` means
    answered  what `answers` returned; rates are over the examples that ask something (None if there is none)
    """
    log_prob, hits = (np.concatenate(arrays) for arrays in zip(*values))
    counted = weighted.weights > 0
    return {
        "num_examples": len(sequences),
        "num_target_tokens": int(counted.sum()),
        "log_prob": float(log_prob[weighted.mask].sum(dtype=np.float64)),
        "loss": -float((weighted.weights * log_prob).sum(dtype=np.float64)),
        "mean_token_accuracy": float(hits[counted].mean()),
        "exact_match": float(np.mean([answer["exact"] for answer in answered])) if answered else None,
        "stop_rate": float(np.mean([answer["stopped"] for answer in answered])) if answered else None,
    }
