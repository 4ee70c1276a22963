"""One transformer block: h = x + A(norm₁ x), y = h + F(norm₂ h); a sum hands its cotangent to both branches.

`parts` say which rows meet in attention, `rows` whose y is wanted: in every block but the last, all of them. In the
last, a row that predicts nothing of weight is read by nobody. Only its key and value are needed, so everything after
them is computed for the other rows alone. The gradient is the same, since what is left out had the factor 0.
Arguments may be complex, for the complex step of gradcheck.py. This is the block of Llama (arXiv 2302.13971).
"""

from collections import namedtuple

from minisft.layers import attention, rmsnorm, swiglu
from minisft.params import Params

Cache = namedtuple("Cache", "rows norm_1 attention norm_2 mlp")


def forward(p, x, parts, cos, sin, eps, rows, remember=None):
    a, c1 = rmsnorm.forward(p.input_layernorm, x, eps)
    a, c2 = attention.forward(p.self_attn, a, parts, cos, sin, rows, remember, eps)  # (N, C) -> (M, C)
    h = x[rows] + a
    f, c3 = rmsnorm.forward(p.post_attention_layernorm, h, eps)
    f, c4 = swiglu.forward(p.mlp, f)
    return h + f, Cache(rows, c1, c2, c3, c4)


def backward(p, g, cache, dy):
    df = swiglu.backward(p.mlp, g.mlp, cache.mlp, dy)
    dh = dy + rmsnorm.backward(p.post_attention_layernorm, g.post_attention_layernorm, cache.norm_2, df)
    da = attention.backward(p.self_attn, g.self_attn, cache.attention, dh)  # (M, C) -> (N, C)
    dx = rmsnorm.backward(p.input_layernorm, g.input_layernorm, cache.norm_1, da)
    dx[cache.rows] += dh
    return dx


def example(rng):
    theta, (x, *rest) = attention.example(rng)
    shapes = {f"self_attn.{name}": shape for name, shape in theta.shapes.items()}
    shapes |= {
        f"mlp.{name}": shape
        for name, shape in {"gate_proj.weight": (7, 5), "up_proj.weight": (7, 5), "down_proj.weight": (5, 7)}.items()
    }
    shapes |= {"input_layernorm.weight": (5,), "post_attention_layernorm.weight": (5,)}
    parts, cos, sin, rows = rest
    return Params.random(rng, shapes), (x, parts, cos, sin, 1e-5, rows)
