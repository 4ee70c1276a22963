"""The two gradients of notebook 08: each mistake is told by its name."""

import numpy as np
import pytest

from minisft import model, objective

from .conftest import wrong


def gradient(theta, config, part, weights, grad=None, dJ=1.0):
    grad, rows = theta.like() if grad is None else grad, np.flatnonzero(weights)
    logits, cache = model.forward(theta, config, part.ids, part.starts, rows)
    _, c_objective = objective.forward(logits, part.targets[rows], weights[rows])
    model.backward(theta, grad, config, cache, objective.backward(c_objective, dJ))
    return grad.flat


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def degrees(a, b):
    return np.degrees(np.arccos(cosine(a, b)))


def right_vectors(theta, config, part):
    return [gradient(theta, config, part, 1.0 * rows) for rows in (~part.is_y, part.is_y)]


def swapped(*a):
    x, y = right_vectors(*a)
    return y, x, degrees(x, y)


def of_the_loss(theta, config, part):
    x, y = (gradient(theta, config, part, 1.0 * rows, dJ=-1.0) for rows in (~part.is_y, part.is_y))
    return x, y, degrees(x, y)


def one_buffer(theta, config, part):
    grad = theta.like()
    x = gradient(theta, config, part, 1.0 * ~part.is_y, grad).copy()
    y = gradient(theta, config, part, 1.0 * part.is_y, grad)
    return x, y, degrees(x, y)


def one_buffer_uncopied(theta, config, part):
    grad = theta.like()
    x, y = (gradient(theta, config, part, 1.0 * rows, grad) for rows in (~part.is_y, part.is_y))
    return x, y, degrees(x, y)


def one_buffer_zeroed(theta, config, part):
    grad = theta.like()
    x = gradient(theta, config, part, 1.0 * ~part.is_y, grad)
    grad.flat[:] = 0
    y = gradient(theta, config, part, 1.0 * part.is_y, grad)
    return x, y, degrees(x, y)


def joint_for_x(theta, config, part):
    x, y = gradient(theta, config, part, part.weights), gradient(theta, config, part, 1.0 * part.is_y)
    return x, y, degrees(x, y)


def as_means(*a):
    x, y = right_vectors(*a)
    return x / (~a[2].is_y).sum(), y / a[2].is_y.sum(), degrees(x, y)


def over_all_rows(*a):
    x, y = right_vectors(*a)
    return x / len(a[2].ids), y / len(a[2].ids), degrees(x, y)


def shifted_mask(theta, config, part):
    mask = np.r_[False, part.is_y[:-1]]
    x, y = (gradient(theta, config, part, 1.0 * rows) for rows in (~mask, mask))
    return x, y, degrees(x, y)


def angled(form):
    def answer(*a):
        x, y = right_vectors(*a)
        return x, y, form(x, y)

    return answer


@pytest.mark.parametrize(
    "answer, words",
    [
        (swapped, "swapped"),
        (of_the_loss, "sign is that of the loss"),
        (one_buffer, "second still holds the first"),
        (one_buffer_uncopied, "one buffer, which holds the sum"),
        (one_buffer_zeroed, "one buffer, which holds ∇ log Pr(y|x)"),
        (joint_for_x, "the first is ∇ log Pr(x, y)"),
        (as_means, "number of its rows"),
        (over_all_rows, "number of all rows"),
        (shifted_mask, "aligned with the inputs"),
        (lambda *a: right_vectors(*a), "three things"),
        (lambda theta, config, part: (theta.named["model.norm.weight"], theta.flat, 90.0), "one vector, grad.flat"),
        (angled(lambda x, y: np.arccos(cosine(x, y))), "radians"),
        (angled(cosine), "cosine"),
        (angled(lambda x, y: x @ y), "dot product"),
        (angled(lambda x, y: degrees(x + y, y)), "between ∇ log Pr(x, y) and ∇ log Pr(y|x)"),
        (angled(lambda x, y: 90.0), "the angle is"),
        (angled(lambda x, y: None), "the angle is"),
        (angled(lambda x, y: "90"), "the angle is"),
        (lambda *a: (*[g**2 for g in right_vectors(*a)], 90.0), "off by"),
    ],
)
def test_a_mistake_in_the_two_gradients_is_named(answer, words):
    wrong("two_gradients", answer, words)
