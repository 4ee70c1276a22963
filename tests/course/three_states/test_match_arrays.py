"""Arrays whose names were lost: who is who is told by measuring."""

import numpy as np
import pytest

from minisft.course.three_states import identify, match, match_arrays, toy

from .conftest import each_seed, solved, told


@pytest.mark.parametrize("seed", range(5))
def test_what_the_notebook_says_of_a_nameless_world_holds_in_the_toy(seed):
    w = toy(np.random.default_rng(seed))
    at = {symbol: letter for letter, symbol in w.names.items()}
    hat, moving, tilde = (w.J(at[symbol], w.things[at["D"]]) for symbol in match_arrays.STATES)
    assert hat < moving < tilde
    vectors = [w.things[at[symbol]] for symbol in match_arrays.STATES]
    assert (w.log_pi(vectors[1], w.things[at["ŷ"]]).argmax(-1) == w.things[at["ŷ"]][:, 3:]).all()
    assert not any((w.log_pi(v, w.things[at["D"]]).argmax(-1) == w.things[at["D"]][:, 3:]).all() for v in vectors)


def exchanged(one, other):
    """The solution with two symbols exchanged."""
    [right] = solved("identify")
    swap = {one: other, other: one}
    return lambda *world: {letter: swap.get(symbol, symbol) for letter, symbol in right(*world).items()}


def turned(things, log_pi, prompt):
    right = solved("identify")[0](things, log_pi, prompt)
    return {k: {"θ̂": "θ_t", "θ_t": "θ̃", "θ̃": "θ̂"}.get(symbol, symbol) for k, symbol in right.items()}


WRONG_NAMES = {
    "θ̂ and θ̃ are exchanged": exchanged("θ̂", "θ̃"),
    "θ_t are exchanged": exchanged("θ̂", "θ_t"),
    "θ̃ are exchanged": exchanged("θ_t", "θ̃"),
    "D and ŷ are exchanged": exchanged("D", "ŷ"),
    "are mixed up": turned,
    "real numbers: parameters, not tokens": exchanged("D", "θ̂"),
    "tokens, not parameters": lambda things, *_: dict(
        zip(sorted(things, key=lambda k: things[k].size), match_arrays.STATES + match_arrays.TOKENS)
    ),
    "the letters are dealt anew": lambda things, *_: dict(zip("KLMNP", match_arrays.STATES + match_arrays.TOKENS)),
    "a dict with the keys": lambda things, *_: list(things),
    "is wanted once": lambda things, *_: dict.fromkeys(things, "θ̂"),
    "it stops with KeyError": lambda things, *_: things["A"],
}


@each_seed
@pytest.mark.parametrize("words", WRONG_NAMES)
def test_a_wrong_name_is_named(words, seed):
    verdict = identify(WRONG_NAMES[words], seed)
    assert verdict.right is False
    if words in ("real numbers: parameters, not tokens", "tokens, not parameters"):
        words = "cannot be"  # which of the two is met first depends on the letters
    told(verdict, words)


def test_matching_by_hand_waits_for_all_five_and_then_measures():
    w = toy(np.random.default_rng(0))
    assert match(dict.fromkeys(w.names), w).right is None
    assert match(w.names, w).right is True
    a, b = (letter for letter, symbol in w.names.items() if symbol in ("θ̂", "θ̃"))
    told(match(w.names | {a: w.names[b], b: w.names[a]}, w), "log Pr of D is, in nats")
    told(match({}, w), "a dict with the keys")
