"""The whole model: embedding, blocks, a last norm, and the head that gives one logit for every token of the vocabulary.

    x_0 = E[ids]      x_{l+1} = block_l(x_l)      logits = W norm(x_L)      log Pr(next token) = log softmax(logits)

W is a matrix of its own, or E again ("tied"): then E is used twice and receives two contributions to its gradient.
Names of tensors are those of a checkpoint of the Hugging Face layout; matrices are (out, in). A layer applies what the
tree has: a bias, a norm of queries and keys, a norm after a branch.
"""

from collections import namedtuple
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minisft import doors
from minisft.config import ModelConfig, whole
from minisft.layers import attention, block, embedding, geglu, linear, rmsnorm, rotary, sandwich, swiglu
from minisft.params import Params

Cache = namedtuple("Cache", "embedding blocks norm head")
Below = namedtuple("Below", "block x")  # x (N, C): the rows that enter this block


@cache
def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """{name: shape} of every tensor of θ, in the order of the vector. Made once for each config: do not change it."""
    C, F, V = config.hidden_size, config.intermediate_size, config.vocab_size
    HD = config.num_attention_heads * config.head_dim
    GD = config.num_key_value_heads * config.head_dim
    result: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (V, C)}
    for i in range(config.num_hidden_layers):
        layer: dict[str, tuple[int, ...]] = {
            "input_layernorm": (C,),
            "self_attn.q_proj": (HD, C),
            "self_attn.k_proj": (GD, C),
            "self_attn.v_proj": (GD, C),
            "self_attn.o_proj": (C, HD),
            "post_attention_layernorm": (C,),
            "mlp.gate_proj": (F, C),
            "mlp.up_proj": (F, C),
            "mlp.down_proj": (C, F),
        }
        layer |= further_norms(config)
        if config.norms == "after":
            del layer["input_layernorm"]
        result |= {f"model.layers.{i}.{name}.weight": shape for name, shape in layer.items()}
        if config.qkv_bias:
            rows = {"q_proj": HD, "k_proj": GD, "v_proj": GD}
            result |= {f"model.layers.{i}.self_attn.{name}.bias": (size,) for name, size in rows.items()}
    result["model.norm.weight"] = (C,)
    if not config.tie_word_embeddings:
        result["lm_head.weight"] = (V, C)
    return result


def further_norms(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """{name: shape} of the norms in a block that a Llama does not have."""
    C, D, H, G = config.hidden_size, config.head_dim, config.num_attention_heads, config.num_key_value_heads
    result: dict[str, tuple[int, ...]] = {}
    if config.qk_norm != "none":
        heads = (H, G) if config.qk_norm == "all" else (1, 1)  # that one norm sees
        result |= {f"self_attn.{name}_norm": (count * D,) for name, count in zip("qk", heads)}
    if config.norms == "both":
        result["pre_feedforward_layernorm"] = (C,)
    if config.norms != "before":
        result["post_feedforward_layernorm"] = (C,)
    return result


def block_of(config: ModelConfig) -> tuple[Any, dict]:
    """The layer that a block is, and what its forward is given besides."""
    if config.norms == "before":
        return block, {}
    F = {"silu": swiglu, "gelu_pytorch_tanh": geglu}[config.hidden_act]
    return sandwich, {"F": F, "scale": (config.query_pre_attn_scalar or config.head_dim) ** -0.5}


def init(config: ModelConfig, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Params:
    """Random θ as transformers starts it: normal matrices of deviation initializer_range, gains of 1, biases of 0."""
    theta = Params(shapes(config), dtype)
    for name, view in theta.named.items():
        if view.ndim == 2:
            view[...] = config.initializer_range * rng.standard_normal(view.shape)
        elif not name.endswith(".bias"):
            view[...] = 1
    return theta


def head(theta: Params, config: ModelConfig) -> Any:
    """The branch of θ that makes logits (M, V) of rows (M, C): the embedding's, if it is tied."""
    return theta.model.embed_tokens if config.tie_word_embeddings else theta.lm_head


def lowest(grad: Params) -> int:
    """The number of the lowest block that backward must enter: everything below it is frozen."""
    first = next(iter(grad.named))  # in the order of forward
    if first.startswith("model.layers."):
        return int(first.split(".")[2])
    return 0 if first == "model.embed_tokens.weight" else len(grad.model.layers)


def rotations(config: ModelConfig, positions: np.ndarray, dtype: DTypeLike) -> dict[str, tuple[np.ndarray, ...]]:
    """For every kind of block, (cos, sin) of these positions for every head, (N, H, D) each: made once a batch."""
    every, result = np.arange(positions.max(initial=0) + 1), {}  # each angle once, however many sequences there are
    for kind, reach in config.reaches.items():
        tables = rotary.tables(every, config.head_dim, reach.rope_base, dtype, reach.rope_scaling)
        result[kind] = tuple(np.repeat(table, config.num_attention_heads, axis=1)[positions] for table in tables)
    return result


def require(
    theta: Params,
    config: ModelConfig,
    ids: np.ndarray,
    starts: np.ndarray,
    rows: np.ndarray | tuple = (),
    lowest: int = 0,
) -> None:
    """Raises MinisftError unless θ is of this config, and can read these ids (N,) by sequence and predict rows (M,)."""
    doors.parameters("theta", theta, shapes(config), "fc")
    doors.indices("ids", ids, config.vocab_size)
    doors.starts(starts, len(ids))
    longest, context = (starts[1:] - starts[:-1]).max(initial=0), config.max_position_embeddings
    if longest > context:
        doors.refuse("starts", f"at most {context} rows per sequence, the context", int(longest), "cut the sequence")
    advice = "give the numbers of the rows, in order; of a mask, np.flatnonzero(mask)"
    doors.indices("rows", rows, len(ids), advice, increasing=True)
    doors.number("lowest", lowest, whole(0, config.num_hidden_layers))


def forward(
    theta: Params,
    config: ModelConfig,
    ids: np.ndarray,
    starts: np.ndarray,
    rows: np.ndarray,
    past: Any = None,
    lowest: int = 0,
    below: Below | None = None,
) -> tuple[np.ndarray, Cache]:
    """Logits of the token that follows, for some rows of a batch.

    ids     (N,) int: the sequences of the batch, laid end to end
    starts  (S + 1,) int: sequence s is ids[starts[s]:starts[s + 1]]; positions count from its start
    rows    (M,) int, increasing: the rows whose prediction is wanted
    past    None, or what was read of the sequences before (generate.Past): then ids continue them
    lowest  the number of the lowest block that backward will enter: what those below it computed is not kept
    below   None, or what the blocks below one of them have computed of these ids: then they do not compute it again
    Returns logits (M, V) in the dtype of θ, and the cache for backward. Raises MinisftError as `require` does, or if
    past is not one of S sequences.
    """
    doors.of_kind("starts", starts, np.ndarray, "an array of shape (S + 1,)")
    if past is None:
        require(theta, config, ids, starts, rows, lowest)
    elif not hasattr(past, "extend") or np.shape(getattr(past, "rooms", 0)) != (len(starts) - 1,):
        doors.refuse("past", f"a generate.Past of {len(starts) - 1} sequences", past, "make one for these sequences")
    asking, places = attending(theta, config, starts, rows, past)
    first, x, c_embedding = (*below, None) if below else (0, *embedded(theta, config, ids))
    c_blocks = [None] * first
    for i in range(first, config.num_hidden_layers):
        remember = past and partial(past.remember, i, places)
        x, c = through(theta, config, i, x, asking[i], remember)
        c_blocks.append(c if past is None and i >= lowest else None)  # nothing goes back through what was remembered
    if first == config.num_hidden_layers:
        x = x[rows]  # no block was left to do so
    x, c_norm = rmsnorm.forward(theta.model.norm, x, config.rms_norm_eps)  # (M, C)
    logits, c_head = linear.forward(head(theta, config), x)  # (M, C) -> (M, V)
    return logits, Cache(c_embedding, c_blocks, c_norm, c_head)


def rows_entering(theta: Params, config: ModelConfig, ids: np.ndarray, starts: np.ndarray, block: int) -> np.ndarray:
    """x (N, C), the rows that enter this block: what the blocks below it compute of ids."""
    require(theta, config, ids, starts)
    asking, _ = attending(theta, config, starts, np.arange(len(ids)))
    x, _ = embedded(theta, config, ids)
    for i in range(block):
        x = through(theta, config, i, x, asking[i])[0]  # its cache is of no use
    return x


def embedded(theta: Params, config: ModelConfig, ids: np.ndarray) -> tuple[np.ndarray, Any]:
    """What the first block is given: ids (N,) -> (N, C), and the cache."""
    x, c = embedding.forward(theta.model.embed_tokens, ids)  # (N,) -> (N, C)
    if config.embedding_scale != 1:
        x *= config.embedding_scale
    return x, c


def through(theta: Params, config: ModelConfig, i: int, x: np.ndarray, asking: tuple, remember: Any = None) -> Any:
    """Block i: x (N, C) -> (M, C), M = number of the rows that ask, and the cache."""
    layer, more = block_of(config)
    parts, cos, sin, asked = asking
    return layer.forward(theta.model.layers[i], x, parts, cos, sin, config.rms_norm_eps, asked, remember, **more)


def attending(
    theta: Params, config: ModelConfig, starts: np.ndarray, rows: np.ndarray, past: Any = None
) -> tuple[list[tuple], Any]:
    """For every block, (parts, cos, sin, the rows that ask): in the last one `rows` (M,) alone; and past's places."""
    R = config.num_attention_heads // config.num_key_value_heads
    counts, N = starts[1:] - starts[:-1], starts[-1]
    if past is None:
        rooms, places, positions = counts, None, np.arange(N) - starts[:-1].repeat(counts)
        turns = rotations(config, positions, theta.flat.real.dtype)
    else:
        rooms, (positions, places) = past.rooms, past.extend(starts)
        turns = {kind: (cos.take(positions, 0), sin.take(positions, 0)) for kind, (cos, sin) in past.rotations.items()}
    every: dict[str, tuple] = {}
    for kind, reach in config.reaches.items():
        every[kind] = attention.parts(positions, counts, rooms, R, reach.window), *turns[kind], slice(None)
    asking = [every[kind] for kind in config.kinds]
    if len(rows) < N:  # the last block computes them alone
        bounds, kind = np.searchsorted(rows, starts), config.kinds[-1]
        alone = attention.parts(positions[rows], bounds[1:] - bounds[:-1], rooms, R, config.reaches[kind].window)
        asking[-1] = alone, *turns[kind], rows
    return asking, places


def backward(theta: Params, grad: Params, config: ModelConfig, cache: Cache, dlogits: np.ndarray) -> None:
    """Adds the gradient of every tensor of grad to it, given dlogits (M, V). The mirror image of forward."""
    dx = linear.backward(head(theta, config), head(grad, config), cache.head, dlogits)
    dx = rmsnorm.backward(theta.model.norm, grad.model.norm, cache.norm, dx)
    layer, _ = block_of(config)
    for p, g, c in reversed(list(zip(theta.model.layers, grad.model.layers, cache.blocks))):
        if c is None:  # everything from here on is frozen
            return
        dx = layer.backward(p, g, c, dx)
    if config.embedding_scale != 1:
        dx *= config.embedding_scale
    embedding.backward(theta.model.embed_tokens, grad.model.embed_tokens, cache.embedding, dx)
