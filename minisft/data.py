"""From an example to a batch: Example -> Sequence (ids and is_y) -> Batch (ids, targets, weights).

What belongs to y is decided here, once, in `encode`: runs of tokens are encoded one after the other, those of x with
False, those of y with True. The shift is made here, once, in `collate`: of a sequence's n tokens the first n − 1 are
the inputs and the last n − 1 the targets, and is_y is cut with the targets.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from minisft import doors
from minisft.config import LARGEST, TrainConfig, whole
from minisft.errors import MinisftError
from minisft.formats.documents import read_documents
from minisft.formats.rows import Example, example, read
from minisft.tokenizer import Tokenizer

__all__ = ["Batch", "Example", "Sequence", "collate", "encode", "example", "fit", "pieces", "question", "read"]
__all__ += ["read_documents", "weights"]

LAMBDA = TrainConfig.__dataclass_fields__["prompt_loss_weight"].metadata["allowed"]


class Sequence(NamedTuple):
    """An example in tokens: x and y laid end to end."""

    ids: np.ndarray  # (n,) int
    is_y: np.ndarray  # (n,) bool: True where the token belongs to y
    where: str  # "file:line", for messages to the user
    weight: np.ndarray | float = 1.0  # (n,) float, or one for all: multiplies m of each token, as the data ask for
    below: Any = None  # what frozen blocks have computed of it: of frozen.py

    def part(self, chosen: slice) -> "Sequence":
        """Some of the tokens, as a sequence."""
        weight = self.weight[chosen] if isinstance(self.weight, np.ndarray) else self.weight
        return Sequence(self.ids[chosen], self.is_y[chosen], self.where, weight)


@dataclass(frozen=True)
class Batch:
    """Sequences laid end to end, shifted: row i holds a token and the token that follows it. No padding.

    ids      (N,) int       targets  (N,) int
    weights  (N,) float     w of J = Σ wᵢ log π(yᵢ)
    starts   (S + 1,) int   sequence s is rows starts[s]:starts[s + 1]
    is_y     (N,) bool      True where the row predicts a token of y
    below    S times what is known of a sequence beforehand, or None: of frozen.py
    """

    ids: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    starts: np.ndarray
    is_y: np.ndarray
    below: tuple = ()

    def only(self, chosen: list[bool]) -> "Batch":
        """The batch of the chosen ones of its S sequences, with the weights they have here."""
        if np.shape(chosen) != (len(self.starts) - 1,) or np.asarray(chosen).dtype != bool:
            doors.refuse("chosen", f"{len(self.starts) - 1} times true or false", chosen, "give one for each sequence")
        lengths = np.diff(self.starts)
        rows, starts = np.repeat(chosen, lengths), np.append(0, np.cumsum(lengths[chosen]))
        below = tuple(one for one, taken in zip(self.below, chosen) if taken)
        return Batch(self.ids[rows], self.targets[rows], self.weights[rows], starts, self.is_y[rows], below)

    def split(self, size: int) -> Iterator["Batch"]:
        """Micro-batches of at most `size` sequences: slices of the same weights, so their gradients add up."""
        doors.number("size", size, whole(1))
        for first in range(0, len(self.starts) - 1, size):
            starts = self.starts[first : first + size + 1]
            rows = slice(starts[0], starts[-1])
            ids, targets, below = self.ids[rows], self.targets[rows], self.below[first : first + size]
            yield Batch(ids, targets, self.weights[rows], starts - starts[0], self.is_y[rows], below)


# --- tokens and is_y -------------------------------------------------------------------------------------------------


def encode(example: Example, tokenizer: Tokenizer, assistant_turns: str = "all", limit: int | None = None) -> Sequence:
    """Tokens of one example, and which of them belong to y: every assistant turn (or completion) with its end token.

    assistant_turns  "all", or "last": only the last one is a target
    limit            only the first tokens, at most so many: no more of the example is encoded than they need
    """
    doors.one_of("assistant_turns", assistant_turns, ("all", "last"))
    if not isinstance(example, Example):
        doors.refuse(
            "example", "an Example", example, "make it of a row with data.example, or of a file with data.read"
        )
    weight: np.ndarray | float = example.weight
    if isinstance(example.completion, str):
        with named(example.where):
            prompt = tokenizer.encode(example.prompt, limit=limit)
            room = None if limit is None else limit - len(prompt)
            completion = [*tokenizer.encode(example.completion, prompt, room), tokenizer.eos_id]
        runs = [(tokenizer.prefix, False), (prompt, False), (completion, True)]
    else:
        messages = example.prompt + example.completion
        of_y = [i >= len(example.prompt) and message["role"] == "assistant" for i, message in enumerate(messages)]
        if assistant_turns == "last":
            last = max((i for i, y in enumerate(of_y) if y), default=None)
            of_y = [i == last for i in range(len(of_y))]
        with named(example.where):
            runs = tokenizer.render(messages, of_y, limit=limit, tools=example.tools)
        if any("weight" in message for message in messages):
            weight = weight * turn_weights(messages, of_y, runs)
    ids = np.concatenate([np.array(run, np.int64) for run, _ in runs])
    is_y = np.repeat([y for _, y in runs], [len(run) for run, _ in runs])
    return Sequence(ids, is_y, example.where, weight).part(slice(limit))


def turn_weights(messages: list[dict], of_y: list[bool], runs: list[tuple[list[int], bool]]) -> np.ndarray:
    """The weights of the messages, for each token (n,): an answer of y has its own.

    What stands between two answers has the weight that all messages there have. If theirs differ it is NaN: nobody says
    which token is whose, so it must not count, which is so where λ is 0.
    """
    y = [message.get("weight", 1.0) for message, y in zip(messages, of_y) if y]
    x: list[set[float]] = [set()]
    for message, is_answer in zip(messages, of_y):
        x.append(set()) if is_answer else x[-1].add(message.get("weight", 1.0))
    between = [1.0 if not found else found.pop() if len(found) == 1 else np.nan for found in x]
    answers = np.cumsum([0, *(is_answer for _, is_answer in runs)])  # how many before each run
    weights = [y[k] if is_answer else between[k] for (_, is_answer), k in zip(runs, answers)]
    return np.repeat(weights, [len(run) for run, _ in runs])


def question(example: Example, tokenizer: Tokenizer) -> tuple[list[int], str]:
    """What the model is asked, in tokens, and the expected answer: the last assistant turn, or the completion.

    Without any message before the answer nothing is asked: no tokens.
    """
    with named(example.where):
        if isinstance(example.completion, str):
            return [*tokenizer.prefix, *tokenizer.encode(example.prompt)], example.completion
        *asked, last = example.prompt + example.completion
        if last["role"] != "assistant":
            asked, last = [*asked, last], {}
        return tokenizer.prompt(asked, example.tools) if asked else [], last.get("content") or ""


@contextmanager
def named(where: str) -> Iterator[None]:
    """Raises what is wrong with an example anew, with its place, "file:line"."""
    try:
        yield
    except MinisftError as error:
        raise MinisftError(f"{where}: {error}" if where else str(error)) from error


def fit(sequences: list[Sequence], max_length: int, on_too_long: str = "cut") -> tuple[list[Sequence], dict[str, int]]:
    """Sequences of at most max_length tokens, and the counts {"read", "cut", "dropped"}.

    on_too_long  "cut": the end is cut off, and the end token is not put back; "drop"; "error"
    Raises MinisftError naming file and line if nothing of y is left, if nothing can be predicted, or on "error".
    """
    doors.number("max_length", max_length, whole(1))
    doors.one_of("on_too_long", on_too_long, ("cut", "drop", "error"))
    kept, counts = [], {"read": len(sequences), "cut": 0, "dropped": 0}
    for sequence in sequences:
        ids, where = sequence.ids, sequence.where
        if len(ids) < 2:
            raise MinisftError(f"{where}: only one token, and the first is given, not predicted; give more text")
        if len(ids) > max_length:
            if on_too_long == "error":
                raise MinisftError(
                    f"{where}: {len(ids)} tokens, more than --max-length {max_length}; shorten it, or "
                    "choose --on-too-long cut or drop"
                )
            if on_too_long == "drop":
                counts["dropped"] += 1
                continue
            counts["cut"] += 1
            sequence = sequence.part(slice(max_length))
            if not sequence.is_y[1:].any():
                raise MinisftError(
                    f"{where}: the prompt leaves no room for an answer in {max_length} tokens; shorten "
                    "it, raise --max-length, or skip such lines with --on-too-long drop"
                )
        kept.append(sequence)
    if not kept:
        raise MinisftError(f"all {len(sequences)} examples are longer than --max-length {max_length} and were dropped")
    return kept, counts


def pieces(sequence: Sequence, max_length: int) -> list[Sequence]:
    """A long document in pieces of max_length tokens; each begins with the last token before it: all predicted."""
    doors.number("max_length", max_length, whole(2))
    starts = range(0, max(len(sequence.ids) - 1, 1), max_length - 1)
    return [sequence.part(slice(i, i + max_length)) for i in starts]


# --- weights and batches ---------------------------------------------------------------------------------------------


def weights(m: np.ndarray, starts: np.ndarray, reduction: str = "token_mean") -> np.ndarray:
    """Weights w of J(θ) = Σᵢ wᵢ log π_θ(yᵢ) for one whole optimiser step; slice them, never make them anew.

    m          (N,) float, no unit: 1 where the row predicts a token of y, λ where it predicts one of x, each times the
               weight that the data give it
    starts     (S + 1,) int, increasing: sequence s is rows starts[s]:starts[s + 1]
    reduction  "sum" (J in nats), "token_mean" (nats per token), "sequence_mean" (its mean over sequences with a target)
    Returns (N,) float64, all 0 if m is all 0. Raises MinisftError if the reduction is unknown, if m has another shape
    or a number that is negative or not finite, or if starts are not increasing from 0 to N.

    >>> weights(np.array([0, 1, 1]), np.array([0, 3]))
    array([0. , 0.5, 0.5])
    """
    doors.starts(starts, len(m))
    if not isinstance(m, np.ndarray) or m.ndim != 1:
        doors.refuse("m", f"an array of shape ({len(m)},)", m, "give one number for each row")
    if not (m.min(initial=0) >= 0 and m.max(initial=0) < np.inf):  # NaN is neither
        doors.refuse(
            "m", "finite numbers of at least 0", float(m[~((m >= 0) & (m < np.inf))][0]), "give 1 on y, λ on x"
        )
    per_sequence = np.add.reduceat(m, starts[:-1], dtype=float)
    totals = {
        "sum": 1.0,
        "token_mean": m.sum(),
        "sequence_mean": np.count_nonzero(per_sequence) * np.repeat(per_sequence, np.diff(starts)),
    }
    if reduction not in totals:
        raise MinisftError(f"--loss-reduction: '{reduction}' is unknown; choose one of {', '.join(totals)}")
    return m / np.where(totals[reduction] > 0, totals[reduction], 1.0)


def require(sequences: list[Sequence], prompt_loss_weight: float, dtype: DTypeLike) -> None:
    """Raises MinisftError for what `collate` is given and would silently make another batch of."""
    doors.number("prompt_loss_weight", prompt_loss_weight, LAMBDA)
    if np.dtype(dtype).kind != "f":
        doors.refuse("dtype", "a type of real numbers", dtype, "give that of θ, theta.flat.dtype")
    doors.some("sequences", sequences)
    for s in sequences:
        if not hasattr(s, "is_y"):
            doors.refuse("sequences", "Sequences", s, "make them of examples with data.encode")
        doors.unmasked(f"{s.where}: ids", s.ids)
        doors.unmasked(f"{s.where}: is_y", s.is_y)
        if not 2 <= len(s.ids) == len(s.is_y):
            lengths = len(s.ids), len(s.is_y)
            doors.refuse(f"{s.where}: ids and is_y", "at least 2, and as many of both", lengths, "encode it anew")
        if np.asarray(s.is_y).dtype != bool:  # ~ would turn an integer 0 into −1, and 1 into −2
            doors.refuse(f"{s.where}: is_y", "true or false for each token", s.is_y, "convert it with astype(bool)")


def weight_of(sequences: list[Sequence], counts: np.ndarray) -> np.ndarray:
    """The weight (N,) that the data give each row that counts. Raises MinisftError if there it is not known."""
    weight = np.concatenate([np.broadcast_to(s.weight, len(s.ids))[1:] for s in sequences])
    weight = np.where(counts, weight, 0.0)
    if np.isnan(weight).any():
        where = next(s.where for s in sequences if np.isnan(s.weight).any())
        raise MinisftError(
            f"{where}: its system and user messages differ in weight, so x between two answers has none; give "
            "them the same, or leave --prompt-loss-weight at 0"
        )
    return weight


def collate(
    sequences: list[Sequence],
    prompt_loss_weight: float = 0.0,
    reduction: str = "token_mean",
    dtype: DTypeLike = np.float32,
) -> Batch:
    """The batch of one whole optimiser step, with its weights; λ is `prompt_loss_weight`.

    Raises MinisftError if there is no sequence, if one has fewer than two tokens, ids that are not whole numbers from
    0 on, or an is_y that is not boolean or of another length, or if λ is not a number from 0 to 1000.
    """
    require(sequences, prompt_loss_weight, dtype)
    starts = np.cumsum([0] + [len(s.ids) - 1 for s in sequences])
    is_y = np.concatenate([s.is_y[1:] for s in sequences])  # cut with the targets: the shift, once
    m = np.where(is_y, 1.0, prompt_loss_weight)
    m *= weight_of(sequences, m > 0)
    batch = Batch(
        np.concatenate([s.ids[:-1] for s in sequences]),
        np.concatenate([s.ids[1:] for s in sequences]),
        weights(m, starts, reduction).astype(dtype),
        starts,
        is_y,
        tuple(s.below for s in sequences),
    )
    doors.indices("ids", batch.ids, LARGEST)
    doors.indices("ids", batch.targets, LARGEST)
    return batch
