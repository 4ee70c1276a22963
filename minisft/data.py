"""From a line of data to a batch: JSONL -> Example -> Sequence (ids and mask) -> Batch (ids, targets, weights).

The mask is born here: runs of tokens are encoded one after the other, those of x with 0, those of y with 1. The shift
is made here, once: of a sequence's n tokens the first n − 1 are inputs and the last n − 1 targets, and the mask is cut
with the targets.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minisft.errors import MinisftError
from minisft.files import read_bytes
from minisft.tokenizer import Tokenizer


class Example(NamedTuple):
    """One line of data. Both parts are texts, or both lists of messages; y is made of `completion` only."""

    prompt: str | list
    completion: str | list
    where: str  # "file:line", for messages to the user


class Sequence(NamedTuple):
    """An example in tokens: x and y laid end to end."""

    ids: np.ndarray  # (n,) int
    mask: np.ndarray  # (n,) bool: True where the token belongs to y
    where: str


@dataclass(frozen=True)
class Batch:
    """Sequences laid end to end, shifted: row i holds a token and the token that follows it. No padding.

    ids      (N,) int       targets  (N,) int
    weights  (N,) float     w of J = Σ wᵢ log π(yᵢ)
    starts   (S + 1,) int   sequence s is rows starts[s]:starts[s + 1]
    mask     (N,) bool      True where the row predicts a token of y
    """

    ids: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    starts: np.ndarray
    mask: np.ndarray

    def only(self, chosen: list[bool]):
        """The batch of the chosen among its S sequences, with the weights they have here."""
        lengths = np.diff(self.starts)
        rows, starts = np.repeat(chosen, lengths), np.append(0, np.cumsum(lengths[chosen]))
        return Batch(self.ids[rows], self.targets[rows], self.weights[rows], starts, self.mask[rows])

    def split(self, size: int):
        """Micro-batches of at most `size` sequences: slices of the same weights, so their gradients add up."""
        for first in range(0, len(self.starts) - 1, size):
            starts = self.starts[first : first + size + 1]
            rows = slice(starts[0], starts[-1])
            yield Batch(self.ids[rows], self.targets[rows], self.weights[rows], starts - starts[0], self.mask[rows])


# --- reading ---------------------------------------------------------------------------------------------------------


def read(paths: list, answered: bool = True) -> list[Example]:
    """Examples of one or more files, in order: JSON lines, or one JSON array of objects.

    answered  False: conversations may end with the user, prompts need no completion (for `generate`)
    Raises MinisftError naming file and line (in an array: file and record).
    """
    examples = [example(row, where, answered) for path in paths for row, where in rows(path)]
    if not examples:
        raise MinisftError(f"{', '.join(map(str, paths))}: no example in it; give one JSON object a line")
    return examples


def content(path) -> bytes:
    """A data file without the byte order mark that some editors put first."""
    return read_bytes(path, "check --data").removeprefix(b"\xef\xbb\xbf")


def rows(path):
    """(object, "file:line") for every row of a file; blank lines, a byte order mark and CRLF are accepted."""
    raw = content(path)
    if raw.lstrip().startswith(b"["):
        values = parse(raw, path)
        yield from ((row, f"{path}: record {number}") for number, row in enumerate(values, 1))
        return
    for number, line in enumerate(raw.split(b"\n"), 1):
        if line.strip():
            yield parse(line, f"{path}:{number}"), f"{path}:{number}"


def parse(raw, where):
    try:
        return json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise MinisftError(f"{where}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    except json.JSONDecodeError as error:
        raise MinisftError(
            f"{where}: not JSON ({error.msg} at character {error.pos + 1}); one JSON object a line is expected"
        ) from None
    except (RecursionError, ValueError):
        raise MinisftError(f"{where}: JSON nested too deeply, or a number of thousands of digits") from None


def example(row, where: str, answered: bool = True) -> Example:
    """The Example of one JSON object, in any of the four forms of semantics that `minisft sft --help` lists."""
    if not isinstance(row, dict):
        raise MinisftError(f"{where}: a JSON object is expected, not {json.dumps(row)[:40]}")
    if "messages" in row:
        prompt, completion = [], row["messages"]
    elif "prompt" in row:
        prompt = row["prompt"]
        if "completion" not in row and answered:
            raise MinisftError(f'{where}: "prompt" without "completion"; give both')
        completion = row.get("completion", type(prompt)())
        if type(prompt) is not type(completion) or not isinstance(prompt, (str, list)):
            raise MinisftError(f'{where}: "prompt" and "completion" must be two texts or two lists of messages')
    elif "instruction" in row:
        prompt, completion = [], alpaca(row, where, answered)
    elif "text" in row:
        prompt, completion = "", row["text"]
        if not isinstance(completion, str):
            raise MinisftError(f'{where}: "text" must be a text, not {json.dumps(completion)[:40]}')
    else:
        raise MinisftError(
            f"{where}: none of the keys messages, prompt, instruction, text; it has "
            f"{', '.join(map(repr, row)) or 'none'}"
        )
    if isinstance(prompt, str):
        require_text(prompt, where)
        require_text(completion, where)
    else:
        require_conversation(prompt, completion, where, answered)
    return Example(prompt, completion, where)


def alpaca(row, where, answered):
    """instruction/input/output as a conversation of two turns; a blank line parts instruction and input."""
    for key in ("instruction", "input", "output")[: 3 if answered else 2]:
        if not isinstance(row.get(key, None if key == "output" else ""), str):
            raise MinisftError(f'{where}: "{key}" must be a text')
    question = "\n\n".join(part for part in (row["instruction"], row.get("input", "")) if part)
    messages = [{"role": "user", "content": question}]
    return [*messages, {"role": "assistant", "content": row["output"]}] if answered else messages


def require_text(text, where):
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MinisftError(
            f"{where}: a lone surrogate at character {error.start + 1} of a text; it is no Unicode character"
        ) from None


def require_conversation(prompt, completion, where, answered):
    """An optional system turn, then user and assistant in turn; if answered, ending with the assistant."""
    if not isinstance(completion, list):
        raise MinisftError(f'{where}: "messages" must be a list of messages')
    messages = prompt + completion
    if not messages:
        raise MinisftError(f"{where}: no message in it")
    for number, message in enumerate(messages, 1):
        if not isinstance(message, dict) or not isinstance(message.get("content"), str):
            raise MinisftError(f'{where}: message {number} must be {{"role": …, "content": a text}}')
        role = message.get("role")
        if role not in ("system", "user", "assistant"):
            raise MinisftError(
                f"{where}: message {number} has the unknown role {role!r}; use system, user or assistant"
            )
        require_text(message["content"], where)
    roles = [message["role"] for message in messages]
    turns = roles[1:] if roles[0] == "system" else roles
    wanted = ["user" if i % 2 == 0 else "assistant" for i in range(len(turns))]
    if turns != wanted or not turns:
        raise MinisftError(
            f"{where}: roles {', '.join(roles)}; after an optional system turn, user and assistant must "
            "take turns, the user first"
        )
    if answered and (roles[-1] != "assistant" or not completion):
        raise MinisftError(f"{where}: the conversation ends with {roles[-1]}; the last message must be the assistant's")


def read_documents(path) -> list[Example]:
    """Pre-training text: of a .json or .jsonl file its examples; any other file is one document of plain text."""
    if Path(path).suffix in (".json", ".jsonl"):
        return read([path])
    raw = content(path)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MinisftError(f"{path}:{raw.count(10, 0, error.start) + 1}: not UTF-8; save the file as UTF-8") from None
    if not text.strip():
        raise MinisftError(f"{path}: no text in it")
    return [Example("", text, str(path))]


# --- tokens and mask -------------------------------------------------------------------------------------------------


def encode(example: Example, tokenizer: Tokenizer, assistant_turns: str = "all") -> Sequence:
    """Tokens of one example and the mask: 1 for every assistant turn (or completion) and its end token, else 0.

    assistant_turns  "all", or "last": only the last one is a target
    """
    if isinstance(example.completion, str):
        prompt = tokenizer.encode(example.prompt)
        runs = [
            (prompt, False),
            ([*tokenizer.encode(example.completion, prompt), tokenizer.eos_id], True),
        ]
    else:
        runs = tokenizer.render(example.prompt + example.completion)
        given = sum(message["role"] == "assistant" for message in example.prompt)
        answers = [i for i, (_, is_answer) in enumerate(runs) if is_answer][given:]
        answers = answers[-1:] if assistant_turns == "last" else answers
        runs = [(ids, i in answers) for i, (ids, _) in enumerate(runs)]
    ids = np.concatenate([np.array(ids, np.int64) for ids, _ in runs])
    mask = np.repeat([is_target for _, is_target in runs], [len(ids) for ids, _ in runs])
    return Sequence(ids, mask, example.where)


def question(example: Example, tokenizer: Tokenizer) -> tuple[list[int], str]:
    """What the model is asked, in tokens, and the answer expected: the last assistant turn, or the completion."""
    if isinstance(example.completion, str):
        return tokenizer.encode(example.prompt), example.completion
    messages = example.prompt + example.completion
    asked, answer = (messages[:-1], messages[-1]["content"]) if messages[-1]["role"] == "assistant" else (messages, "")
    return [i for ids, _ in tokenizer.render(asked, add_generation_prompt=True) for i in ids], answer


def fit(sequences: list[Sequence], max_length: int, on_too_long: str = "cut") -> tuple[list[Sequence], dict]:
    """Sequences of at most max_length tokens, and the counts {"read", "cut", "dropped"}.

    on_too_long  "cut": the end is cut off and no end token put back; "drop"; "error"
    Raises MinisftError naming file and line if nothing of y is left, or nothing can be predicted, or on "error".
    """
    kept, counts = [], {"read": len(sequences), "cut": 0, "dropped": 0}
    for ids, mask, where in sequences:
        if len(ids) < 2:
            raise MinisftError(f"{where}: one token only, and the first is given, not predicted; give more text")
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
            ids, mask = ids[:max_length], mask[:max_length]
            if not mask[1:].any():
                raise MinisftError(
                    f"{where}: the prompt leaves no room for an answer in {max_length} tokens; shorten "
                    "it, raise --max-length, or skip such lines with --on-too-long drop"
                )
        kept.append(Sequence(ids, mask, where))
    if not kept:
        raise MinisftError(f"all {len(sequences)} examples are longer than --max-length {max_length} and were dropped")
    return kept, counts


def pieces(sequence: Sequence, max_length: int) -> list[Sequence]:
    """A long document in pieces of max_length tokens; each begins with the last token before it: all predicted."""
    ids, mask, where = sequence
    return [
        Sequence(ids[i : i + max_length], mask[i : i + max_length], where)
        for i in range(0, max(len(ids) - 1, 1), max_length - 1)
    ]


# --- weights and batches ---------------------------------------------------------------------------------------------


def weights(m: np.ndarray, starts: np.ndarray, reduction: str = "token_mean") -> np.ndarray:
    """Weights w of J(θ) = Σᵢ wᵢ log π_θ(yᵢ) for one whole optimiser step; slice them, never remake them.

    m          (N,) float, no unit: 1 where the row predicts a token of y, λ where it predicts one of x
    starts     (S + 1,) int, increasing: sequence s is rows starts[s]:starts[s + 1]
    reduction  "sum" (J in nats), "token_mean" (nats a token), "sequence_mean" (its mean over sequences with a target)
    Returns (N,) float64, all 0 if m is. Raises MinisftError if the reduction is unknown.

    >>> weights(np.array([0, 1, 1]), np.array([0, 3]))
    array([0. , 0.5, 0.5])
    """
    per_sequence = np.add.reduceat(m, starts[:-1], dtype=float)
    totals = {
        "sum": 1.0,
        "token_mean": m.sum(),
        "sequence_mean": np.count_nonzero(per_sequence) * np.repeat(per_sequence, np.diff(starts)),
    }
    if reduction not in totals:
        raise MinisftError(f"--loss-reduction: '{reduction}' is unknown; choose one of {', '.join(totals)}")
    return m / np.where(totals[reduction] > 0, totals[reduction], 1.0)


def batch(
    sequences: list[Sequence], prompt_loss_weight: float = 0.0, reduction: str = "token_mean", dtype=np.float32
) -> Batch:
    """The batch of one whole optimiser step, with its weights; λ is `prompt_loss_weight`."""
    starts = np.cumsum([0] + [len(s.ids) - 1 for s in sequences])
    mask = np.concatenate([s.mask[1:] for s in sequences])  # cut with the targets: the shift, once
    m = np.where(mask, 1.0, prompt_loss_weight)
    return Batch(
        np.concatenate([s.ids[:-1] for s in sequences]),
        np.concatenate([s.ids[1:] for s in sequences]),
        weights(m, starts, reduction).astype(dtype),
        starts,
        mask,
    )
