"""LoRA: what two thin matrices, which move, add to a linear map whose W stays as it is (arXiv 2106.09685, section 4.1).

A is (r, in) and B is (out, r), so ΔW = s B A has at most the rank r; s = α / r, and α is a number of the tree.

u  = x Aᵀ
y  = s u Bᵀ                                  = x ΔWᵀ: r (in + out) products for each row, instead of in · out
du = s dy B                                  now from the bottom up
dB = s dyᵀ u                                 every row adds its outer product
dA = duᵀ x
dx = du A

At the start A is random and B is 0. Then y = 0: θ_0 is θ̂ as a function. And dA = 0 while dB is not, so the first step
moves B alone. With A = 0 as well nothing would ever move. W appears in no line, so it needs no gradient.

A, B and x may be complex, for the complex step of gradcheck.py.
"""

from minisft.params import Params


def scale(p):
    """s = α / r."""
    return p.lora_alpha / len(p.lora_A.weight)


def forward(p, x):
    u = x @ p.lora_A.weight.T  # (N, in) -> (N, r)
    return scale(p) * u @ p.lora_B.weight.T, x  # (N, r) -> (N, out)


def backward(p, g, cache, dy):
    x, A, B, s = cache, p.lora_A.weight, p.lora_B.weight, scale(p)
    du = s * dy @ B  # (N, out) -> (N, r)
    if g.lora_B.weight is not None:  # not frozen
        u = x @ A.T  # once more: less to keep than to compute
        g.lora_B.weight += dy.T @ (s * u)  # (out, N) @ (N, r)
    if g.lora_A.weight is not None:
        g.lora_A.weight += du.T @ x  # (r, N) @ (N, in)
    return du @ A  # (N, r) -> (N, in)


def example(rng):
    shapes = {"lora_A.weight": (2, 4), "lora_B.weight": (3, 2), "lora_alpha": None}
    return Params.random(rng, shapes, {"lora_alpha": 3.0}), (rng.standard_normal((5, 4)),)
