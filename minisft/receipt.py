"""The loss receipt: every token of some examples with its weight, its log Pr and what it adds to the loss.

    L(θ) = Σᵢ −wᵢ log π_θ(yᵢ | context)                             one term a token; the first is given

The weights are those of one step made of exactly these examples, so the terms add up to the loss that is reported.
"""

import numpy as np

from minisft.config import ModelConfig, TrainConfig
from minisft.data import Sequence, batch
from minisft.evaluate import log_probs
from minisft.params import Params
from minisft.tokenizer import Tokenizer


def receipt(
    theta: Params, config: ModelConfig, tokenizer: Tokenizer, sequences: list[Sequence], settings: TrainConfig
) -> dict:
    """What `minisft inspect --json` prints: {"examples": [{"tokens": […], "objective"}], "loss"}, in nats."""
    whole = batch(sequences, settings.prompt_loss_weight, settings.loss_reduction, np.float64)
    weights = np.split(whole.weights, whole.starts[1:-1])
    examples = []
    for sequence, w, (log_prob, _) in zip(sequences, weights, log_probs(theta, config, sequences)):
        given = entry(tokenizer, 0, sequence.ids[0], False, 0.0, None)
        predicted = [
            entry(tokenizer, i, sequence.ids[i], bool(sequence.mask[i]), float(w[i - 1]), float(log_prob[i - 1]))
            for i in range(1, len(sequence.ids))
        ]
        tokens = [given, *predicted]
        examples.append({"tokens": tokens, "objective": 0.0 - sum(token["contribution"] for token in tokens)})
    return {"examples": examples, "loss": 0.0 - sum(example["objective"] for example in examples)}


def entry(tokenizer, position, i, is_target, weight, log_prob) -> dict:
    return {
        "position": position,
        "id": int(i),
        "text": tokenizer.token_text(int(i)),
        "is_target": is_target,
        "weight": weight,
        "log_prob": log_prob,
        "contribution": 0.0 if log_prob is None else 0.0 - weight * log_prob,
    }
