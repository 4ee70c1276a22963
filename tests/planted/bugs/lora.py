"""LoRA and what is frozen: wrong lines in layers/lora.py, adapter.py, frozen.py and around them."""

from .bug import Bug

BUGS = [
    Bug(
        "alpha-over-the-root",
        "Every adapter is scaled as if it were rank-stabilised: α / √r.",
        "layers/lora.py",
        "return p.lora_alpha / len(p.lora_A.weight)",
        "return p.lora_alpha / len(p.lora_A.weight) ** 0.5",
        "habit: two formulas of one name",
        "test_lora.py",
    ),
    Bug(
        "b-without-its-scale",
        "Forward has the scale s, the gradient of B has not.",
        "layers/lora.py",
        "dy.T @ (s * u)",
        "dy.T @ u",
        "habit: a constant is forgotten on the way back",
        "test_lora.py",
    ),
    Bug(
        "merged-without-the-scale",
        "The merged model is W + B A, and answers otherwise than the adapter did.",
        "adapter.py",
        "alpha / len(a) * (b @ a)",
        "b @ a",
        "habit: a constant that only one of two ways has",
        "test_lora.py",
    ),
    Bug(
        "both-begin-at-zero",
        "A begins at 0 as B does, so neither has a gradient, and nothing is ever learned.",
        "adapter.py",
        "rng.uniform(-1, 1, view.shape) / math.sqrt(view.shape[1])",
        "0",
        "habit: what is new begins at 0",
        "test_lora.py",
    ),
    Bug(
        "one-block-too-many-is-kept",
        "The lowest trained block counts as frozen: it is computed once, and never moves.",
        "train.py",
        "sequences = frozen.remember(theta, config, sequences, block, kept, ranks)",
        "sequences = frozen.remember(theta, config, sequences, block + 1, kept, ranks)",
        "habit: a bound that is one too high",
        "test_frozen.py",
    ),
    Bug(
        "the-room-is-not-kept",
        "Every sequence is kept, however little room --cache-frozen gives.",
        "frozen.py",
        'return kept[: np.searchsorted(ends * row(theta, config), room, "right")].tolist()',
        "return kept[: len(ends * row(theta, config))].tolist()",
        "habit: a bound that is read and not applied",
        "test_frozen.py",
    ),
]
