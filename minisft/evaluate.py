"""What a model with parameters θ is worth on a data set: log Pr(y|x), and the answers ŷ it gives by itself.

    log Pr(y|x) = Σ_i log Pr(y_i | x, y_<i)                         one pass: every y_i is predicted from the true y_<i

`exact_match` and `stop_rate` are about greedy answers, where the model meets its own tokens.
"""

from collections.abc import Callable, Iterator
from collections.abc import Sequence as TextSequence
from functools import partial

import numpy as np

from minisft import doors, frozen, model, objective
from minisft.config import ModelConfig, TrainConfig
from minisft.data import Batch, Example, Sequence, collate, question
from minisft.errors import MinisftError
from minisft.generate import Answer, Past, before, ends_with, generate
from minisft.params import Params
from minisft.tokenizer import Tokenizer

ROWS = 4096  # tokens of one forward: bounds the memory of its layers
LOGITS = 2**24  # numbers of one forward: bounds the memory of its logits, as many a token as the vocabulary has
PROMPTS = 128  # answered together


def rows_at_a_time(config: ModelConfig) -> int:
    """How many tokens go into one forward, so that their logits take little memory."""
    return max(1, min(ROWS, LOGITS // config.vocab_size))


def groups(sequences: list[Sequence], config: ModelConfig) -> Iterator[list[Sequence]]:
    """Sequences in order, as many at a time as `rows_at_a_time` allows, at least one."""
    group: list[Sequence] = []
    size = 0
    for sequence in sequences:
        if group and size + len(sequence.ids) > rows_at_a_time(config):
            yield group
            group, size = [], 0
        group.append(sequence)
        size += len(sequence.ids)
    yield group


def pieces(theta: Params, config: ModelConfig, part: Batch) -> Iterator[tuple[Batch, Past | None]]:
    """(batch, past) of what one forward reads of a group: all of it, or, of a sequence that is too long, one part after
    the other, with the memory of those before, as in generate.py."""
    size, step = len(part.ids), rows_at_a_time(config)
    if size <= step:
        yield part, None
        return
    past = Past(config, 1, size, theta.flat.dtype)
    for first in range(0, size, step):
        ids, targets, weights, mask = (
            a[first : first + step] for a in (part.ids, part.targets, part.weights, part.is_y)
        )
        yield Batch(ids, targets, weights, np.array([0, len(ids)]), mask), past


def token_log_probs(
    theta: Params, config: ModelConfig, part: Batch, past: Past | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """For every row of a batch log Pr(next token | before), nats (N,), and whether it is the likeliest, bool (N,)."""
    rows = np.arange(len(part.ids))
    below = frozen.below(theta, config, part) if past is None else None
    logits, _ = model.forward(theta, config, part.ids, part.starts, rows, past, config.num_hidden_layers, below)
    log_pi = objective.forward(logits, part.targets, part.weights)[1].log_pi
    return log_pi[rows, part.targets], log_pi.argmax(-1) == part.targets


def readable(theta: Params, config: ModelConfig, group: list[Sequence]) -> Batch:
    """The batch of a group, with weights of 1. Raises MinisftError if this model cannot read it, or is not real."""
    doors.parameters("theta", theta, model.shapes(config))
    batch = collate(group, 1.0, "sum")
    model.require(theta, config, batch.ids, batch.starts)
    return batch


def log_probs(theta: Params, config: ModelConfig, sequences: list[Sequence]) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each sequence of n tokens, log Pr of the last n − 1 in nats, and whether each is the likeliest: two (n − 1,).

    Raises MinisftError if one is not finite, or if θ, config and sequences do not belong together.
    """
    doors.some("sequences", sequences)
    result: list[tuple[np.ndarray, np.ndarray]] = []
    for group in groups(sequences, config):
        part = readable(theta, config, group)
        read = [token_log_probs(theta, config, piece, past) for piece, past in pieces(theta, config, part)]
        values, hits = map(np.concatenate, zip(*read))
        if not np.isfinite(values).all():
            raise MinisftError(
                f"{group[0].where}: log Pr is not finite there or soon after: the model's weights are damaged or "
                "diverged; use another one"
            )
        result += zip(np.split(values, part.starts[1:-1]), np.split(hits, part.starts[1:-1]))
    return result


def answers(
    theta: Params,
    config: ModelConfig,
    tokenizer: Tokenizer,
    examples: list[Example],
    max_new_tokens: int = 256,
    track: Callable = iter,
    stop: TextSequence[str] = (),
    repetition_penalty: float = 1.0,
) -> list[dict | None]:
    """Greedy answers: one {"predicted", "expected", "exact", "stopped"} an example (texts; see `comparable`).

    stop  texts that end an answer as well as the end tokens do; it ends before them

    None for an example that asks nothing, as {"text"} does. A question that fills the context gets no answer: neither
    exact nor stopped. `track` is wrapped around the batches, to show progress.
    """
    result = []
    for first in track(range(0, len(examples), PROMPTS)):
        asked = [question(example, tokenizer) for example in examples[first : first + PROMPTS]]
        fitting = [
            i for i, (ids, _) in enumerate(asked) if len(tokenizer.prefix) < len(ids) < config.max_position_embeddings
        ]
        prompts = [asked[i][0] for i in fitting]
        ending = partial(generate, repetition_penalty=repetition_penalty, ended=ends_with(stop, tokenizer))
        answered = ending(theta, config, prompts, max_new_tokens, tokenizer.stop_ids)
        given = dict(zip(fitting, answered))
        for i, (ids, expected) in enumerate(asked):
            answer = given.get(i, Answer([], False))
            predicted = before(tokenizer.decode(answer.ids), stop)
            graded = {
                "predicted": predicted,
                "expected": expected,
                "exact": i in given and comparable(predicted, tokenizer) == comparable(expected, tokenizer),
                "stopped": answer.stopped,
            }
            result.append(graded if len(ids) > len(tokenizer.prefix) else None)
    return result


def comparable(text: str, tokenizer: Tokenizer) -> str:
    """A text as the tokenizer reads it (it may compose characters, say), without white space around it."""
    normalizer = tokenizer.backend.normalizer
    return (normalizer.normalize_str(text.strip()) if normalizer else text).strip()


def summary(values: list, sequences: list[Sequence], weighted: Batch, answered: list) -> dict:
    """The numbers of `minisft evaluate --json`; log_prob and loss are in nats.

    values    what `log_probs` returned for the sequences
    weighted  the batch of all of them, whose weights (reduction and λ) say what `loss` means
    answered  what `answers` returned; rates are over the examples that ask something (None if there is none)
    """
    answered = [answer for answer in answered if answer]
    log_prob, hits = (np.concatenate(arrays) for arrays in zip(*values))
    counted = weighted.weights > 0
    return {
        "num_examples": len(sequences),
        "num_target_tokens": int(counted.sum()),
        "log_prob": float(log_prob[weighted.is_y & counted].sum(dtype=np.float64)),
        "loss": -float((weighted.weights * log_prob).sum(dtype=np.float64)),
        "mean_token_accuracy": float(hits[counted].mean()),
        "exact_match": float(np.mean([answer["exact"] for answer in answered])) if answered else None,
        "stop_rate": float(np.mean([answer["stopped"] for answer in answered])) if answered else None,
    }


def evaluate(
    theta: Params,
    config: ModelConfig,
    tokenizer: Tokenizer,
    examples: list[Example],
    sequences: list[Sequence],
    settings: TrainConfig,
    max_new_tokens: int = 256,
    track: Callable = iter,
    stop: TextSequence[str] = (),
    repetition_penalty: float = 1.0,
) -> tuple[dict, list[dict]]:
    """`summary` of a data set, and one row an example that was not dropped: what `evaluate --per-example` writes.

    sequences  what `data.fit` left of the examples; for plain text in pieces give no examples: it asks nothing
    settings   only reduction and λ matter
    Raises MinisftError if nothing of the sequences counts, if they are not those of the examples, or as `log_probs`.
    """
    kept = {sequence.where for sequence in sequences}
    left = [(index, example) for index, example in enumerate(examples) if example.where in kept]
    if examples and [example.where for _, example in left] != [sequence.where for sequence in sequences]:
        doors.refuse(
            "sequences", "those of the examples, in their order", sequences, "encode and fit the same examples"
        )
    weighted = collate(sequences, settings.prompt_loss_weight, settings.loss_reduction, np.float64)
    if not weighted.weights.any():
        raise MinisftError("sequences: none has a token of y to predict, so there is nothing to evaluate; give answers")
    values = log_probs(theta, config, sequences)
    asked = [example for _, example in left]
    answered = answers(theta, config, tokenizer, asked, max_new_tokens, track, stop, repetition_penalty)
    weights = np.split(weighted.weights, weighted.starts[1:-1])
    rows = [
        {
            "index": index,
            "num_target_tokens": int((w > 0).sum()),
            "log_prob": float(log_prob[sequence.is_y[1:] & (w > 0)].sum(dtype=np.float64)),
        }
        | (answer or dict.fromkeys(("predicted", "expected", "exact", "stopped")))
        for (index, _), sequence, (log_prob, _), w, answer in zip(left, sequences, values, weights, answered)
    ]
    return summary(values, sequences, weighted, answered), rows


def token_report(
    theta: Params, config: ModelConfig, tokenizer: Tokenizer, sequences: list[Sequence], settings: TrainConfig
) -> dict:
    """Every token of some examples with its weight, its log Pr and what it adds to the loss: `minisft inspect --json`.

        L(θ) = Σᵢ −wᵢ log π_θ(yᵢ | context)                         one term per token; the first is given

    The weights are those of one step made of exactly these examples, so the terms add up to the loss that is reported.
    Returns {"examples": [{"tokens": […], "objective"}], "loss"}, in nats.
    """
    whole = collate(sequences, settings.prompt_loss_weight, settings.loss_reduction, np.float64)
    weights = np.split(whole.weights, whole.starts[1:-1])
    examples = []
    for sequence, w, (log_prob, _) in zip(sequences, weights, log_probs(theta, config, sequences)):
        given = entry(tokenizer, 0, sequence.ids[0], False, 0.0, None)
        predicted = [
            entry(tokenizer, i, sequence.ids[i], bool(sequence.is_y[i] and w[i - 1]), w[i - 1], float(log_prob[i - 1]))
            for i in range(1, len(sequence.ids))
        ]
        tokens = [given, *predicted]
        examples.append({"tokens": tokens, "objective": 0.0 - sum(token["contribution"] for token in tokens)})
    return {"examples": examples, "loss": 0.0 - sum(example["objective"] for example in examples)}


def entry(tokenizer: Tokenizer, position: int, i: int, is_target: bool, weight: float, log_prob: float | None) -> dict:
    """One row of `token_report`; log_prob and contribution are in nats."""
    return {
        "position": position,
        "id": int(i),
        "text": tokenizer.token_text(int(i)),
        "is_target": is_target,
        "weight": float(weight),
        "log_prob": log_prob,
        "contribution": 0.0 if log_prob is None else 0.0 - weight * log_prob,
    }
