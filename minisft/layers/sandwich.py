"""A block with norms after its branches too: h = x + norm₂ A(norm₁ x), y = h + norm₄ F(norm₃ h) (Gemma 3).

What a branch adds to the sum has then a size of its own, whatever its matrices. OLMo-2 has norm₂ and norm₄ alone. F is
SwiGLU or GeGLU; `scale`, `parts` and `rows` are those of attention.py and block.py. Arguments may be complex, for the
complex step of gradcheck.py. Gemma 3 is arXiv 2503.19786, OLMo-2 is arXiv 2501.00656.
"""

from collections import namedtuple

from minisft.layers import attention, block, rmsnorm, swiglu
from minisft.params import Params

Cache = namedtuple("Cache", "F rows norm_1 attention norm_2 norm_3 mlp norm_4")


def forward(p, x, parts, cos, sin, eps, rows, remember=None, scale=None, F=swiglu):
    a, c1 = rmsnorm.forward(p.input_layernorm, x, eps) if hasattr(p, "input_layernorm") else (x, None)
    a, c_a = attention.forward(p.self_attn, a, parts, cos, sin, rows, remember, eps, scale)  # (N, C) -> (M, C)
    a, c2 = rmsnorm.forward(p.post_attention_layernorm, a, eps)
    h = x[rows] + a
    f, c3 = rmsnorm.forward(p.pre_feedforward_layernorm, h, eps) if c1 else (h, None)
    f, c_f = F.forward(p.mlp, f)
    f, c4 = rmsnorm.forward(p.post_feedforward_layernorm, f, eps)
    return h + f, Cache(F, rows, c1, c_a, c2, c3, c_f, c4)


def backward(p, g, cache, dy):
    df = rmsnorm.backward(p.post_feedforward_layernorm, g.post_feedforward_layernorm, cache.norm_4, dy)
    df = cache.F.backward(p.mlp, g.mlp, cache.mlp, df)
    if cache.norm_3:
        df = rmsnorm.backward(p.pre_feedforward_layernorm, g.pre_feedforward_layernorm, cache.norm_3, df)
    dh = dy + df
    da = rmsnorm.backward(p.post_attention_layernorm, g.post_attention_layernorm, cache.norm_2, dh)
    da = attention.backward(p.self_attn, g.self_attn, cache.attention, da)  # (M, C) -> (N, C)
    dx = rmsnorm.backward(p.input_layernorm, g.input_layernorm, cache.norm_1, da) if cache.norm_1 else da
    dx[cache.rows] += dh
    return dx


def example(rng):
    """Four norms; each head of q and k is normed as well."""
    theta, (x, parts, cos, sin, eps, rows) = block.example(rng)
    gains = {f"{name}_feedforward_layernorm.weight": (5,) for name in ("pre", "post")}
    gains |= {f"self_attn.{name}_norm.weight": (6,) for name in "qk"}
    return Params.random(rng, theta.shapes | gains), (x, parts, cos, sin, eps, rows, None, 0.3)
