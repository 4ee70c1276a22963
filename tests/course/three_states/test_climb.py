"""A run with the names mixed up: each confusion is told by its name."""

import numpy as np
import pytest

from minisft.course.three_states import climb

from .conftest import each_seed, told


def in_place(theta_hat, J, gradient, rate, T):
    theta, path, values = theta_hat, [theta_hat.copy()], [J(theta_hat)]
    for _ in range(T):
        theta += rate * gradient(theta)
        path.append(theta.copy())
        values.append(J(theta))
    return theta, path, values


def variant(
    keep=np.copy, where="theta", start="theta", value="theta", result="theta", sign=1, first=True, noted_after=False
):
    """A run as a student might have written it, with some of its names wrong."""

    def answer(theta_hat, J, gradient, rate, T):
        theta = theta_hat.copy()
        path, values = ([keep(theta)], [J(theta_hat)]) if first else ([], [])
        for _ in range(T):
            at = {"theta": theta, "theta_hat": theta_hat}
            moved = at[start] + sign * rate * gradient(at[where])
            theta[:] = moved
            path.append(keep(theta))
            values.append(J({"theta": theta, "theta_hat": theta_hat}[value]))
        if noted_after:
            values = [*values[1:], J(theta + rate * gradient(theta))]
        return {"theta": theta, "theta_hat": theta_hat.copy()}[result], path, values

    return answer


def valued_at_theta_tilde(theta_hat, J, gradient, rate, T):
    theta_tilde, path, _ = variant()(theta_hat, J, gradient, rate, T)
    return theta_tilde, path, [J(theta_tilde) for _ in path]


def valued_by_loss(theta_hat, J, gradient, rate, T):
    theta_tilde, path, values = variant()(theta_hat, J, gradient, rate, T)
    return theta_tilde, path, [-value for value in values]


def changed_at(t, theta=0, value=0):
    def answer(*arguments):
        theta_tilde, path, values = variant()(*arguments)
        path[t], values[t] = path[t] + theta, values[t] + value
        return theta_tilde, path, values

    return answer


def elsewhere(theta_hat, *rest):
    return variant()(theta_hat + 1, *rest)


def not_moving(theta_hat, J, gradient, rate, T):
    return theta_hat.copy(), [theta_hat.copy() for _ in range(T + 1)], [J(theta_hat)] * (T + 1)


WRONG_CLIMBS = {
    "θ̂ is updated in place": in_place,
    "are one array": variant(keep=lambda theta: theta),
    "each step starts at θ̂ again": variant(start="theta_hat", where="theta_hat"),
    "the gradient is taken at θ̂": variant(where="theta_hat"),
    "J is evaluated at θ̂ at every step": variant(value="theta_hat"),
    "J is evaluated at θ̃ at every step": valued_at_theta_tilde,
    "what is returned as θ̃ is θ̂": variant(result="theta_hat"),
    "it descends": variant(sign=-1),
    "a run of": variant(first=False),
    "J is noted after the step": variant(noted_after=True),
    "the loss L = −J": valued_by_loss,
    "never moves": not_moving,
    "does not start at θ̂": elsewhere,
    "the path leaves": changed_at(3, theta=1e-3),  # the rest: in no catalogue
    "beside θ_2 stands": changed_at(2, value=1e-3),
    "never more than one step away": variant(start="theta_hat"),
    "wanted at θ_t, once": lambda theta_hat, J, gradient, *rest: variant()(
        theta_hat, J, lambda theta: gradient(theta + 0.1), *rest
    ),
    "are vectors like": lambda theta_hat, J, gradient, rate, T: (
        theta_hat[:2],
        *variant()(theta_hat, J, gradient, rate, T)[1:],
    ),
    "each J(θ_t) is a number": lambda *arguments: (*variant()(*arguments)[:2], [None] * (arguments[-1] + 1)),
    "three things are wanted": lambda theta_hat, *_: theta_hat.copy(),
    "it stops with TypeError": lambda theta_hat, J: None,
}


@each_seed
@pytest.mark.parametrize("words", WRONG_CLIMBS)
def test_a_confusion_of_the_three_names_is_named(words, seed):
    told(climb(WRONG_CLIMBS[words], seed), words)


def test_the_stub_of_the_notebook_leads_from_one_confusion_to_the_next():
    code = """
def climb(theta_hat, J, gradient, rate, T):
    theta_tilde = theta_hat
    path, values = [], []
    for _ in range(T + 1):
        theta = theta_hat
        path.append(theta)
        values.append(J(theta_tilde))
        theta += rate * gradient(theta_hat)
    return theta_tilde, path, values
"""
    repairs = [
        ("", "", "θ̂ is updated in place"),
        ("theta = theta_hat\n        path", "theta = theta_hat.copy()\n        path", "begins after the first step"),
        ("path.append(theta)", "path.append(theta.copy())", "never moves"),
        ("        theta = theta_hat.copy()\n", "", None),
        ("theta_tilde = theta_hat\n", "theta = theta_tilde = theta_hat.copy()\n", "the gradient is taken at θ̂"),
        ("gradient(theta_hat)", "gradient(theta)", "what is returned as θ̃ is not θ_T"),
        ("return theta_tilde", "return path[-1]", None),
        ("J(theta_tilde)", "J(theta)", "✓"),
    ]
    for old, new, words in repairs:
        assert old in code
        code = code.replace(old, new)
        namespace = {}
        exec(code, namespace)
        if words:
            assert words in repr(climb(namespace["climb"], seed=0))
