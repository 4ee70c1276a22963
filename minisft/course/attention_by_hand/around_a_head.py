"""What stands around a head: the backward of rotary positions, and the sum of gradients over heads that share a key."""

import numpy as np

from minisft.course.attention_by_hand import mistakes
from minisft.course.grading.arrays import numeric
from minisft.course.grading.comparison import judge
from minisft.course.grading.exercise import exercise
from minisft.course.grading.gradients import case, judge_backward
from minisft.layers import rotary as rotary_layer


@exercise
def rotary(answer, seed=None):
    rng = np.random.default_rng(seed)
    cases = [case(rotary_layer, rng, *in_position(rng, D)) for D in (6, 8)]
    praise = "dx is the derivative: the rotation turned back"
    return judge_backward(answer, cases, mistakes.ROTARY, praise, rng, turned_back)


def turned_back(c):
    half = c.dy.shape[-1] // 2
    dx = rotary_layer.backward(c.cache, c.dy)
    first, second = slice(None, half), slice(half, None)
    return {"dy1": c.dy[..., first], "dy2": c.dy[..., second], "dx1": dx[..., first], "dx2": dx[..., second], "dx": dx}


def in_position(rng, D):
    """No parameters, six rows of 3 heads, and tables of two sequences."""
    cos, sin = rotary_layer.tables(np.array([0, 1, 2, 3, 0, 5]), D, 100.0, np.float64)
    return None, rng.standard_normal((6, 3, D)), cos, sin


@exercise
def shared(answer, seed=None):
    """Judged by the identity that makes it the transpose of np.repeat: ⟨repeat(k), d⟩ = ⟨k, answer(d)⟩ for every k."""
    rng = np.random.default_rng(seed)
    cases = [(rng.standard_normal((5, H, 4)), G) for H, G in ((6, 2), (6, 3), (4, 4))]

    def transpose(d, G):
        T, H, D = d.shape
        k = np.eye(T * G * D).reshape(-1, T, G, D)  # every unit vector
        return (np.repeat(k, H // G, axis=2) * d).sum((1, 2, 3)).reshape(T, G, D)

    praise = "⟨repeat(k), dk⟩ = ⟨k, sums(dk)⟩ for every k: the gradients of shared heads add"
    return judge(numeric(answer), transpose, cases, mistakes.SHARED, praise)
