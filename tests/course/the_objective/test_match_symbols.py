"""Symbols matched with things: a wrong match is told by a measurement."""

import numpy as np

from course.solutions import solution
from minisft.course import the_objective as check
from minisft.course.the_objective import match_symbols

from .conftest import NOTEBOOK, named, wrong


def exchanged(a, b):
    """The right matching with two letters exchanged, or one replaced by that of a false thing."""

    def match(things, log_pr):
        found = solution(NOTEBOOK, "match")["match"](things, log_pr)
        if b in found:
            return found | {a: found[b], b: found[a]}
        return found | {a: false_thing(things, found, b)}

    return match


def false_thing(things, found, name):
    rest = [letter for letter in things if letter not in found.values()]
    if name == "∇":
        return next(letter for letter in rest if isinstance(things[letter], np.ndarray))
    values = {letter: things[letter](lambda v: v + 10, [1, 3]) for letter in rest if callable(things[letter])}
    return next(letter for letter, value in values.items() if value == {"mean": 12, "max": 13}[name])


MATCHES = [
    (exchanged("x", "y"), "x and y are exchanged"),
    (exchanged("θ", "∇"), "is the gradient ∇, not θ"),
    (exchanged("Σ", "mean"), "is the mean, not Σ"),
    (exchanged("argmax", "max"), "is max: the largest value"),
    (exchanged("Σ", "argmax"), "is no Σ"),
    (exchanged("argmax", "mean"), "is no argmax"),
    (exchanged("Σ", "max"), "is no Σ"),
    (exchanged("D", "x"), "cannot be D"),
    (exchanged("θ", "y"), "cannot be"),
    (lambda things, log_pr: dict.fromkeys(("Σ", "D", "x", "y", "θ", "argmax"), "A"), "a letter of its own"),
    (lambda things, log_pr: {symbol: [] for symbol in ("Σ", "D", "x", "y", "θ", "argmax")}, "a letter of its own"),
    (lambda things, log_pr: {"Σ": "A"}, "a dict with the keys"),
    (lambda things, log_pr: "ABCDEF", "a dict with the keys"),
    (lambda things, log_pr: things["Z"], "KeyError"),
]


@named(MATCHES)
def test_a_wrong_match_is_told_by_a_measurement(answer, words):
    wrong(check.match, answer, words)


def test_letters_by_heart_do_not_help():
    by_heart = dict(zip(("Σ", "D", "x", "y", "θ", "argmax"), "ABCDEF"))
    wrong(check.match, lambda things, log_pr: by_heart, "dealt anew")


def test_by_hand_the_formula_is_run_with_the_things_chosen():
    b = match_symbols.toy(np.random.default_rng(3))
    right = {symbol: b.names[symbol] for symbol in match_symbols.SYMBOLS}
    verdict = check.symbols(right, b)
    assert verdict.right and "the formula runs" in verdict.text
    assert check.symbols(right | {"Σ": None}, b).right is None
    assert check.symbols(right | {"Σ": b.names["mean"]}, b).right is False
    assert check.which_argmax(b.names["argmax"], b).right and check.which_argmax(b.names["max"], b).right is False
    assert {check.kind(thing).split()[0] for thing in b.things.values()} >= {"a"}
