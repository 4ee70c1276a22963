"""What describes a model and a run is checked once, when it is made."""

import dataclasses
import json
import math

import pytest

from minisft.config import LARGEST, ModelConfig, RopeScaling, TrainConfig, flag
from minisft.errors import MinisftError

SIZES = {
    "vocab_size": 100,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
WHOLE = ("max_steps", "batch_size", "gradient_accumulation_steps", "seed")


def test_the_size_of_a_head_is_hidden_size_over_heads_unless_given():
    assert ModelConfig(**SIZES).head_dim == 32 / 4
    assert ModelConfig(**SIZES, head_dim=10).head_dim == 10


def test_the_defaults_of_a_run_are_those_of_the_command_line():
    """The table of flags in the documentation, row by row; the default rate follows from the size of the model."""
    assert dataclasses.asdict(TrainConfig()) == {
        "learning_rate": 0.0,
        "num_train_epochs": 3,
        "max_steps": 0,
        "batch_size": 8,
        "gradient_accumulation_steps": 1,
        "optim": "adamw",
        "adam_beta1": 0.9,
        "adam_beta2": 0.999,
        "adam_epsilon": 1e-8,
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "lr_scheduler_type": "linear",
        "warmup_steps": 0,
        "prompt_loss_weight": 0.0,
        "loss_reduction": "token_mean",
        "seed": 0,
        "shuffle": True,
        "train_only": (),
        "lora_r": 0,
        "lora_alpha": 0.0,
        "lora_target_modules": ("all-linear",),
        "cache_frozen": 1024,
    }


def test_a_configuration_cannot_be_changed_afterwards():
    for config in (ModelConfig(**SIZES), TrainConfig()):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(config, dataclasses.fields(config)[0].name, 1)


def test_a_flag_is_spelled_with_hyphens():
    assert flag("gradient_accumulation_steps") == "--gradient-accumulation-steps"


def test_what_is_on_unless_switched_off_is_spelled_as_the_switch():
    assert flag("shuffle") == "--no-shuffle"


@pytest.mark.parametrize("value", [0, -1, 2.0, "4", None, True, math.nan])
@pytest.mark.parametrize("field", [*SIZES, "max_position_embeddings"])
def test_a_size_that_is_not_a_positive_whole_number_is_refused_naming_the_field(field, value):
    with pytest.raises(MinisftError, match=f"^{field}: "):
        ModelConfig(**SIZES | {field: value})


@pytest.mark.parametrize("value", [0, -1e-5, math.inf, math.nan, "1e-5", None, True, 10**400])
@pytest.mark.parametrize("field", ["rms_norm_eps", "rope_base", "initializer_range"])
def test_a_constant_that_is_not_a_positive_number_is_refused_naming_the_field(field, value):
    with pytest.raises(MinisftError, match=f"^{field}: "):
        ModelConfig(**SIZES | {field: value})


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_tied_or_not_is_true_or_false(value):
    with pytest.raises(MinisftError, match=r"^tie_word_embeddings: "):
        ModelConfig(**SIZES, tie_word_embeddings=value)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"hidden_size": 30}, "hidden_size"),  # 30 / 4 heads
        ({"head_dim": 7}, "head_dim"),  # rotary positions turn pairs
        ({"hidden_size": 20}, "head_dim"),  # 20 / 4 = 5, odd too
        ({"num_key_value_heads": 3}, "num_attention_heads"),  # 4 heads on 3
        ({"num_key_value_heads": 8}, "num_attention_heads"),  # 4 heads on 8
        ({"head_dim": -2}, "head_dim"),
        ({"num_hidden_layers": 4097}, "num_hidden_layers"),
        ({"num_hidden_layers": LARGEST}, "num_hidden_layers"),
    ],
)
def test_sizes_that_do_not_fit_together_are_refused_naming_the_field(changes, field):
    with pytest.raises(MinisftError, match=f"^{field}: "):
        ModelConfig(**SIZES | changes)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"factor": 0}, "factor"),
        ({"factor": math.nan}, "factor"),
        ({"factor": True}, "factor"),
        ({"low_freq_factor": -1.0}, "low_freq_factor"),
        ({"low_freq_factor": 4.0}, "low_freq_factor"),  # the high one, so there is nothing between them
        ({"high_freq_factor": "4"}, "high_freq_factor"),
        ({"original_max_position_embeddings": -1}, "original_max_position_embeddings"),
        ({"original_max_position_embeddings": 8192.0}, "original_max_position_embeddings"),
    ],
)
def test_rotary_scaling_that_makes_no_sense_is_refused_naming_the_field(changes, field):
    with pytest.raises(MinisftError, match=f"^{field}: "):
        RopeScaling(**{"factor": 8.0} | changes)


@pytest.mark.parametrize("value", [-1, 1.5, "1", None, True])
@pytest.mark.parametrize("field", WHOLE)
def test_a_count_that_is_not_a_whole_number_is_refused_naming_the_flag(field, value):
    with pytest.raises(MinisftError, match=f"^{flag(field)}: .* whole number"):
        TrainConfig(**{field: value})


@pytest.mark.parametrize("field", ["num_train_epochs", "batch_size", "gradient_accumulation_steps"])
def test_none_of_something_a_run_needs_is_refused(field):
    with pytest.raises(MinisftError, match=f"^{flag(field)}: 0 "):
        TrainConfig(**{field: 0})


@pytest.mark.parametrize("value", [-1e-9, math.nan, math.inf, "0.1", None, True])
@pytest.mark.parametrize(
    "field",
    [
        "learning_rate",
        "adam_beta1",
        "adam_beta2",
        "adam_epsilon",
        "weight_decay",
        "max_grad_norm",
        "prompt_loss_weight",
        "num_train_epochs",
        "warmup_steps",
    ],
)
def test_a_setting_that_is_not_a_finite_number_of_at_least_0_is_refused_naming_the_flag(field, value):
    with pytest.raises(MinisftError, match=f"^{flag(field)}: .* finite number"):
        TrainConfig(**{field: value})


@pytest.mark.parametrize("field", ["adam_beta1", "adam_beta2"])
def test_a_beta_is_below_1_since_1_would_divide_by_zero(field):
    assert getattr(TrainConfig(**{field: 0.9999}), field) == 0.9999
    assert getattr(TrainConfig(**{field: 0}), field) == 0
    with pytest.raises(MinisftError, match=f"^{flag(field)}: 1.0 .* below 1"):
        TrainConfig(**{field: 1.0})


def test_lambda_is_at_most_1000():
    assert TrainConfig(prompt_loss_weight=1000).prompt_loss_weight == 1000
    with pytest.raises(MinisftError, match=r"^--prompt-loss-weight: 1001 is too large; at most 1000 "):
        TrainConfig(prompt_loss_weight=1001)


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_shuffled_or_not_is_true_or_false(value):
    with pytest.raises(MinisftError, match=r"^--no-shuffle: .* neither true nor false"):
        TrainConfig(shuffle=value)


def test_an_epsilon_of_0_is_refused_since_a_gradient_of_0_would_divide_by_it():
    with pytest.raises(MinisftError, match=r"^--adam-epsilon: 0"):
        TrainConfig(adam_epsilon=0.0)


@pytest.mark.parametrize(
    ("field", "known"),
    [
        ("optim", ("adamw", "sgd")),
        ("lr_scheduler_type", ("constant", "linear", "cosine")),
        ("loss_reduction", ("sum", "token_mean", "sequence_mean")),
    ],
)
def test_an_unknown_choice_is_refused_naming_the_flag_and_the_choices(field, known):
    for value in known:
        assert getattr(TrainConfig(**{field: value}), field) == value
    for value in ("mean", "", None, 1, [known[0]]):
        with pytest.raises(MinisftError, match=f"^{flag(field)}: ") as caught:
            TrainConfig(**{field: value})
        assert all(choice in str(caught.value) for choice in known)


def test_a_configuration_survives_json():
    for config in (ModelConfig(**SIZES), TrainConfig(learning_rate=1e-3, shuffle=False)):
        assert type(config)(**json.loads(json.dumps(dataclasses.asdict(config)))) == config
