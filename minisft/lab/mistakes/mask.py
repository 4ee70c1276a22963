"""Mistakes in the mask: which tokens are trained, and which are not."""

from dataclasses import replace

import numpy as np

from minisft import data
from minisft.data import Sequence
from minisft.lab.mistakes.mistake import mistake
from minisft.lab.mistakes.rows import later

PAD = 0  # the id that stands for nothing


@mistake(
    "mask",
    (data, "collate"),
    wrong="labels = ids",
    right="labels = where(is_y, ids, -100)",
    seen=("karpathy/nanochat#582", "karpathy/nanochat#20"),
)
def prompt_not_masked(collate):
    """The tokens of x are trained like those of y, whatever λ was asked for."""
    return lambda sequences, prompt_loss_weight=0.0, *rest, **more: collate(sequences, 1.0, *rest, **more)


@mistake(
    "mask",
    (data, "collate"),
    wrong="weights = is_y[:-1]",
    right="weights = is_y[1:]",
    seen=("stochasticai/xTuring#139", "jingyaogong/minimind#388", "jingyaogong/minimind#633"),
)
def mask_not_shifted(collate):
    """The mask stays with the inputs: the first token of y is not trained, and what follows the end token is."""
    return lambda sequences, *rest, **more: collate([later(s) for s in sequences], *rest, **more)


@mistake(
    "mask",
    (data, "encode"),
    wrong='is_y = mask("<|im_start|>assistant\\n" + answer)',
    right="is_y = mask(answer)",
    seen=("NVIDIA-NeMo/Automodel#3352",),
)
def header_trained(encode):
    """The header of the answer is trained too, although whoever asks the model writes it."""

    def wrong(example, tokenizer, *rest, **more):
        sequence = encode(example, tokenizer, *rest, **more)
        is_y, special = sequence.is_y.copy(), np.isin(sequence.ids, list(tokenizer.special_ids))
        for first in np.flatnonzero(is_y & ~np.append(False, is_y[:-1])):
            opened = np.flatnonzero(special[:first])
            if len(opened):
                is_y[opened[-1] : first] = True
        return sequence._replace(is_y=is_y)

    return wrong


@mistake(
    "mask",
    (data, "encode"),
    wrong="is_y = [True] * len(answer) + [False]     # the end token belongs to the next turn",
    right="is_y = [True] * len(answer) + [True]",
    seen=("huggingface/trl#5988", "huggingface/trl#6044", "huggingface/trl#7230", "InternLM/xtuner#1997"),
)
def end_token_masked(encode):
    """The end token of an answer is not trained."""
    return lambda *given, **more: without_end(encode(*given, **more))


@mistake(
    "mask",
    (data, "collate"),
    wrong="labels[ids == pad_id] = -100              # pad_id == eos_id",
    right="labels[length:] = -100",
    seen=("huggingface/trl#976", "huggingface/trl#734", "huggingface/transformers#23530", "unslothai/unsloth#416"),
)
def pad_is_end(collate):
    """The end token pads as well, and whatever is a pad is masked, the true end token too."""
    return lambda sequences, *rest, **more: collate([without_end(s) for s in sequences], *rest, **more)


def without_end(sequence: Sequence) -> Sequence:
    """The sequence whose end tokens do not belong to y."""
    of_y = np.flatnonzero(sequence.is_y)
    return sequence._replace(is_y=sequence.is_y & (sequence.ids != sequence.ids[of_y[-1]])) if len(of_y) else sequence


@mistake(
    "mask",
    (data, "collate"),
    wrong="loss = cross_entropy(logits, labels)      # pads among them",
    right="loss = cross_entropy(logits, labels, ignore_index=pad_id)",
    seen=("open-jarvis/OpenJarvis#521", "huggingface/transformers#2759"),
)
def padding_trained(collate):
    """Every row is padded to the longest one, and the pads are targets. They are easy, so the loss looks small."""

    def wrong(sequences, *rest, **more):
        longest = max(len(s.ids) for s in sequences)
        return collate([padded(s, longest - len(s.ids)) for s in sequences], *rest, **more)

    return wrong


def padded(sequence: Sequence, count: int) -> Sequence:
    """The sequence and so many pads, which count as y."""
    weight = sequence.weight
    if isinstance(weight, np.ndarray):
        weight = np.append(weight, np.ones(count))
    ids, is_y = np.append(sequence.ids, np.full(count, PAD)), np.append(sequence.is_y, np.ones(count, bool))
    return sequence._replace(ids=ids, is_y=is_y, weight=weight)


@mistake(
    "mask",
    (data, "collate"),
    wrong="labels = where(is_y, ids, 0)",
    right="labels = where(is_y, ids, -100)",
    seen=("meta-llama/llama-cookbook#101",),
)
def prompt_label_zero(collate):
    """On x the label is 0 and not the one that is ignored, so all of x is trained to be followed by token 0."""

    def wrong(sequences, prompt_loss_weight=0.0, *rest, **more):
        batch = collate(sequences, 1.0, *rest, **more)
        return replace(batch, targets=np.where(batch.is_y, batch.targets, 0))

    return wrong
