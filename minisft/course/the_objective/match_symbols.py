"""Σ, D, x, y, θ and argmax as things without names, three false ones among them, and what measuring says.

The formula is argmax_θ Σ_{(x,y)∈D} log Pr_θ(y|x). Three things look like a symbol and are not:

    ∇   the gradient of the sum at θ: a vector as long as θ. Only of (θ, ∇) is the slope along ∇ equal to ‖∇‖²
    mean   instead of Σ      max   instead of argmax: the value, not where it is reached
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minisft import evaluate, model, train
from minisft.config import ModelConfig
from minisft.course.grading.exercise import exercise, quiz
from minisft.course.grading.verdict import Verdict, kindly, run, settle
from minisft.data import Sequence, collate
from minisft.params import Params

SYMBOLS, FALSE = ("Σ", "D", "x", "y", "θ", "argmax"), ("∇", "mean", "max")
LETTERS = "ABCEFGHIK"  # without D, which is a symbol


class Boxes(NamedTuple):
    """things   {letter: thing}; a function among them takes (f, items)
    log_pr   (vector (P,), x, y) -> log Pr(y|x) in nats, of the model with that vector as its parameters
    names    {symbol: letter}, as they were shuffled: what measuring must find
    """

    things: dict
    log_pr: Callable
    names: dict


def boxes(theta, config, pairs, seed=None) -> Boxes:
    """The things of one formula under letters; pairs are (x, y), two arrays of tokens each."""
    rng = np.random.default_rng(seed)
    grad, one = theta.like(), int(rng.integers(len(pairs)))
    sequences = [sequence(*pair) for pair in pairs]
    whole = collate(sequences, 0.0, "sum", theta.flat.dtype)
    train.value_and_grad(theta, grad, config, whole, dJ=1.0)

    def log_pr(flat, x, y):
        ((values, _),) = evaluate.log_probs(Params(theta.shapes, flat=flat), config, [sequence(x, y)])
        return float(values[len(x) - 1 :].sum(dtype=np.float64))

    things = {
        "Σ": lambda f, items: sum(f(item) for item in items),
        "D": list(pairs),
        "x": pairs[one][0].copy(),
        "y": pairs[one][1].copy(),
        "θ": theta.flat.copy(),
        "argmax": lambda f, items: max(items, key=f),
        "∇": grad.flat,
        "mean": lambda f, items: sum(f(item) for item in items) / len(items),
        "max": lambda f, items: max(f(item) for item in items),
    }
    order = rng.permutation(len(LETTERS))
    names = {symbol: LETTERS[i] for symbol, i in zip(things, order)}
    return Boxes(dict(sorted((names[symbol], thing) for symbol, thing in things.items())), log_pr, names)


def sequence(x, y):
    return Sequence(np.concatenate((x, y)), np.arange(len(x) + len(y)) >= len(x), "a box")


def toy(rng, seed=None, scale=1.0) -> Boxes:
    """A small model with random parameters, so large; three pairs. The letters are dealt by `seed`, or rng."""
    config = ModelConfig(9, 8, 10, 1, num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=16)
    theta = Params.random(rng, model.shapes(config))
    theta.flat *= scale
    lengths = rng.permutation(np.arange(2, 8)).reshape(3, 2)  # all different, so no array is met twice
    pairs = [tuple(rng.integers(0, 9, n) for n in pair) for pair in lengths]
    return boxes(theta, config, pairs, int(rng.integers(1 << 30)) if seed is None else seed)


def kind(thing):
    """What one sees without measuring."""
    if callable(thing):
        return "a function of (f, items)"
    if isinstance(thing, list):
        return f"a list of {len(thing)} pairs of arrays"
    return f"{len(thing):,} {'whole' if thing.dtype.kind == 'i' else 'real'} numbers"


def mismatched(matching, b: Boxes) -> str:
    """What is wrong with {symbol: letter}, found by putting the things into the formula; "" if nothing is."""
    if not isinstance(matching, dict) or set(matching) != set(SYMBOLS):
        return f"a dict with the keys {', '.join(SYMBOLS)} is wanted, a letter for each"
    letters = list(map(str, matching.values()))
    if not all(letter in b.things for letter in letters) or len(set(letters)) < len(letters):
        return f"a letter of its own for each symbol is wanted, of {', '.join(b.things)}; it gives {letters}"
    for symbol, letter in matching.items():
        right = b.things[b.names[symbol]]
        if kind(b.things[letter]).split()[-1] != kind(right).split()[-1] or (
            getattr(right, "dtype", None) != getattr(b.things[letter], "dtype", None)
        ):
            return f"{letter} cannot be {symbol}: it is {kind(b.things[letter])}"
    thing = {symbol: b.things[letter] for symbol, letter in matching.items()}
    if matching["x"] != b.names["x"]:
        return f"x and y are exchanged: D holds the pair ({matching['y']}, {matching['x']}), x first, not the reverse"
    J = objective_of(b)
    if matching["θ"] != b.names["θ"]:
        theta, grad = b.things[b.names["θ"]], b.things[b.names["∇"]]
        h = 1e-5 / np.linalg.norm(grad)
        slopes = [(J(at + h * along) - J(at - h * along)) / (2 * h) for at, along in ((theta, grad), (grad, theta))]
        return (
            f"{matching['θ']} is the gradient ∇, not θ: from {b.names['θ']} along {matching['θ']} the sum has the "
            f"slope {slopes[0]:.4g} = ‖∇‖² = {np.vdot(grad, grad):.4g}; the other way round it is {slopes[1]:.4g}"
        )
    counts = [thing["Σ"](lambda item: 1.0, range(n)) for n in (2, 3)]
    if matching["Σ"] in (b.names["max"], b.names["argmax"]):
        return f"{matching['Σ']} is no Σ: of the function that is always 1 over three items it makes {counts[1]}, not 3"
    if matching["Σ"] != b.names["Σ"]:
        return f"{matching['Σ']} is the mean, not Σ: of 1 and 1 it makes {counts[0]:g}, where a sum makes 2"
    if matching["argmax"] != b.names["argmax"]:
        got = thing["argmax"](lambda v: -((v - 3) ** 2) - 1.0, [2, 3, 5])
        what = "max: the largest value" if matching["argmax"] == b.names["max"] else "no argmax"
        return f"{matching['argmax']} is {what}: of −(v − 3)² − 1 over 2, 3, 5 it makes {got:g}; the argmax is 3"
    return ""


def objective_of(b: Boxes):
    """The sum over D as a function of θ."""
    return lambda flat: sum(b.log_pr(flat, x, y) for x, y in b.things[b.names["D"]])


@kindly
def symbols(matching, b: Boxes) -> Verdict:
    """By hand: {symbol: letter} for the things of b."""
    if isinstance(matching, dict) and None in matching.values():
        empty = [symbol for symbol, letter in matching.items() if letter is None]
        return Verdict(None, f"no letter yet for {', '.join(empty)}: choose from {', '.join(b.things)}")
    wrong = mismatched(matching, b)
    if wrong:
        return Verdict(False, wrong)
    J, theta, grad = objective_of(b), b.things[b.names["θ"]], b.things[b.names["∇"]]
    best = b.things[b.names["argmax"]](J, [theta, theta + 0.05 * grad / np.linalg.norm(grad)])
    text = f"of θ and θ + 0.05 ∇/‖∇‖ its argmax has Σ log Pr(y|x) = {J(best):.2f}, where θ has {J(theta):.2f}"
    return Verdict(True, f"the formula runs: {text}")


def until(holds, rng) -> Boxes:
    """A world in which what mostly holds of θ and ∇ does not, so that only the slope can tell them apart."""
    while not holds(world := toy(rng, scale=0.3)):
        pass
    return world


def longer(b: Boxes) -> bool:
    """Is θ longer than ∇?"""
    return np.linalg.norm(b.things[b.names["θ"]]) > np.linalg.norm(b.things[b.names["∇"]])


def likelier(b: Boxes) -> bool:
    """Is D likelier with ∇ as parameters than with θ?"""
    J = objective_of(b)
    return J(b.things[b.names["∇"]]) > J(b.things[b.names["θ"]])


@exercise
@kindly
def match(answer, seed=None) -> Verdict:
    """As a function (things, log_pr) -> {symbol: letter}, on fresh boxes."""
    rng = np.random.default_rng(seed)
    worlds = [toy(rng), toy(rng), until(longer, rng), until(likelier, rng)]
    given = [run(answer, b.things, b.log_pr) for b in worlds]
    wrong = [sentence for sentence in map(mismatched, given, worlds) if sentence]
    if len(wrong) > 1 and all(letters == given[0] for letters in given):
        return Verdict(False, f"it says the same every time, but the letters are dealt anew: measure. {wrong[0]}")
    return Verdict(not wrong, wrong[0] if wrong else "all six symbols found in four fresh shuffles")


@quiz
def which_argmax(prediction, b: Boxes) -> Verdict:
    """The quiz: which of the four functions is argmax? Decided by putting its result back into f."""

    def f(v):
        return -((v - 3) ** 2) - 1.0

    items, functions = [2, 3, 5], {letter: thing for letter, thing in b.things.items() if callable(thing)}
    gave = {letter: float(function(f, items)) for letter, function in functions.items()}
    outcome = next(letter for letter, value in gave.items() if value in items and f(value) == max(map(f, items)))
    table = ", ".join(f"{letter} gives {value:g}" for letter, value in gave.items())
    happened = f"For f(v) = −(v − 3)² − 1 over 2, 3, 5: {table}. f is largest at 3, where it is −1."
    return settle(prediction, tuple(functions), outcome, happened)
