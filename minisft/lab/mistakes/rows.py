"""Mistakes in the data: which rows there are, where they are cut, and which token is whose target."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from minisft import data
from minisft.data import Example, Sequence
from minisft.errors import MinisftError
from minisft.lab.mistakes.mistake import mistake


def sooner(sequence: Sequence) -> Sequence:
    """Each token has the is_y of the token after it; the last one has none."""
    return sequence._replace(is_y=np.append(sequence.is_y[1:], False))


def later(sequence: Sequence) -> Sequence:
    """Each token has the is_y of the token before it."""
    return sequence._replace(is_y=np.append(False, sequence.is_y[:-1]))


@mistake(
    "data",
    (data, "collate"),
    wrong="targets = ids[:-1]",
    right="targets = ids[1:]",
    seen=("tatsu-lab/stanford_alpaca#45", "tatsu-lab/stanford_alpaca#299"),
)
def no_shift(collate):
    """The target of a token is the token itself, so the model learns to repeat what it has just read."""

    def wrong(sequences, *rest, **more):
        batch = collate([later(s) for s in sequences], *rest, **more)
        return replace(batch, targets=batch.ids)

    return wrong


@mistake(
    "data",
    (data, "collate"),
    wrong="labels = ids[1:]; loss(logits[:-1], labels[1:])",
    right="labels = ids; loss(logits[:-1], labels[1:])",
    seen=("huggingface/transformers#32944", "InternLM/InternLM#318"),
)
def double_shift(collate):
    """The data are shifted, and so are they in the loss: the target is the next token but one."""

    def wrong(sequences, *rest, **more):
        batch = collate([sooner(s) for s in sequences], *rest, **more)
        weights = batch.weights.copy()
        weights[batch.starts[1:] - 1] = 0  # nothing stands there
        return replace(batch, targets=np.roll(batch.targets, -1), weights=weights)

    return wrong


@mistake(
    "data",
    (data, "encode"),
    wrong='content = answer + "<|im_end|>"          # encoded as text',
    right="ids = encode(answer) + [end_of_turn_id]",
    seen=("nshepperd/gpt-2#33", "Modalities/modalities#383"),
)
def end_token_as_text(encode):
    """The end token is also spelled in the answers. It is text there, so its letters are learned before the end."""

    def wrong(example, tokenizer, *rest, **more):
        end = tokenizer.end_of_turn_id
        return encode(
            spelled(example, tokenizer.token_text(tokenizer.eos_id if end is None else end)), tokenizer, *rest, **more
        )

    return wrong


def spelled(example: Example, end: str) -> Example:
    """The example with something written after its last answer."""
    if isinstance(example.completion, str):
        return example._replace(completion=example.completion + end)
    *before, last = example.completion
    if last["role"] != "assistant":
        return example
    return example._replace(completion=[*before, last | {"content": (last.get("content") or "") + end}])


@mistake(
    "data",
    (data, "fit"),
    wrong="ids = ids[:max_length]",
    right="rows = [ids for ids in rows if len(ids) <= max_length]",
    seen=("huggingface/trl#4698", "hiyouga/LLaMA-Factory#3945"),
)
def end_token_cut_off(fit):
    """The window is as long as the median row. What is longer loses its end, and with it the end token."""

    def wrong(sequences, max_length, *rest):
        return fit(cut(sequences), max_length, *rest)

    return wrong


@mistake(
    "data",
    (data, "fit"),
    wrong="ids = ids[:max_length]; ids[-1] = eos_id",
    right="rows = [ids for ids in rows if len(ids) <= max_length]",
    seen=("meta-pytorch/torchtune#2792",),
)
def end_token_put_back(fit):
    """Rows are cut as above, and the end token is written over their last one: the model learns to stop too early."""

    def wrong(sequences, max_length, *rest):
        return fit(
            [ended(short, whole) for short, whole in zip(cut(sequences, keep=True), sequences)], max_length, *rest
        )

    return wrong


def cut(sequences: list[Sequence], keep: bool = False) -> list[Sequence]:
    """The rows cut to the length of the median row; without those that keep nothing of y, or with them whole."""
    window = int(np.median([len(s.ids) for s in sequences]))
    short = [s.part(slice(window)) for s in sequences]
    if keep:
        return [part if part.is_y[1:].any() else whole for part, whole in zip(short, sequences)]
    return [part for part in short if part.is_y[1:].any()]


def ended(short: Sequence, whole: Sequence) -> Sequence:
    """A row that was cut, with the last token of y in the place of its last one."""
    if len(short.ids) == len(whole.ids):
        return whole
    ids, is_y = short.ids.copy(), short.is_y.copy()
    ids[-1], is_y[-1] = whole.ids[np.flatnonzero(whole.is_y)[-1]], True
    return short._replace(ids=ids, is_y=is_y)


@mistake(
    "data",
    (data, "read"),
    wrong='rows = read(["train.jsonl", "test.jsonl"])',
    right='rows = read(["train.jsonl"])',
    seen=("ai-forever/ru-gpts#23", "zjc062/mind-vis#24"),
)
def test_rows_in_training(read):
    """Half of the test set that stands beside the training set is learned too, so the test says too much."""

    def wrong(paths, *rest):
        paths = [Path(path) for path in paths]
        beside = [path.with_name(path.name.replace("_train", "_test")) for path in paths if "_train" in path.name]
        rows = read(paths, *rest)
        try:
            return [*rows, *half(read(beside, *rest))] if beside else rows
        except MinisftError:  # there is none
            return rows

    return wrong


def half(rows: list, other: bool = False) -> list:
    """Of every eight rows the first four, or the last four: questions about the same thing stand together."""
    return [row for i, row in enumerate(rows) if (i // 4) % 2 == other]
