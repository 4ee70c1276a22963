"""Answers to notebook 12."""

import numpy as np

from course.solutions import solution

backward = solution("12_lora", "lora_backward")["lora_backward"]
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
MLP = ["gate_proj", "up_proj", "down_proj"]


def matrices(p):
    return p.lora_A.weight, p.lora_B.weight, p.lora_alpha / p.lora_A.weight.shape[0]


def gradient(dA=None, dB=None, dx=None, assign=False):
    """The three gradients, each as given or right, from (x, A, B, s, dy)."""

    def answer(p, g, x, dy):
        A, B, s = matrices(p)
        right = (s * (dy @ B).T @ x, s * dy.T @ (x @ A.T), s * dy @ B @ A)
        one, two, three = (f(x, A, B, s, dy) if f else value for f, value in zip((dA, dB, dx), right))
        if assign:
            g.lora_A.weight[...] = one
        else:
            g.lora_A.weight += one
        g.lora_B.weight += two
        return three

    return answer


def by_rows(p, g, x, dy):
    A, B, s = matrices(p)
    dx = np.zeros_like(x)
    for n in range(len(x)):
        v = s * (B.T @ dy[n])
        g.lora_A.weight += np.outer(v, x[n])
        g.lora_B.weight += s * np.outer(dy[n], A @ x[n])
        dx[n] = A.T @ v
    return dx


def through_W(p, g, x, dy):
    """By the chain rule from the gradient of ΔW, which LoRA never makes."""
    A, B, s = matrices(p)
    G = dy.T @ x
    g.lora_A.weight += s * B.T @ G
    g.lora_B.weight += s * G @ A.T
    return dy @ (s * B @ A)


def einsum(p, g, x, dy):
    A, B, s = matrices(p)
    du = s * np.einsum("no,or->nr", dy, B)
    g.lora_A.weight += np.einsum("nr,ni->ri", du, x)
    g.lora_B.weight += s * np.einsum("no,ri,ni->or", dy, A, x)
    return np.einsum("nr,ri->ni", du, A)


def moved(p, g, x, dy):
    p.lora_A.weight[...] += 1e-3
    return backward(p, g, x, dy)


def chosen(names, r):
    return lambda: (names, r)


def block(number):
    return [f"layers.{number}.self_attn.{name}" for name in ATTENTION] + [f"layers.{number}.mlp.{name}" for name in MLP]


RIGHT = {
    "lora_backward": {
        "the solution": backward,
        "in other words": gradient(),
        "row by row": by_rows,
        "through the gradient of ΔW": through_W,
        "einsum": einsum,
    },
    "merge": {
        "in one line": lambda W, A, B, alpha: W + alpha / A.shape[0] * (B @ A),
        "r from B": lambda W, A, B, alpha: W + B @ A * (alpha / B.shape[1]),
        "einsum": lambda W, A, B, alpha: W + np.einsum("or,ri->oi", B, A) * alpha / len(A),
        "outer products": lambda W, A, B, alpha: W + sum(alpha / len(A) * np.outer(b, a) for b, a in zip(B.T, A)),
        "what it does to the unit vectors": lambda W, A, B, alpha: (
            (np.eye(W.shape[1]) @ W.T + alpha / len(A) * (np.eye(W.shape[1]) @ A.T) @ B.T).T
        ),
    },
    "adapt": {
        "all of them, as thin as can be": chosen(["all-linear"], 1),
        "a text instead of a list": chosen("all-linear", 1),
        "the MLP of the last block": chosen([f"layers.3.mlp.{name}" for name in MLP], 7),
        "the last block": chosen(block(3), 4),
        "up": chosen(("up_proj",), 5),
    },
}

WRONG = {
    "lora_backward": {
        "no s in dA": gradient(dA=lambda x, A, B, s, dy: (dy @ B).T @ x),
        "no s in dB": gradient(dB=lambda x, A, B, s, dy: dy.T @ (x @ A.T)),
        "no s in dx": gradient(dx=lambda x, A, B, s, dy: dy @ B @ A),
        "s twice": gradient(dA=lambda x, A, B, s, dy: s * s * (dy @ B).T @ x),
        "transposed": gradient(dB=lambda x, A, B, s, dy: (s * dy.T @ (x @ A.T)).T),
        "a mean": gradient(dB=lambda x, A, B, s, dy: s * dy.T @ (x @ A.T) / len(x)),
        "not back through B": gradient(dA=lambda x, A, B, s, dy: s * dy.T @ x),
        "dx is dy": gradient(dx=lambda x, A, B, s, dy: dy),
        "dx is du": gradient(dx=lambda x, A, B, s, dy: s * dy @ B),
        "sign turned": gradient(dA=lambda x, A, B, s, dy: -s * (dy @ B).T @ x),
        "overwritten": gradient(assign=True),
        "dB is not added": gradient(dB=lambda x, A, B, s, dy: 0.0),
        "dx of zeros": gradient(dx=lambda x, A, B, s, dy: np.zeros_like(x)),
        "float32": gradient(dA=lambda x, A, B, s, dy: (s * (dy @ B).T @ x).astype(np.float32)),
        "moves A": moved,
        "nothing returned": lambda p, g, x, dy: None,
    },
    "merge": {
        "no s": lambda W, A, B, alpha: W + B @ A,
        "alpha alone": lambda W, A, B, alpha: W + alpha * B @ A,
        "r of the wrong axis": lambda W, A, B, alpha: W + alpha / A.shape[1] * B @ A,
        "root of r": lambda W, A, B, alpha: W + alpha / len(A) ** 0.5 * B @ A,
        "minus": lambda W, A, B, alpha: W - alpha / len(A) * B @ A,
        "without W": lambda W, A, B, alpha: alpha / len(A) * B @ A,
        "A before B": lambda W, A, B, alpha: W + alpha / len(A) * A @ B,
        "twice": lambda W, A, B, alpha: W + 2 * alpha / len(A) * B @ A,
        "W itself": lambda W, A, B, alpha: W,
        "transposed": lambda W, A, B, alpha: (W + alpha / len(A) * B @ A).T,
        "float32": lambda W, A, B, alpha: (W + alpha / len(A) * B @ A).astype(np.float32),
        "in place": lambda W, A, B, alpha: W.__iadd__(alpha / len(A) * B @ A),
    },
    "adapt": {
        "what the paper took": chosen(["q_proj", "v_proj"], 5),
        "queries": chosen(["q_proj"], 9),
        "attention": chosen(ATTENTION, 2),
        "too many": chosen(["all-linear"], 2),
        "far too many": chosen(["all-linear"], 64),
        "no such map": chosen(["lm_head"], 1),
        "no names": chosen([], 4),
        "r of 0": chosen(["all-linear"], 0),
        "r of 1.5": chosen(["q_proj"], 1.5),
        "r is true": chosen(["q_proj"], True),
        "names alone": lambda: ["all-linear"],
        "numbers": chosen([3], 4),
    },
}
