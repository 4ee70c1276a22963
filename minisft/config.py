"""What describes a model and a run: frozen values, checked once, when they are made.

The fields of `ModelConfig` carry the names of config.json in the Hugging Face layout, those of `TrainConfig` the names
of TRL's flags, so nothing has to be translated on the way in or out.
"""

import sys
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase

from minisft.errors import MinisftError

REDUCTIONS = ("token_mean", "sum", "sequence_mean")
SCHEDULES = ("linear", "constant", "cosine")
OPTIMIZERS = ("adamw", "sgd")
DTYPES = ("float32", "float64")
LARGEST = 2**24  # of a size: larger ones stand in damaged files only
MOST_LAYERS = 2**12


def is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


@dataclass(frozen=True)
class RopeScaling:
    """Slower rotary angles, for a context beyond that of pre-training; the formula is in layers/rotary.py.

    `factor` alone slows every angle ("linear" in config.json). With original_max_position_embeddings, the context of
    pre-training, it slows those that turn there fewer than low_freq_factor times, those that turn more than
    high_freq_factor times stay, and between the two it changes smoothly ("llama3"). Raises MinisftError.
    """

    factor: float
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_max_position_embeddings: int = 0

    def __post_init__(self):
        for name in ("factor", "low_freq_factor", "high_freq_factor"):
            value = getattr(self, name)
            if not (is_number(value) and value > 0):
                raise MinisftError(f"{name}: {value!r} is not a positive number")
        if not self.low_freq_factor < self.high_freq_factor:
            raise MinisftError(f"low_freq_factor: {self.low_freq_factor} is not below the high one")
        original = self.original_max_position_embeddings
        if not (is_whole(original) and 0 <= original <= LARGEST):
            raise MinisftError(f"original_max_position_embeddings: {original!r} is not a whole number up to {LARGEST}")


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a Llama-style transformer. Raises MinisftError if the sizes do not fit together.

    In the book's letters: V vocab_size, C hidden_size, H num_attention_heads, G num_key_value_heads, D head_dim
    (0: hidden_size / num_attention_heads), F intermediate_size; the context is max_position_embeddings tokens.
    `qkv_bias`, a name of ours: the maps to queries, keys and values have biases, as in Qwen2.
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

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type is int and not (is_whole(value) and (field.name != "head_dim") <= value <= LARGEST):
                raise MinisftError(f"{field.name}: {value!r} is not a positive whole number of at most {LARGEST}")
            if field.type is float and not (is_number(value) and value > 0):
                raise MinisftError(f"{field.name}: {value!r} is not a positive number")
            if field.type is bool and not isinstance(value, bool):
                raise MinisftError(f"{field.name}: {value!r} is neither true nor false")
        if self.num_hidden_layers > MOST_LAYERS:
            raise MinisftError(f"num_hidden_layers: {self.num_hidden_layers} is more than {MOST_LAYERS}")
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

    Names, defaults and meaning are those of the command line: `minisft sft --help`. `learning_rate` 0 stands for
    the default of the model's size, see `train.default_learning_rate`; `train_only` are patterns of names of tensors,
    with * ? and [25-9], of which all others are frozen (none: all are trained).
    """

    learning_rate: float = 0.0
    num_train_epochs: int = 3
    max_steps: int = 0
    batch_size: int = 8
    gradient_accumulation_steps: int = 1
    optim: str = "adamw"
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    adam_epsilon: float = 1e-8
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    lr_scheduler_type: str = "linear"
    warmup_steps: int = 0
    prompt_loss_weight: float = 0.0
    loss_reduction: str = "token_mean"
    seed: int = 0
    shuffle: bool = True
    train_only: tuple[str, ...] = ()

    def trains(self, name: str) -> bool:
        """Whether the tensor of this name is trained: any, or those that match one of the patterns of `train_only`."""
        return not self.train_only or any(fnmatchcase(name, pattern) for pattern in self.train_only)

    def __post_init__(self):
        rules = {
            "learning_rate": (is_number, 0, None),
            "num_train_epochs": (is_whole, 1, None),
            "max_steps": (is_whole, 0, None),
            "batch_size": (is_whole, 1, None),
            "gradient_accumulation_steps": (is_whole, 1, None),
            "adam_beta1": (is_number, 0, 1),
            "adam_beta2": (is_number, 0, 1),
            "adam_epsilon": (is_number, 1e-30, None),  # 0 would make 0 / 0 where a gradient is 0
            "weight_decay": (is_number, 0, None),
            "max_grad_norm": (is_number, 0, None),
            "warmup_steps": (is_whole, 0, None),
            "prompt_loss_weight": (is_number, 0, None),
            "seed": (is_whole, 0, None),
        }
        for name, (kind, low, high) in rules.items():
            value = getattr(self, name)
            if not kind(value) or value < low or (high is not None and value >= high):
                what = "a whole number" if kind is is_whole else "a finite number"
                raise MinisftError(
                    f"{flag(name)}: {value!r} is not {what} of at least {low}"
                    + (f" and below {high}" if high is not None else "")
                )
        choices = {"optim": OPTIMIZERS, "lr_scheduler_type": SCHEDULES, "loss_reduction": REDUCTIONS}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise MinisftError(
                    f"{flag(name)}: '{getattr(self, name)}' is unknown; choose one of {', '.join(known)}"
                )
        patterns = self.train_only
        if isinstance(patterns, str) or not all(isinstance(pattern, str) and pattern for pattern in patterns):
            raise MinisftError(f"--train-only: {patterns!r} is not a list of patterns, such as 'model.layers.2[5-9].*'")
        object.__setattr__(self, "train_only", tuple(patterns))


def flag(name):
    """The command line's spelling of a field: batch_size -> --batch-size."""
    return "--" + name.replace("_", "-")
