"""Mistakes in the layers: in what is computed, and in its gradient."""

from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np

from minisft import data, model, optim
from minisft.lab.mistakes.mistake import mistake
from minisft.layers import attention, embedding, rmsnorm


@mistake(
    "forward",
    (data, "collate"),
    wrong="mask = causal(length_of_the_pack)",
    right="mask = causal(length_of_the_pack) & (segment[:, None] == segment)",
    seen=("huggingface/trl#1230", "hiyouga/LLaMA-Factory#2289", "MeetKai/functionary#265"),
)
def packing_leak(collate):
    """Two rows are packed into one sequence without a mask between them: the second one reads the first."""

    def wrong(sequences, *rest, **more):
        batch = collate(sequences, *rest, **more)
        return replace(batch, starts=np.append(batch.starts[:-1:2], batch.starts[-1]))

    return wrong


@mistake(
    "forward",
    (model, "rotations"),
    wrong="positions = arange(length_of_the_pack)",
    right="positions = arange(length_of_the_pack) - starts[segment]",
    seen=("hiyouga/LLaMA-Factory#2289",),
)
def positions_not_restarted(rotations):
    """Positions run on from row to row. Rotary positions know distances only, so nothing comes of it."""
    return lambda config, positions, dtype: rotations(config, np.arange(len(positions)), dtype)


@mistake(
    "forward",
    (attention, "causal"),
    wrong="P = softmax(scores)",
    right="P = softmax(scores + causal_mask)",
    seen=("huggingface/transformers#48745", "keras-team/keras#23038"),
)
def no_causal_mask(causal):
    """Every token of a row sees all of the row in training, its own target among them."""
    return lambda n, window=np.inf: np.zeros((n, n), np.float32)


@mistake(
    "forward",
    (attention.Part, "hide"),
    (attention, "softmax"),
    wrong="P = softmax(scores) * visible",
    right="P = softmax(scores + mask)               # −∞ where not visible",
    seen=("huggingface/pytorch-image-models#2236",),
)
def mask_after_softmax(hide, softmax):
    """The later keys are taken out when the softmax has given them their part: the rows of P do not sum to 1."""
    waiting = []

    def wrong_hide(part, scores):
        waiting.append(part)
        return scores

    def wrong_softmax(scores):
        P, part = softmax(scores), waiting.pop()
        P *= np.exp(hide(part, np.zeros(P.shape, np.float32)))
        return P

    return wrong_hide, wrong_softmax


@mistake(
    "forward",
    (attention, "forward"),
    wrong="scores = q @ k.T",
    right="scores = q @ k.T / sqrt(D)",
    seen=("mlc-ai/mlc-llm#3426", "PAIR-code/tiny-transformers#71"),
)
def no_attention_scale(forward):
    """The scores of attention are not divided by √D, so they are √D times as sharp as in pre-training."""
    return lambda *given, **more: forward(*given, **more | {"scale": 1.0})


@mistake(
    "backward",
    (embedding, "backward"),
    wrong="E.grad = grad_of_head",
    right="E.grad = grad_of_head + grad_of_embedding",
    seen=("paiml/entrenar#314",),
)
def tied_gradient_lost(backward):
    """The embedding is used twice, and only its use as the head has a gradient."""
    return lambda p, g, cache, dx: None


@mistake(
    "backward",
    (rmsnorm, "backward"),
    wrong="dx = r * dn",
    right="dx = r * (dn - n * inner(dn, n) / C)",
    seen=("HomericIntelligence/Mnemosyne#730",),
)
def norm_taken_for_constant(backward):
    """The gradient of RMSNorm as if its r did not depend on x."""

    def wrong(p, g, cache, dy):
        r, _ = cache
        backward(p, g, cache, dy)  # the gradient of the gain is right
        return r * (p.weight * dy)

    return wrong


@mistake(
    "backward",
    (optim, "clip"),
    wrong="loss.backward(); optimizer.step()",
    right="optimizer.zero_grad(); loss.backward(); optimizer.step()",
    seen=("karpathy/micrograd#53", "karpathy/micrograd#63", "karpathy/micrograd#102"),
)
def gradient_not_zeroed(clip):
    """The gradient of a step is added to those of all steps before."""
    before: WeakKeyDictionary = WeakKeyDictionary()

    def wrong(grad, max_norm):
        grad.flat += before.get(grad, 0)
        norm = clip(grad, max_norm)
        before[grad] = grad.flat.copy()
        return norm

    return wrong
