"""The student's backward of LoRA, judged by the complex step."""

import numpy as np

from minisft.course.grading.exercise import exercise
from minisft.course.grading.gradients import case, judge_backward
from minisft.layers import lora
from minisft.params import Params


def parts(c):
    """x, A, B, s and dy of a Case."""
    return c.x, c.p.lora_A.weight, c.p.lora_B.weight, lora.scale(c.p), c.dy


def steps(c):
    x, A, B, s, dy = parts(c)
    u, du = x @ A.T, s * dy @ B
    dB, dA = s * dy.T @ u, du.T @ x
    return {"s": s, "u": [u, s * u], "du": [du, dy @ B], "dB": dB, "dA": dA, "dW": s * B @ A, "dx": du @ A}


def of(name, formula):
    """A mistake in one gradient, from (x, A, B, s, dy)."""
    return lambda c: {name: formula(*parts(c))}


A, B, X = "lora_A.weight", "lora_B.weight", "input"
MISTAKES = {
    "g.lora_B: s is missing: y = s u Bᵀ": of(B, lambda x, A, B, s, dy: dy.T @ (x @ A.T)),
    "g.lora_B: it is multiplied by s twice": of(B, lambda x, A, B, s, dy: s * s * dy.T @ (x @ A.T)),
    "g.lora_B: a mean over the rows is added; every row adds its outer product": of(
        B, lambda x, A, B, s, dy: s * dy.T @ (x @ A.T) / len(x)
    ),
    "g.lora_B: uᵀ dy is the transpose of the gradient, which is (out, r) like B: dyᵀ u": of(
        B, lambda x, A, B, s, dy: s * (x @ A.T).T @ dy
    ),
    "g.lora_B: B meets x here; it is u = x Aᵀ that B multiplies": of(B, lambda x, A, B, s, dy: s * dy.T @ x),
    "g.lora_A: s is missing: du = s dy B": of(A, lambda x, A, B, s, dy: (dy @ B).T @ x),
    "g.lora_A: it is multiplied by s twice": of(A, lambda x, A, B, s, dy: s * s * (dy @ B).T @ x),
    "g.lora_A: a mean over the rows is added; every row adds its outer product": of(
        A, lambda x, A, B, s, dy: s * (dy @ B).T @ x / len(x)
    ),
    "g.lora_A: xᵀ du is the transpose of the gradient, which is (r, in) like A: duᵀ x": of(
        A, lambda x, A, B, s, dy: s * x.T @ (dy @ B)
    ),
    "g.lora_A: dy has not been taken back through B": of(A, lambda x, A, B, s, dy: s * dy.T @ x),
    "g.lora_A: B is transposed; y = s u Bᵀ goes forward, so s dy B goes back": of(
        A, lambda x, A, B, s, dy: s * (dy @ B.T).T @ x
    ),
    "dx: s is missing: dx = s (dy B) A": of(X, lambda x, A, B, s, dy: dy @ B @ A),
    "dx: it is multiplied by s twice": of(X, lambda x, A, B, s, dy: s * s * dy @ B @ A),
    "dx: it ends at du; A takes it back to x": of(X, lambda x, A, B, s, dy: s * dy @ B),
    "dx: dy is handed on as it is: that is what W's part would do if W were 1": of(X, lambda x, A, B, s, dy: dy),
    "dx: A and B are transposed; y = s x Aᵀ Bᵀ goes forward, so s dy B A goes back": of(
        X, lambda x, A, B, s, dy: s * dy @ B.T @ A.T
    ),
    "dx: A and B are exchanged": of(X, lambda x, A, B, s, dy: s * dy @ A @ B),
    "dx: it is the forward, s x Aᵀ Bᵀ": of(X, lambda x, A, B, s, dy: s * x @ A.T @ B.T),
}


@exercise
def lora_backward(answer, seed=None):
    """All sizes equal first, so that a missing transpose fits and can be named; then all different. s is not 1."""
    rng, cases = np.random.default_rng(seed), []
    for n, into, out, r in ((4, 4, 4, 4), (5, 6, 3, 2)):
        shapes = {"lora_A.weight": (r, into), "lora_B.weight": (out, r), "lora_alpha": None}
        p = Params.random(rng, shapes, {"lora_alpha": float(r * rng.uniform(1.5, 3))})
        cases.append(case(lora, rng, p, rng.standard_normal((n, into))))
    praise = "dA, dB and dx are the derivatives, and dA and dB were added to what g held"
    return judge_backward(answer, cases, MISTAKES, praise, rng, steps)
