"""ŷ: tokens drawn one after the other from π_θ(· | x, ŷ_<i), greedily or by chance, with keys and values remembered.

A token is computed once: its keys and values are kept, so each further token costs one row, not the whole text again.
The same `model.forward` as in training reads the prompt and every token after it.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minisft import model
from minisft.config import ModelConfig
from minisft.errors import MinisftError
from minisft.params import Params


class Answer(NamedTuple):
    ids: list  # without the end token
    stopped: bool  # ended by an end token, not by a limit


class Memory:
    """Keys and values of one sequence in one layer: what has been read so far."""

    def __init__(self, capacity, groups, size, dtype):
        self.length = 0
        self.keys = np.empty((capacity, groups, size), dtype)
        self.values = np.empty((capacity, groups, size), dtype)

    def extend(self, k, v):
        """Remember k and v, (new, G, D); returns all keys and all values, (length, G, D)."""
        read = self.length + len(k)
        self.keys[self.length : read], self.values[self.length : read] = k, v
        self.length = read
        return self.keys[:read], self.values[:read]


def probabilities(logits: np.ndarray, temperature: float, top_k: int = 0, top_p: float = 1.0) -> np.ndarray:
    """What the sampler draws from: softmax(logits / temperature), cut to the likeliest and made to sum to 1 again.

    logits (V,); temperature > 0; top_k: keep the k likeliest (0: all); then top_p: of those, the smallest set of the
    likeliest whose probability reaches p (1: all).
    """
    z = logits.astype(np.float64)
    z = (z - z.max()) / temperature  # in this order even a temperature near 0 gives numbers
    likeliest = np.argsort(-z, kind="stable")
    if top_k:
        likeliest = likeliest[:top_k]
    pi = np.exp(z[likeliest])
    pi /= pi.sum()
    if top_p < 1:
        keep = np.searchsorted(np.cumsum(pi), top_p) + 1
        likeliest, pi = likeliest[:keep], pi[:keep] / pi[:keep].sum()
    result = np.zeros(len(z))
    result[likeliest] = pi
    return result


def decode(
    theta: Params,
    config: ModelConfig,
    prompts: list[list[int]],
    max_new_tokens: int,
    stop_ids,
    temperature=0.0,
    top_k=0,
    top_p=1.0,
    rng=None,
) -> Iterator[list[tuple[int, int]]]:
    """Yields, token by token, the list of (number of the prompt, its next id); end tokens of stop_ids are yielded too.

    A prompt takes part until its end token, max_new_tokens, or the end of the context. temperature > 0 needs `rng`.
    Raises MinisftError if a prompt is empty or fills the context, or if logits are not finite.
    """
    context = config.max_position_embeddings
    for number, prompt in enumerate(prompts):
        if not 0 < len(prompt) < context:
            raise MinisftError(
                f"prompt {number}: {len(prompt)} tokens, but the model needs at least 1 and reads "
                f"at most {context}, one of them for the answer; change the prompt"
            )
    capacities = [min(len(prompt) + max_new_tokens, context) for prompt in prompts]
    past = [
        [Memory(capacity, config.num_key_value_heads, config.head_dim, theta.flat.dtype) for capacity in capacities]
        for _ in range(config.num_hidden_layers)
    ]
    active, new = list(range(len(prompts))), [list(prompt) for prompt in prompts]
    lengths = [len(prompt) for prompt in prompts]
    while active and max_new_tokens:
        starts = np.cumsum([0] + [len(new[s]) for s in active])
        logits, _ = model.forward(
            theta,
            config,
            np.concatenate([new[s] for s in active]),
            starts,
            starts[1:] - 1,
            [[layer[s] for s in active] for layer in past],
        )
        if not np.isfinite(logits).all():
            raise MinisftError("the logits are not finite: the weights are damaged or diverged; use another model")
        if temperature > 0:
            tokens = [int(rng.choice(logits.shape[-1], p=probabilities(z, temperature, top_k, top_p))) for z in logits]
        else:
            tokens = logits.argmax(-1).tolist()
        yield list(zip(active, tokens))
        for s, token in zip(active, tokens):
            new[s] = [token]
            lengths[s] += 1
        active = [s for s, token in zip(active, tokens) if token not in stop_ids and lengths[s] < capacities[s]]


def generate(
    theta: Params,
    config: ModelConfig,
    prompts: list[list[int]],
    max_new_tokens: int,
    stop_ids,
    temperature=0.0,
    top_k=0,
    top_p=1.0,
    rng=None,
) -> list[Answer]:
    """One Answer a prompt; arguments and errors as in `decode`."""
    ids, stopped = [[] for _ in prompts], [False] * len(prompts)
    for tokens in decode(theta, config, prompts, max_new_tokens, stop_ids, temperature, top_k, top_p, rng):
        for s, token in tokens:
            if token in stop_ids:
                stopped[s] = True
            else:
                ids[s].append(token)
    return [Answer(*pair) for pair in zip(ids, stopped)]
