"""What describes a model, and what describes a run: frozen values, checked once, when they are made.

The fields of `ModelConfig` have the names used in config.json in the Hugging Face layout, those of `TrainConfig` the
names of TRL's flags, so nothing has to be translated on the way in or out.
"""

import dataclasses
import math
import sys
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, NamedTuple

from minisft.errors import MinisftError, one_line

REDUCTIONS = ("token_mean", "sum", "sequence_mean")
SCHEDULES = ("linear", "constant", "cosine")
OPTIMIZERS = ("adamw", "sgd")
DTYPES = ("float32", "float64")
CHOICES = {"qk_norm": ["none", "head", "all"], "norms": ["before", "after", "both"]}
CHOICES["hidden_act"] = ["silu", "gelu_pytorch_tanh"]
LAYER_TYPES = ("full_attention", "sliding_attention")
LARGEST, MOST_LAYERS = 2**24, 2**12  # only a damaged file asks for more


def is_whole(value: object) -> bool:
    """Whether it is a whole number; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether it is a finite number; True and False are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


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


class Numbers(NamedTuple):
    """The numbers a setting may be, whole or any: low ≤ number ≤ high, above < number < below; 0 too, if `zero`."""

    whole: bool
    low: float = -math.inf
    above: float = -math.inf
    high: float = math.inf
    below: float = math.inf
    zero: bool = False

    def complaint(self, value: Any, unset: Any = None) -> str:
        """What is wrong with a value, in words that can follow it; empty if nothing is, or if the value is `unset`."""
        known = is_whole(value) if self.whole else is_number(value)
        if known and value > self.high:
            return f"is too large; at most {self.high} is allowed"
        inside = known and self.low <= value and self.above < value < self.below
        if inside or (known and (value == unset or (self.zero and value == 0))):
            return ""
        limits = {"of at least": self.low, "above": self.above, "below": self.below}
        words = " and ".join(f"{word} {limit}" for word, limit in limits.items() if math.isfinite(limit))
        return f"is not a {'whole' if self.whole else 'finite'} number {words}{', or 0' if self.zero else ''}"


def whole(low: int, high: int = 2**63 - 1) -> Numbers:
    """Whole numbers from low to high, by default to the largest 64-bit integer."""
    return Numbers(True, low=low, high=high)


def number(zero: bool = False, **limits: float) -> Numbers:
    """All finite numbers within the limits: low, above, high, below; and 0, if `zero`."""
    return Numbers(False, zero=zero, **limits)


def setting(
    default: Any,
    allowed: Numbers | tuple[str, ...] | None,
    help: str,
    metavar: str | None = None,
    model_card: str = "changed",
    flag: str | None = None,
) -> Any:
    """A field of TrainConfig with everything there is to say about it: its check, its flag, its line on the model card.

    allowed     Numbers, a tuple of names to choose from, or None where the type says enough. The default is always
                allowed; if it is not one of the Numbers, it stands for "not given"
    help        of the flag; metavar stands for the value there
    model_card  when the model card shows it: "always", if it is "changed", or "never"
    flag        its spelling, if that is not the name with hyphens
    """
    about = {"allowed": allowed, "help": help, "metavar": metavar, "model_card": model_card, "flag": flag}
    return dataclasses.field(default=default, metadata=about)


@dataclass(frozen=True)
class TrainConfig:
    """Every setting that influences θ̃. Raises MinisftError naming the flag if a value makes no sense.

    Names, defaults and meaning are those of the command line: see `minisft sft --help`. A `learning_rate` of 0 stands
    for the default for the model's size, `train.default_learning_rate`. `train_only` lists patterns, with * ? and
    [25-9]: tensors whose names match one of them are trained, all others are frozen; without patterns, all are trained.
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
        patterns = self.train_only
        if not (isinstance(patterns, (list, tuple)) and all(isinstance(p, str) and p for p in patterns)):
            raise MinisftError(f"--train-only: {one_line(repr(patterns))} is not a list of patterns, such as '*norm*'")
        object.__setattr__(self, "train_only", tuple(patterns))


def flag(name: str) -> str:
    """The command line's spelling of a field: batch_size -> --batch-size, shuffle -> --no-shuffle."""
    setting = TrainConfig.__dataclass_fields__.get(name)
    return (setting and setting.metadata["flag"]) or "--" + name.replace("_", "-")
