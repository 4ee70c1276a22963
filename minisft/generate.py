"""ŷ: tokens drawn one after the other from π_θ(· | x, ŷ_<i), greedily or by chance, with keys and values remembered.

A token is computed once: its keys and values are kept, so each further token costs one row, not the whole text again.
The same `model.forward` as in training reads the prompt and every token after it.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from minisft import doors, model
from minisft.config import ModelConfig, number, whole
from minisft.errors import MinisftError
from minisft.params import Params
from minisft.tokenizer import Tokenizer


class Answer(NamedTuple):
    """What the model said to one prompt."""

    ids: list  # without the end token
    stopped: bool  # ended by an end token or a stop text, not by a limit


class Past:
    """All that has been read of S sequences, at most `capacity` tokens of each: keys and values of every layer.

    lengths   (S,) int: how many tokens of each have been read
    rooms     (S,) int: capacity for each; keys and values of sequence s are at s · capacity to (s + 1) · capacity
    layers    of each layer two arrays (G, S capacity, D)
    rotations of all positions, computed once
    """

    def __init__(self, config: ModelConfig, sequences: int, capacity: int, dtype: DTypeLike) -> None:
        shape = config.num_key_value_heads, sequences * capacity, config.head_dim
        self.lengths, self.rooms = np.zeros(sequences, int), np.full(sequences, capacity)
        # What is hidden is multiplied by 0, so it must be a number.
        self.layers = [(np.zeros(shape, dtype), np.zeros(shape, dtype)) for _ in range(config.num_hidden_layers)]
        self.rotations = model.rotations(config, np.arange(capacity), dtype)

    def extend(self, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For new rows, those of sequence s at starts[s]:starts[s + 1]: their positions and their places, (N,) each."""
        count = starts[1:] - starts[:-1]
        positions = np.arange(starts[-1]) + (self.lengths - starts[:-1]).repeat(count)
        self.lengths = self.lengths + count
        return positions, positions + (np.arange(len(count)) * self.rooms).repeat(count)

    def remember(self, layer: int, places: np.ndarray, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Keys and values (G, S capacity, D) of a layer, with those of the new rows (G, N, D) in their places."""
        keys, values = self.layers[layer]
        keys[:, places], values[:, places] = k, v
        return keys, values

    def keep(self, chosen: list[int]) -> None:
        """Forget all sequences but the chosen, a list of their numbers."""
        capacity = self.rooms[0]
        self.lengths, self.rooms = self.lengths[chosen], self.rooms[chosen]
        for layer, (keys, values) in enumerate(self.layers):
            G, _, D = keys.shape
            keys, values = (a.reshape(G, -1, capacity, D)[:, chosen].reshape(G, -1, D) for a in (keys, values))
            self.layers[layer] = keys, values


def sampling_distribution(logits: np.ndarray, temperature: float, top_k: int = 0, top_p: float = 1.0) -> np.ndarray:
    """What the sampler draws from: softmax(logits / temperature), cut to the likeliest and made to sum to 1 again.

    logits (V,); temperature > 0; top_k: keep the k likeliest (0: all); then top_p: of those, the smallest set of the
    likeliest whose probability reaches p (1: all). Raises MinisftError if one of them is anything else.
    """
    doors.number("temperature", temperature, number(above=0))
    doors.number("top_k", top_k, whole(0))
    doors.number("top_p", top_p, number(low=0, high=1))
    if np.ndim(logits) != 1 or np.iscomplexobj(logits) or not np.isfinite(np.max(logits)):
        doors.refuse("logits", "real numbers (V,), the largest of them finite", logits, "give one row of a model")
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


def penalised(logits: np.ndarray, ids: list[int], penalty: float) -> np.ndarray:
    """Logits (V,) with those of all ids so far made smaller: z / r where z ≥ 0, z · r where z < 0; r is the penalty.

    From Keskar et al., "CTRL" (2019), in the form that transformers has; the ids of the prompt count as well.
    """
    z, so_far = logits.copy(), np.unique(ids)
    z[so_far] = np.where(z[so_far] < 0, z[so_far] * penalty, z[so_far] / penalty)
    return z


# --- stop texts -------------------------------------------------------------------------------------------------------


def ends_with(texts: Sequence[str], tokenizer: Tokenizer) -> Callable[[list[int]], bool]:
    """A function that says of the ids of an answer whether their last token completes one of the stop texts."""
    longest = max((len(text.encode()) for text in texts), default=0)  # a token has at least one byte

    def ended(ids: list[int]) -> bool:
        spoken = [i for i in ids if i not in tokenizer.special_ids and i < tokenizer.vocab_size][-longest:]
        end = tokenizer.decode(spoken) if texts else ""
        return any(text in end for text in texts)

    return ended


def before(text: str, stop: Sequence[str]) -> str:
    """A text up to the first of the stop texts in it."""
    return text[: min((text.find(end) for end in stop if end in text), default=len(text))]


# --- token by token ---------------------------------------------------------------------------------------------------


def require(
    theta: Params,
    config: ModelConfig,
    max_new_tokens: int,
    stop_ids: Collection[int | None],
    temperature: float,
    top_k: int,
    top_p: float,
    rng: np.random.Generator | None,
    repetition_penalty: float,
) -> None:
    """Raises MinisftError for what would be silent nonsense in answers, or fail only after the first token."""
    doors.parameters("theta", theta, model.shapes(config))
    doors.number("max_new_tokens", max_new_tokens, whole(0))
    doors.number("temperature", temperature, number(low=0))
    doors.number("top_k", top_k, whole(0))
    doors.number("top_p", top_p, number(low=0, high=1))
    doors.number("repetition_penalty", repetition_penalty, number(above=0))
    if temperature > 0 and not hasattr(rng, "choice"):
        doors.refuse("rng", "a generator of random numbers", rng, "give np.random.default_rng(seed)")
    if not hasattr(stop_ids, "__len__") or not all(i is None or hasattr(i, "__index__") for i in stop_ids):
        doors.refuse("stop_ids", "a collection of ids", stop_ids, "give the tokenizer's, as {tokenizer.eos_id}")
    doors.indices("stop_ids", [i for i in stop_ids if i is not None], config.vocab_size)


def decode(
    theta: Params,
    config: ModelConfig,
    prompts: list[list[int]],
    max_new_tokens: int,
    stop_ids: Collection[int | None],
    temperature: float = 0.0,
    top_k: int = 0,
    top_p: float = 1.0,
    rng: np.random.Generator | None = None,
    repetition_penalty: float = 1.0,
    ended: Callable[[list[int]], bool] = lambda ids: False,
) -> Iterator[list[tuple[int, int]]]:
    """Yields, token by token, the list of (number of the prompt, its next id); end tokens of stop_ids are yielded too.

    A prompt takes part until its end token, max_new_tokens, or the end of the context. temperature > 0 needs `rng`.
    repetition_penalty  see `penalised`;  ended  says of the ids of an answer whether it ends there, see `ends_with`
    Raises MinisftError if a prompt is empty or fills the context, if logits are not finite, or if an argument makes no
    sense.
    """
    require(theta, config, max_new_tokens, stop_ids, temperature, top_k, top_p, rng, repetition_penalty)
    context = config.max_position_embeddings
    for i, prompt in enumerate(prompts):
        doors.indices(f"prompt {i}", prompt, config.vocab_size, "give a list of prompts, each a list of ids")
        if not 0 < len(prompt) < context:
            raise MinisftError(
                f"prompt {i}: {len(prompt)} tokens, but the model needs at least 1 and reads "
                f"at most {context}, one of them for the answer; change the prompt"
            )
    capacities = [min(len(prompt) + max_new_tokens, context) for prompt in prompts]
    past = Past(config, len(prompts), max(capacities, default=0), theta.flat.dtype)
    active, texts = list(range(len(prompts))), [list(prompt) for prompt in prompts]
    ids, starts = np.concatenate([[], *prompts]).astype(int), np.cumsum([0, *map(len, prompts)])
    while active and max_new_tokens:
        logits, _ = model.forward(theta, config, ids, starts, starts[1:] - 1, past)
        if not np.isfinite(logits).all():
            raise MinisftError("the logits are not finite: the weights are damaged or diverged; use another model")
        if repetition_penalty != 1:
            logits = np.stack([penalised(z, texts[s], repetition_penalty) for s, z in zip(active, logits)])
        if temperature > 0 and rng is not None:
            pis = (sampling_distribution(z, temperature, top_k, top_p) for z in logits)
            tokens = [int(rng.choice(len(pi), p=pi)) for pi in pis]
        else:
            tokens = logits.argmax(-1).tolist()
        yield list(zip(active, tokens))
        for s, token in zip(active, tokens):
            texts[s].append(token)
        going = [
            i
            for i, (s, token) in enumerate(zip(active, tokens))
            if token not in stop_ids and len(texts[s]) < capacities[s] and not ended(texts[s][len(prompts[s]) :])
        ]
        ids, starts = np.array([tokens[i] for i in going], int), np.arange(len(going) + 1)
        if len(going) < len(active):
            active = [active[i] for i in going]
            past.keep(going)


def generate(
    theta: Params,
    config: ModelConfig,
    prompts: list[list[int]],
    max_new_tokens: int,
    stop_ids: Collection[int | None],
    temperature: float = 0.0,
    top_k: int = 0,
    top_p: float = 1.0,
    rng: np.random.Generator | None = None,
    repetition_penalty: float = 1.0,
    ended: Callable[[list[int]], bool] = lambda ids: False,
) -> list[Answer]:
    """One Answer a prompt; arguments and errors as in `decode`."""
    ids: list[list[int]] = [[] for _ in prompts]
    stopped = [False] * len(prompts)
    how = temperature, top_k, top_p, rng, repetition_penalty, ended
    for tokens in decode(theta, config, prompts, max_new_tokens, stop_ids, *how):
        for s, token in tokens:
            if token in stop_ids:
                stopped[s] = True
            else:
                ids[s].append(token)
                stopped[s] = ended(ids[s])
    return [Answer(*pair) for pair in zip(ids, stopped)]
