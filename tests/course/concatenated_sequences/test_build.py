"""From a conversation to ids, targets and weights: each mistake is called by its name."""

import numpy as np
import pytest

from minisft import checkpoint, data
from minisft.course import concatenated_sequences as check
from minisft.formats import resources

from .conftest import solved


def laid_end_to_end(messages, encode, start, end, header=0, last=1, newline=0, other=0):
    """As a student writes it, with a flag for each kind of token."""
    ids, mask = [], []
    for message in messages:
        content = encode(message["content"])
        if message["role"] == "assistant":
            head = [start, *encode("assistant\n")]
            ids += [*head, *content, end, *encode("\n")]
            mask += [header] * len(head) + [1] * len(content) + [last, newline]
        else:
            turn = [start, *encode(message["role"] + "\n" + message["content"]), end, *encode("\n")]
            ids += turn
            mask += [other] * len(turn)
    return np.array(ids), np.array(mask)


def mask_of_the_inputs(*conversation):
    ids, mask = laid_end_to_end(*conversation)
    return ids[:-1], ids[1:], mask[:-1]


def no_shift(*conversation):
    ids, mask = laid_end_to_end(*conversation)
    return ids, ids.copy(), mask


def double_shift(*conversation):
    ids, mask = laid_end_to_end(*conversation)
    ids, targets, mask = ids[:-1], ids[1:], mask[1:]
    return ids[:-1], targets[1:], mask[1:]


def backwards(*conversation):
    ids, mask = laid_end_to_end(*conversation)
    return ids[1:], ids[:-1], mask[:-1]


def with_flags(**flags):
    def build(*conversation):
        ids, mask = laid_end_to_end(*conversation, **flags)
        return ids[:-1], ids[1:], mask[1:]

    return build


def pad_is_eos(messages, encode, start, end):
    ids, mask = laid_end_to_end(messages, encode, start, end)
    mask[ids == end] = 0
    return ids[:-1], ids[1:], mask[1:]


def last_turn(*conversation):
    ids, mask = laid_end_to_end(*conversation)
    ones = np.flatnonzero(mask)
    breaks = np.flatnonzero(np.diff(ones) > 1)
    mask[: ones[breaks[-1] + 1] if len(breaks) else 0] = 0
    return ids[:-1], ids[1:], mask[1:]


def as_one_string(messages, encode, start, end):
    text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
    ids = np.array(encode(text))
    return ids[:-1], ids[1:], np.ones(len(ids) - 1)


def mean(*conversation):
    ids, mask = laid_end_to_end(*conversation)
    return ids[:-1], ids[1:], mask[1:] / mask[1:].mean() / len(mask[1:])


def first_answer_token_skipped(*conversation):
    ids, mask = laid_end_to_end(*conversation)
    both = mask[1:] * mask[:-1]
    return ids[:-1], ids[1:], both


def without_start_tokens(messages, encode, start, end):
    ids, mask = laid_end_to_end(messages, encode, start, end)
    keep = ids != start
    ids, mask = ids[keep], mask[keep]
    return ids[:-1], ids[1:], mask[1:]


def padded_to_n(*conversation):
    ids, mask = laid_end_to_end(*conversation)
    return ids, np.append(ids[1:], 0), np.append(mask[1:], 0)


def not_yet_arrays(*conversation):
    ids, mask = laid_end_to_end(*conversation)
    return {"ids": ids[:-1], "targets": ids[1:], "weights": mask[1:]}


@pytest.mark.parametrize(
    "answer, words",
    [
        (mask_of_the_inputs, "aligned with the inputs, not the targets"),
        (no_shift, "no shift"),
        (double_shift, "made twice"),
        (backwards, "wrong way"),
        (with_flags(header=1), "header of the answer is trained"),
        (with_flags(last=0), "end token of the answer is masked"),
        (pad_is_eos, "pad = eos"),
        (with_flags(newline=1), "newline after the answer's end token is trained"),
        (with_flags(header=1, newline=1, other=1), "prompt is not masked"),
        (last_turn, "only the last answer"),
        (mean, "those of a mean"),
        # not in the catalogue
        (as_one_string, "ids"),
        (first_answer_token_skipped, "of y"),
        (without_start_tokens, "ids: the shape"),
        (padded_to_n, "ids: the shape"),
        (with_flags(header=1, last=0), "in the header of an answer"),
        (with_flags(last=0, newline=1), "the end token of an answer"),
        (not_yet_arrays, "should return 3 arrays"),
        (lambda *conversation: laid_end_to_end(*conversation), "should return 3 arrays"),
    ],
)
def test_a_wrong_conversation_is_called_by_its_mistake(answer, words):
    for seed in (0, 1):
        verdict = check.build(answer, seed=seed)
        assert verdict.right is False and words in verdict.text, verdict


def test_the_check_and_the_library_agree_on_what_is_trained():
    _, _, tokenizer = checkpoint.load(resources.path("atlas"))
    example = data.read([resources.path("shop_train.jsonl")])[0]
    ids, targets, weights = solved("build")(
        example.completion, tokenizer.encode, tokenizer.backend.token_to_id("<|im_start|>"), tokenizer.end_of_turn_id
    )
    part = data.collate([data.encode(example, tokenizer)], 0.0, "sum")
    assert (ids == part.ids).all() and (targets == part.targets).all() and (weights == part.weights).all()
