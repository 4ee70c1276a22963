"""The families of models: what each has that a Llama has not, and what config.json means where it is silent."""

from typing import Any, NamedTuple

import numpy as np

from minisft.config import LAYER_TYPES, MOST_LAYERS, ModelConfig
from minisft.errors import MinisftError
from minisft.params import Params


class Family(NamedTuple):
    """A family, under the name that config.json gives it.

    architecture  its class in transformers
    has           the fields of ModelConfig by which it is known, where they are not a Llama's
    left_out      what a field is where config.json leaves it out: the value that transformers gives such a model
    gain_offset   a gain in its files is smaller by this than in θ
    gguf          its name in a GGUF file
    """

    architecture: str
    has: dict[str, Any]
    left_out: dict[str, Any]
    gain_offset: float = 0.0
    gguf: str = ""


LEFT_OUT = {"rms_norm_eps": 1e-6, "tie_word_embeddings": False, "initializer_range": 0.02}
LLAMA = {
    "qkv_bias": False,
    "qk_norm": "none",
    "norms": "before",
    "hidden_act": "silu",
    "query_pre_attn_scalar": 0,
    "embedding_scale": 1.0,
    "layer_types": (),
}
GEMMA = {
    "head_dim": 256,
    "num_key_value_heads": 4,
    "query_pre_attn_scalar": 256,
    "sliding_window": 2**12,
    "tie_word_embeddings": True,
    "max_position_embeddings": 2**17,
}
FAMILIES = {
    "llama": Family("LlamaForCausalLM", {}, {"max_position_embeddings": 2**11}, gguf="llama"),
    "mistral": Family("MistralForCausalLM", {}, {"max_position_embeddings": 2**17}),  # written as a Llama
    "qwen2": Family("Qwen2ForCausalLM", {"qkv_bias": True}, {"max_position_embeddings": 2**15}, gguf="qwen2"),
    "qwen3": Family(
        "Qwen3ForCausalLM",
        {"qk_norm": "head"},
        {"max_position_embeddings": 2**15, "head_dim": 128, "num_key_value_heads": 32},
        gguf="qwen3",
    ),
    "olmo2": Family(
        "Olmo2ForCausalLM",
        {"qk_norm": "all", "norms": "after"},
        {"max_position_embeddings": 2**11, "rms_norm_eps": 1e-5},
        gguf="olmo2",
    ),
    "gemma3_text": Family(
        "Gemma3ForCausalLM",
        {"qk_norm": "head", "norms": "both", "hidden_act": "gelu_pytorch_tanh"},
        GEMMA,
        gain_offset=1.0,
        gguf="gemma3",
    ),
}


def traits(name: str, hidden_size: int) -> dict[str, Any]:
    """The fields by which a family of this width is known."""
    if name != "gemma3_text":
        return LLAMA | FAMILIES[name].has
    free = {"layer_types", "query_pre_attn_scalar"}  # its models differ in them
    known = {field: value for field, value in LLAMA.items() if field not in free}
    return known | FAMILIES[name].has | {"embedding_scale": hidden_size**0.5}


def gemma(sizes: dict[str, Any], pattern: int = 6) -> dict[str, Any]:
    """What follows from the sizes of a Gemma 3: √C, and that all its blocks slide but one in each `pattern`."""
    C, layers = max(0, sizes["hidden_size"]), min(sizes["num_hidden_layers"], MOST_LAYERS)
    kinds = [LAYER_TYPES[bool(number % pattern)] for number in range(1, layers + 1)]
    return {"embedding_scale": C**0.5 or 1.0, "layer_types": tuple(kinds)}


def family_of(config: ModelConfig) -> str:
    """The family to which a model belongs. Raises MinisftError if there is none, so that no file can hold it."""
    fields: list[str] = []
    for name in FAMILIES:
        wanted = traits(name, config.hidden_size)
        wrong = [field for field, value in wanted.items() if getattr(config, field) != value]
        if not wrong:
            return name
        fields = min(fields or wrong, wrong, key=len)
    raise MinisftError(
        f"config: {', '.join(fields)} belong to none of the families {', '.join(FAMILIES)}; take those of one"
    )


def gain_offset(config: ModelConfig) -> float:
    """How much larger gains are in θ than in the Hugging Face layout: by 1 in a Gemma, whose gain is 1 + w."""
    return FAMILIES[family_of(config)].gain_offset


def in_files(theta: Params, config: ModelConfig) -> dict[str, np.ndarray]:
    """{name: tensor} of θ as the files of its family have them."""
    less = gain_offset(config)
    return {name: view - less if less and view.ndim == 1 else view for name, view in theta.named.items()}
