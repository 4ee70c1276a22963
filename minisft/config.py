"""What describes a model, and what describes a run: frozen values, checked once, when they are made.

The fields of `ModelConfig` have the names used in config.json in the Hugging Face layout, those of `TrainConfig` the
names of TRL's flags, so nothing has to be translated on the way in or out.
"""

import math
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from functools import cached_property
from typing import NamedTuple

from minisft.errors import MinisftError, one_line
from minisft.setting import Numbers, is_number, is_whole, number, setting, whole

__all__ = [
    "DTYPES",
    "LARGEST",
    "LAYER_TYPES",
    "MOST_LAYERS",
    "REDUCTIONS",
    "SCHEDULES",
    "ModelConfig",
    "Numbers",
    "RopeScaling",
    "TrainConfig",
    "flag",
    "is_number",
    "is_whole",
    "number",
    "whole",
]

REDUCTIONS = ("token_mean", "sum", "sequence_mean")
SCHEDULES = ("linear", "constant", "cosine")
OPTIMIZERS = ("adamw", "sgd")
DTYPES = ("float32", "float64")
CHOICES = {"qk_norm": ["none", "head", "all"], "norms": ["before", "after", "both"]}
CHOICES["hidden_act"] = ["silu", "gelu_pytorch_tanh"]
LAYER_TYPES = ("full_attention", "sliding_attention")
ALL_LINEAR = "all-linear"  # every linear map of the blocks
LARGEST = 2**24  # the largest size: only a damaged file asks for more
MOST_LAYERS = 2**12


@dataclass(frozen=True)
class RopeScaling:
    """Slower rotary angles, for a context longer than that of pre-training; the formula is in layers/rotary.py.

    `factor` alone slows every angle ("linear" in config.json). If original_max_position_embeddings, the context of
    pre-training, is given too, it slows only the angles that turn fewer than low_freq_factor times within that context;
    those that turn more than high_freq_factor times stay as they are, with a smooth change in between ("llama3").
    Raises MinisftError if a value makes no sense.
    """

    factor: float
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_max_position_embeddings: int = 0

    def __post_init__(self) -> None:
        for name in ("factor", "low_freq_factor", "high_freq_factor"):
            value = getattr(self, name)
            if not (is_number(value) and value > 0):
                raise MinisftError(f"{name}: {one_line(repr(value))} is not a positive number")
        if not self.low_freq_factor < self.high_freq_factor:
            raise MinisftError(f"low_freq_factor: {self.low_freq_factor} is not below high_freq_factor")
        original = self.original_max_position_embeddings
        if not (is_whole(original) and 0 <= original <= LARGEST):
            what = f"is not a whole number up to {LARGEST}"
            raise MinisftError(f"original_max_position_embeddings: {one_line(repr(original))} {what}")


class Reach(NamedTuple):
    """How many tokens the attention of a block sees, the last included, and how fast its rotations turn."""

    window: float
    rope_base: float
    rope_scaling: RopeScaling | None


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a Llama-style transformer. Raises MinisftError if the sizes do not fit together.

    In the book's letters: V vocab_size, C hidden_size, H num_attention_heads, G num_key_value_heads, D head_dim
    (0 stands for hidden_size / num_attention_heads), F intermediate_size; max_position_embeddings is the context, in
    tokens. The other fields say in what a family is not a Llama; those whose name is our own:

    qkv_bias         the maps to queries, keys and values have biases (Qwen2)
    qk_norm          q and k are normed before they are turned: each "head" (Qwen3), or "all" heads at once (OLMo-2)
    norms            of a branch: "before" it, "after" it (OLMo-2) or "both" (Gemma 3); the latter two may have another
                     hidden_act and a query_pre_attn_scalar (0: head_dim), whose root divides the scores
    embedding_scale  what rows of the embedding are multiplied by (Gemma 3: √C)
    rope_local_base  rope_base of the blocks whose layer_types say that they slide: they see sliding_window tokens
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int = 0
    max_position_embeddings: int = 256
    rms_norm_eps: float = 1e-5
    rope_base: float = 10000.0
    tie_word_embeddings: bool = True
    initializer_range: float = 0.02
    rope_scaling: RopeScaling | None = None
    qkv_bias: bool = False
    qk_norm: str = "none"
    norms: str = "before"
    hidden_act: str = "silu"
    query_pre_attn_scalar: int = 0
    embedding_scale: float = 1.0
    layer_types: tuple[str, ...] = ()
    sliding_window: int = LARGEST
    rope_local_base: float = 10000.0

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The kind of every block; they differ in Gemma 3 only."""
        return self.layer_types or ("full_attention",) * self.num_hidden_layers

    @cached_property
    def reaches(self) -> dict[str, Reach]:
        """{kind: its Reach} of the kinds of blocks that there are."""
        full = Reach(math.inf, self.rope_base, self.rope_scaling)
        both = {LAYER_TYPES[0]: full, LAYER_TYPES[1]: Reach(self.sliding_window, self.rope_local_base, None)}
        return {kind: both[kind] for kind in self.kinds}

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type is int and not (is_whole(value) and (field.default != 0) <= value <= LARGEST):
                raise MinisftError(
                    f"{field.name}: {one_line(repr(value))} is not a positive whole number of at most {LARGEST}"
                )
            if field.type is float and not (is_number(value) and value > 0):
                raise MinisftError(f"{field.name}: {one_line(repr(value))} is not a positive number")
            if field.type is bool and not isinstance(value, bool):
                raise MinisftError(f"{field.name}: {one_line(repr(value))} is neither true nor false")
        for name, known in CHOICES.items():
            if (value := getattr(self, name)) not in known:
                raise MinisftError(f"{name}: {one_line(repr(value))} is unknown; choose one of {', '.join(known)}")
        if self.norms == "before" and (self.hidden_act != "silu" or self.query_pre_attn_scalar):
            raise MinisftError("norms: with norms before the branches alone, hidden_act is silu, scores are over √D")
        if self.num_hidden_layers > MOST_LAYERS:
            raise MinisftError(f"num_hidden_layers: {self.num_hidden_layers} is more than {MOST_LAYERS}")
        kinds, allowed, L = self.layer_types, LAYER_TYPES, self.num_hidden_layers
        if not isinstance(kinds, (list, tuple)) or len(kinds) not in (0, L) or not all(k in allowed for k in kinds):
            raise MinisftError(
                f"layer_types: {one_line(repr(kinds))} is not a list of {L} times {' or '.join(allowed)}"
            )
        object.__setattr__(self, "layer_types", tuple(kinds))
        if not self.head_dim:
            if self.hidden_size % self.num_attention_heads:
                raise MinisftError(
                    f"hidden_size: {self.hidden_size} is not a multiple of "
                    f"num_attention_heads {self.num_attention_heads}; change one of them, or give head_dim"
                )
            object.__setattr__(self, "head_dim", self.hidden_size // self.num_attention_heads)
        if self.head_dim % 2:
            raise MinisftError(f"head_dim: {self.head_dim} is odd, but rotary positions turn pairs of channels")
        if self.num_attention_heads % self.num_key_value_heads:
            raise MinisftError(
                f"num_attention_heads: {self.num_attention_heads} is not a multiple of "
                f"num_key_value_heads {self.num_key_value_heads}"
            )


@dataclass(frozen=True)
class TrainConfig:
    """Every setting that influences θ̃. Raises MinisftError naming the flag if a value makes no sense.

    Names, defaults and meaning are those of the command line: see `minisft sft --help`. A `learning_rate` of 0 stands
    for the default for the model's size, `train.default_learning_rate`. `train_only` lists patterns, with * ? and
    [25-9]: tensors whose names match one of them are trained, all others are frozen; without patterns, all are trained.
    With a `lora_r` above 0 θ̂ is frozen, and these tensors are those of an adapter (adapter.py).
    """

    learning_rate: float = setting(
        0.0,
        number(above=0),
        "step size of the updates (default: 1e-3 for models under 10 million parameters, 2e-5 for larger ones)",
        metavar="R",
        model_card="always",
    )
    num_train_epochs: float = setting(  # the model card states the steps made
        3, number(above=0), "how often to go through the data; may be a fraction", metavar="E", model_card="never"
    )
    max_steps: int = setting(0, whole(1), "stop after N steps, however many epochs that makes", model_card="never")
    batch_size: int = setting(8, whole(1), "sequences in a micro-batch", model_card="always")
    gradient_accumulation_steps: int = setting(1, whole(1), "micro-batches in a step")
    optim: str = setting("adamw", OPTIMIZERS, "the optimiser", model_card="always")
    adam_beta1: float = setting(0.9, number(low=0, below=1), "decay rate of the first moment", metavar="B")
    adam_beta2: float = setting(0.999, number(low=0, below=1), "decay rate of the second moment", metavar="B")
    adam_epsilon: float = setting(  # 0 would make 0 / 0 where a gradient is 0
        1e-8, number(low=1e-30), "added to the square root of the second moment", metavar="E"
    )
    weight_decay: float = setting(
        0.0, number(low=0), "how strongly matrices are pulled towards 0; gains and biases are not", metavar="D"
    )
    max_grad_norm: float = setting(
        1.0, number(low=0), "clip a gradient whose norm is larger than this; 0 never clips", "C", "always"
    )
    lr_scheduler_type: str = setting(
        "linear", SCHEDULES, "how the learning rate changes during the run", model_card="always"
    )
    warmup_steps: float = setting(
        0,
        number(low=0),
        "steps in which the learning rate rises to its full value; below 1: the fraction of all steps",
        metavar="N",
    )
    prompt_loss_weight: float = setting(  # λ
        0.0,
        number(low=1e-30, high=1000, zero=True),  # a smaller one might become 0 in float32
        "weight of the tokens of the prompt: 0 maximises log Pr(y|x), 1 maximises log Pr(x,y); at least 1e-30, or 0",
        metavar="W",
        model_card="always",
    )
    loss_reduction: str = setting(
        "token_mean", REDUCTIONS, "how the tokens of a step make up the loss", model_card="always"
    )
    seed: int = setting(0, whole(0), "seed of everything that is random", model_card="always")
    shuffle: bool = setting(True, None, "keep the examples in the order of the file", flag="--no-shuffle")
    train_only: tuple[str, ...] = setting(
        (), None, "train only the tensors whose names match, and freeze the others (default: train all)", "PATTERN"
    )
    lora_r: int = setting(0, whole(0, 2**16), "LoRA: train two matrices of this rank for each linear map, not W", "R")
    lora_alpha: float = setting(0.0, number(above=0), "their product is added to W times A/R (default: 2 R)", "A")
    lora_target_modules: tuple[str, ...] = setting(
        (ALL_LINEAR,), None, "the linear maps that get them: all of the blocks, or those of these names", "NAME"
    )
    cache_frozen: float = setting(
        1024, number(low=0), "memory for what the frozen blocks at the bottom compute, kept for later epochs", "MB"
    )

    def trains(self, name: str) -> bool:
        """Whether the tensor of this name is trained: it matches a pattern of `train_only`, or there is no pattern."""
        return not self.train_only or any(fnmatchcase(name, pattern) for pattern in self.train_only)

    def __post_init__(self) -> None:
        for field in fields(self):
            value, allowed, wrong = getattr(self, field.name), field.metadata["allowed"], ""
            if isinstance(allowed, Numbers):
                wrong = allowed.complaint(value, unset=field.default)
            elif allowed and value not in allowed:
                wrong = f"is unknown; choose one of {', '.join(allowed)}"
            elif field.type is bool and not isinstance(value, bool):
                wrong = "is neither true nor false"
            if wrong:
                raise MinisftError(f"{flag(field.name)}: {one_line(repr(value))} {wrong}")
        for name, example in (("train_only", "model.layers.2[5-9].*"), ("lora_target_modules", "q_proj")):
            names = getattr(self, name)
            if not (isinstance(names, (list, tuple)) and all(isinstance(n, str) and n for n in names)):
                raise MinisftError(f"{flag(name)}: {one_line(repr(names))} is not a list of names, such as '{example}'")
            object.__setattr__(self, name, tuple(names))
        if not self.lora_target_modules:
            raise MinisftError(f"--lora-target-modules: names nothing; give {ALL_LINEAR}, or names such as q_proj")


def flag(name: str) -> str:
    """The command line's spelling of a field: batch_size -> --batch-size, shuffle -> --no-shuffle."""
    setting = TrainConfig.__dataclass_fields__.get(name)
    return (setting and setting.metadata["flag"]) or "--" + name.replace("_", "-")
