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
    """Keys and values of S sequences in one layer: what has been read so far."""

    def __init__(self, sequences, groups, capacity, size, dtype):
        self.lengths = np.zeros(sequences, int)
        self.keys = np.zeros((sequences, groups, 1, capacity, size), dtype)
        self.values = np.zeros_like(self.keys)  # what is hidden is multiplied by 0, so it must be a number

    def read(self, k, v, starts, asked):
        """Remember new rows k and v (N, G, D) of the sequences; yields what is computed at a time.

        asked   (M,) int: the rows that ask, increasing
        Yields (slice of the M queries, their positions, keys and values of all that was read: (…, T, D)): of all
        sequences together where each has one new row; of one after the other where not.
        """
        before = self.lengths
        self.lengths = before + starts[1:] - starts[:-1]
        if len(asked) == len(k) == len(before):
            every, T = np.arange(len(before)), self.lengths.max()
            self.keys[every, :, 0, before], self.values[every, :, 0, before] = k, v
            yield slice(None), before[:, None, None, None], self.keys[..., :T, :], self.values[..., :T, :]
            return
        bounds = np.searchsorted(asked, starts)
        for s, (past, T) in enumerate(zip(before, self.lengths)):
            new, asking = slice(starts[s], starts[s + 1]), slice(bounds[s], bounds[s + 1])
            self.keys[s, :, 0, past:T], self.values[s, :, 0, past:T] = k[new].swapaxes(0, 1), v[new].swapaxes(0, 1)
            position = asked[asking] - starts[s] + past
            yield asking, position, self.keys[s : s + 1, ..., :T, :], self.values[s : s + 1, ..., :T, :]

    def keep(self, chosen):
        self.lengths, self.keys, self.values = self.lengths[chosen], self.keys[chosen], self.values[chosen]


class Past:
    """All that has been read of S sequences, at most `capacity` tokens of each: a Memory for every layer.

    cos, sin  (capacity, H, D): the rotations of all positions, computed once
    """

    def __init__(self, config, sequences, capacity, dtype):
        sizes = sequences, config.num_key_value_heads, capacity, config.head_dim, dtype
        self.layers = [Memory(*sizes) for _ in range(config.num_hidden_layers)]
        self.cos, self.sin = model.rotations(config, np.arange(capacity), dtype)

    @property
    def lengths(self):
        """(S,) int: how many tokens of each have been read."""
        return self.layers[0].lengths

    def keep(self, chosen):
        """Forget all sequences but the chosen, a list of their numbers."""
        for memory in self.layers:
            memory.keep(chosen)


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
    past = Past(config, len(prompts), max(capacities, default=0), theta.flat.dtype)
    active, new = list(range(len(prompts))), [list(prompt) for prompt in prompts]
    lengths = [len(prompt) for prompt in prompts]
    while active and max_new_tokens:
        starts = np.cumsum([0, *map(len, new)])
        logits, _ = model.forward(theta, config, np.concatenate(new), starts, starts[1:] - 1, past)
        if not np.isfinite(logits).all():
            raise MinisftError("the logits are not finite: the weights are damaged or diverged; use another model")
        if temperature > 0:
            tokens = [int(rng.choice(logits.shape[-1], p=probabilities(z, temperature, top_k, top_p))) for z in logits]
        else:
            tokens = logits.argmax(-1).tolist()
        yield list(zip(active, tokens))
        for s in active:
            lengths[s] += 1
        going = [
            i
            for i, (s, token) in enumerate(zip(active, tokens))
            if token not in stop_ids and lengths[s] < capacities[s]
        ]
        new = [[tokens[i]] for i in going]
        if len(going) < len(active):
            active = [active[i] for i in going]
            past.keep(going)


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
