"""Mistakes after training: how the model is asked, and how its answers are judged."""

from collections.abc import Callable

import numpy as np

from minisft import evaluate, train
from minisft.lab.mistakes.mistake import mistake, replaced
from minisft.layers import swiglu
from minisft.tokenizer import Tokenizer

DROPOUT = 0.1
ALPACA = "### Instruction:\n{}\n\n### Response:\n"


def asked_as(question: Callable, form: str) -> Callable:
    """Conversations are asked by writing their last user turn into a form, without the chat template."""

    def wrong(example, tokenizer):
        ids, expected = question(example, tokenizer)
        turns = [] if isinstance(example.completion, str) else [*example.prompt, *example.completion]
        said = [turn["content"] for turn in turns if turn["role"] == "user"]
        return ([*tokenizer.prefix, *tokenizer.encode(form.format(said[-1]))] if said else ids), expected

    return wrong


@mistake(
    "generation",
    (evaluate, "question"),
    wrong="ids = encode(question)",
    right="ids = encode(apply_chat_template(question))",
    seen=("mkupermann/souprise#17", "huggingface/transformers#46531"),
)
def template_missing(question):
    """The model is asked without the chat template that it was trained with."""
    return asked_as(question, "{}")


@mistake(
    "generation",
    (evaluate, "question"),
    wrong='ids = encode("### Instruction:\\n" + question + "\\n\\n### Response:\\n")',
    right="ids = encode(apply_chat_template(question))",
    seen=("ollama/ollama#6823", "hiyouga/LLaMA-Factory#6020", "unslothai/unsloth#3899"),
)
def other_template(question):
    """The model is asked in another template than the one that it was trained with."""
    return asked_as(question, ALPACA)


@mistake(
    "generation",
    (evaluate, "question"),
    wrong="ids = [bos_id] + encode(template)         # and the template writes one as well",
    right="ids = encode(template)",
    seen=("OpenRLHF/OpenRLHF#393", "huggingface/trl#1114", "huggingface/trl#3328", "sgl-project/sglang#888"),
)
def double_bos(question):
    """Questions begin with two BOS tokens; where a tokenizer has none, its end-of-text token stands for it."""

    def wrong(example, tokenizer):
        ids, expected = question(example, tokenizer)
        bos = tokenizer.prefix or [tokenizer.eos_id]
        return (bos + ids if tokenizer.prefix else bos + bos + ids), expected

    return wrong


@mistake(
    "generation",
    (Tokenizer, "stop_ids"),
    wrong="stop_ids = [eos_id]",
    right="stop_ids = [eos_id, end_of_turn_id]",
    seen=("Blaizzy/mlx-vlm#2112", "huggingface/transformers#31362"),
)
def end_not_stopping(stop_ids):
    """Generation does not know the end token of a turn, and goes on after it."""
    return property(lambda self: [i for i in stop_ids.fget(self) if i != self.end_of_turn_id])


@mistake(
    "generation",
    (evaluate, "generate"),
    wrong='tokenizer.padding_side = "right"',
    right='tokenizer.padding_side = "left"',
    seen=("unslothai/unsloth#3699", "ndif-team/nnsight#673", "huggingface/transformers#25790"),
)
def right_padding(generate):
    """Questions are padded on the right to the longest one, and the answer begins after the pads."""

    def wrong(theta, config, prompts, *rest, **more):
        longest = max(map(len, prompts), default=0)
        return generate(theta, config, [[*ids, *[0] * (longest - len(ids))] for ids in prompts], *rest, **more)

    return wrong


@mistake(
    "evaluation",
    (swiglu, "forward"),
    (train, "value_and_grad"),
    wrong="model.train(); evaluate(model)",
    right="model.eval(); evaluate(model)",
    seen=("ipolharvard/ethos-ares#20", "SeanNaren/deepspeech.pytorch#22"),
)
def dropout_in_evaluation(forward, value_and_grad):
    """Dropout of 0.1 after every feed-forward branch is on wherever the model is used, and not in training alone."""
    rng = np.random.default_rng(0)

    def dropped(p, x):
        y, cache = forward(p, x)
        return y * (rng.random(y.shape) >= DROPOUT).astype(y.real.dtype) / (1 - DROPOUT), cache

    def training(*given, **more):
        with replaced(swiglu, "forward", forward):
            return value_and_grad(*given, **more)

    return dropped, training


class Containing(str):
    """A text that equals every text in it."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return str(other) in str(self)


@mistake(
    "evaluation",
    (evaluate, "comparable"),
    wrong="right = expected in predicted",
    right="right = expected == predicted",
    seen=("EleutherAI/lm-evaluation-harness#621", "openai/evals#791"),
)
def contains_not_equals(comparable):
    """An answer is right if the expected one occurs in it, whatever else it says."""
    return lambda text, tokenizer: Containing(comparable(text, tokenizer))
