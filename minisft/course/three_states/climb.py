"""A run in which θ̂, θ_t and θ̃ were mixed up, repaired: the check names the first confusion that is left."""

from itertools import pairwise

import numpy as np

from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict, run, same


@exercise
def climb(answer, seed=None) -> Verdict:
    """A run θ̂ → θ̃ of plain ascent on a random J: names the first confusion of the three that is left."""
    rng = np.random.default_rng(seed)
    T, root, centre, theta_hat = int(rng.integers(4, 8)), rng.standard_normal((6, 6)), *rng.standard_normal((2, 6))
    A = root @ root.T + np.eye(6)
    rate, given, asked = 0.5 / np.linalg.norm(A, 2), theta_hat.copy(), []

    def J(theta):
        return float(-0.5 * (theta - centre) @ A @ (theta - centre))

    def gradient(theta):
        asked.append(np.array(theta))
        return A @ (centre - theta)

    result = run(lambda theta: answer(given, J, gradient, rate, T), theta_hat)
    if moved := np.linalg.norm(given - theta_hat):
        text = f"θ̂ is updated in place: it has moved by {moved:.3g}, and nothing is left to compare θ̃ with"
        return Verdict(False, text)
    if not (isinstance(result, tuple) and len(result) == 3 and all(isinstance(part, list) for part in result[1:])):
        return Verdict(False, "three things are wanted: θ̃, the list of all θ_t, the list of all J(θ_t)")
    theta_tilde, path, values = result
    if len(path) != T + 1 or len(values) != T + 1:
        return Verdict(False, f"{len(path)} θ_t and {len(values)} values of J are kept; a run of {T} steps has {T + 1}")
    numbers = all(isinstance(value, (int, float, np.number)) for value in values)
    if not numbers or any(np.shape(theta) != (6,) for theta in (theta_tilde, *path)):
        return Verdict(False, "θ̃ and each θ_t are vectors like θ̂, and each J(θ_t) is a number")
    right = [theta_hat]
    for _ in range(T):
        right.append(right[-1] + rate * A @ (centre - right[-1]))
    steps = [rate * A @ (centre - theta) for theta in path[:-1]]  # that each of their θ_t asks for
    wrong = misled(theta_hat, theta_tilde, path, steps, asked, right) or misnoted(values, [J(theta) for theta in right])
    return Verdict(not wrong, wrong or f"θ̂ untouched, θ_0 = θ̂, {T} steps, J noted at each θ_t, and θ̃ = θ_T")


def misled(theta_hat, theta_tilde, path, steps, asked, right) -> str:
    """What is wrong with the path, or nothing."""
    T, first = len(path) - 1, right[1] - theta_hat
    if any(np.shares_memory(a, b) for a, b in pairwise(map(np.asarray, path))):
        return f"the {T + 1} kept θ_t are one array, {T + 1} times, so all are what it was last: keep a copy of each"
    if same(path, [theta_hat] * (T + 1)):
        return "θ_t never moves: what is updated is not what is kept"
    if not same(path[0], theta_hat):
        text = "the list begins after the first step" if same(path[0], right[1]) else "the run does not start at θ̂"
        return f"{text}: θ_0 = θ̂ belongs to the path (here they differ by {np.linalg.norm(path[0] - theta_hat):.3g})"
    if same(path[1:], [theta_hat + first] * T) or same(path[1:], [theta_hat + step for step in steps]):
        return "each step starts at θ̂ again: θ_t is never more than one step away from it, however large T is"
    if same(path[1], theta_hat - first):
        return "it descends: −∇J is the direction in which the data become less likely"
    if same(path, [theta_hat + t * first for t in range(T + 1)]):
        return "the gradient is taken at θ̂ at every step, so the path is a straight line: ∇J belongs to θ_t"
    if not same(path, right):
        off = max(np.linalg.norm(a - b) for a, b in zip(path, right))
        where = "" if same(asked, path[:-1]) else "; the gradient of step t + 1 is wanted at θ_t, once"
        return f"the path leaves θ_t + η ∇J(θ_t) by up to {off:.3g}{where}"
    if not same(theta_tilde, right[-1]):
        name = "θ̂" if same(theta_tilde, theta_hat) else "not θ_T"
        away = np.linalg.norm(right[-1] - theta_hat)
        return f"what is returned as θ̃ is {name}: θ̃ is where the run ends, {away:.3g} away from θ̂"
    if np.shares_memory(theta_tilde, theta_hat):
        return "θ̃ and θ̂ are one array"
    return ""


def misnoted(values, right) -> str:
    """What is wrong with the values of J, or nothing."""
    T = len(right) - 1
    if same(values, right):
        return ""
    if same(values, [right[0]] * (T + 1)):
        return f"J is evaluated at θ̂ at every step, or at a θ̃ that is still θ̂: {T + 1} times {right[0]:.3g}"
    if same(values, [right[-1]] * (T + 1)):
        return f"J is evaluated at θ̃ at every step: {T + 1} times {right[-1]:.3g}, and the way there is not seen"
    if same(values[:-1], right[1:]):
        return "J is noted after the step: the value beside θ_t belongs to θ_{t+1}"
    if same(values, [-value for value in right]):
        return "what is noted is the loss L = −J: J has the other sign"
    off = next(t for t in range(T + 1) if not same(values[t], right[t]))
    return f"beside θ_{off} stands J = {float(values[off]):.6g}, but J(θ_{off}) is {right[off]:.6g}"
