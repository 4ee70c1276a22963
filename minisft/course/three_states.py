"""Checks of notebook 07: the film of a run, its divergence, a run without confusion (C8: nameless.py, C6: resuming.py).

flip_step     the step from which an answer is right to the end
divergence    KL(π ‖ π̂), exact
climb         a run in which θ̂, θ_t and θ̃ were mixed up, repaired
"""

from itertools import pairwise

import numpy as np

from minisft.course.grading.comparison import judge
from minisft.course.grading.verdict import Verdict, kindly, run, same, settle

# --- quizzes ----------------------------------------------------------------------------------------------------------


def first_to_flip(prediction, flips: dict[str, list[int]], log_prs: dict[str, float], last: int) -> Verdict:
    """C7: which answer turns right first?

    flips    {question: [step of the flip, for each seed]}; later than `last`: not within the run
    log_prs  {question: log Pr(y|x) under θ̂, in nats}
    """
    outcome = min(flips, key=lambda question: np.mean(flips[question]))
    likeliest = max(log_prs, key=log_prs.get)
    steps = "; ".join(
        f"{question} {', '.join(str(step) if step <= last else 'never' for step in steps)}"
        for question, steps in flips.items()
    )
    also = "" if likeliest == outcome else f"; the likeliest under θ̂ was {likeliest}"
    happened = f"Steps of the flip, by seed: {steps}. The first, on average, is {outcome}{also}."
    return settle(prediction, list(flips), outcome, happened)


def from_scratch(prediction, exact: dict[tuple, list]) -> Verdict:
    """C5: true or false: it takes new parameters from random initialisation, and the pre-training data?

    exact  {(start, data): [share of held-out questions answered, for each seed]}; start: "θ̂" or "random", data: "D" or
           "text"
    """
    best = max(exact, key=lambda cell: np.mean(exact[cell]))
    cells = "; ".join(f"{a} on {b} {', '.join(f'{v:.0%}' for v in values)}" for (a, b), values in exact.items())
    happened = f"Held-out answers, by seed: {cells}. What answers is the run from {best[0]} on {best[1]}."
    return settle(prediction, ["true", "false"], "true" if best == ("random", "text") else "false", happened)


# --- C7: the film -----------------------------------------------------------------------------------------------------


def flip_steps(right: np.ndarray) -> np.ndarray:
    """The first step from which on each answer is right to the end, (n,); T + 1 for those that are wrong at T.

    right  (T + 1, n) bool: is answer j right at step t?
    """
    return len(right) - np.cumprod(right[::-1], axis=0).sum(0)


def flip_step(answer, seed=None) -> Verdict:
    rng = np.random.default_rng(seed)
    cases = []
    for _ in range(4):
        T, n = rng.integers(6, 10), rng.integers(11, 15)
        right = np.arange(T + 1)[:, None] >= rng.integers(1, T, n)
        right[:, :4] ^= rng.random((T + 1, 4)) < 0.4
        right[0, 4:6], right[1:3, 4:6] = True, False  # right, then wrong, then right
        right[:, 6], right[-1, 7], right[:, 8] = False, False, True  # never, lost at the end, always
        cases.append((right,))
    mistakes = {
        "it gives the first step at which an answer is right, even if it turns wrong again: look from the end": (
            lambda right: np.where(right.any(0), right.argmax(0), len(right))
        ),
        "it gives the first right step, and 0 where there is none: argmax over nothing but False is 0, too": (
            lambda right: right.argmax(0)
        ),
        "it gives T + 1 where an answer is right from the beginning: argmin over nothing but True is 0": (
            lambda right: len(right) - right[::-1].argmin(0)
        ),
        "it gives the last wrong step: the flip is the step after it": lambda right: flip_steps(right) - 1,
        "it counts the wrong steps, wherever they are: an answer may be right, wrong, and right again": (
            lambda right: (~right).sum(0)
        ),
        "it counts the right steps: the flip is a step t": lambda right: right.sum(0),
        "it counts how long the answer has been right at the end: the flip is the step where that began": (
            lambda right: len(right) - flip_steps(right)
        ),
        "rows and columns are exchanged: row t holds all answers at step t": lambda right: flip_steps(right.T),
        "an answer that is wrong at the end gets T: no step of the run is its flip, so T + 1": (
            lambda right: np.minimum(flip_steps(right), len(right) - 1)
        ),
    }
    return judge(answer, flip_steps, cases, mistakes, "the step from which each answer stays right, in four films")


# --- KL ---------------------------------------------------------------------------------------------------------------


def exact_kl(log_pi, log_pi_hat):
    return (np.exp(log_pi) * (log_pi - log_pi_hat)).sum(-1).mean()


def divergence(answer, seed=None) -> Verdict:
    z, z_hat = np.random.default_rng(seed).standard_normal((2, 4, 7, 5)) * 2
    cases = [tuple(a - np.log(np.exp(a).sum(-1, keepdims=True)) for a in pair) for pair in zip(z, z_hat)]
    mistakes = {
        "it is KL(π̂ ‖ π): the expectation is taken under θ̂, not under θ": lambda a, b: exact_kl(b, a),
        "the sign is turned: a divergence is never negative": lambda a, b: -exact_kl(a, b),
        "it averages over the vocabulary, too: sum over v, then average over the rows": lambda a, b: exact_kl(a, b) / 5,
        "it sums over the rows: nats a token are wanted, so average over them": lambda a, b: exact_kl(a, b) * 7,
        "it is in bits: use the natural logarithm": lambda a, b: exact_kl(a, b) / np.log(2),
        "log π stands where π belongs: the weight of each v is exp of it": lambda a, b: (a * (a - b)).sum(-1).mean(),
        "each v counts the same: its weight π(v) is missing": lambda a, b: (a - b).sum(-1).mean(),
        "only the likeliest token counts: the sum runs over the whole vocabulary": (
            lambda a, b: np.take_along_axis(np.exp(a) * (a - b), a.argmax(-1)[:, None], -1).mean()
        ),
        "it is the cross-entropy: the entropy of π is not taken off": lambda a, b: -(np.exp(a) * b).sum(-1).mean(),
    }
    return judge(answer, exact_kl, cases, mistakes, "exact, on four pairs of random distributions, in nats a token")


# --- C9: the notation repaired ----------------------------------------------------------------------------------------


@kindly
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
