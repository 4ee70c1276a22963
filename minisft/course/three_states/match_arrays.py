"""θ̂, θ_t, θ̃, D and ŷ as arrays without names, and what measuring says about who is who.

distances      θ_t lies between θ̂ and θ̃, which are farther from each other than from it
log Pr of D    rises from θ̂ over θ_t to θ̃
ŷ              is likeliest at every token under θ_t, which gave it; D may be so under θ̃, which has fitted it
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minisft import model, objective, train
from minisft.config import ModelConfig, TrainConfig
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict, kindly, run
from minisft.data import Sequence
from minisft.params import Params

STATES, TOKENS = ("θ̂", "θ_t", "θ̃"), ("D", "ŷ")
SMALL = ModelConfig(
    vocab_size=11,
    hidden_size=8,
    intermediate_size=12,
    num_hidden_layers=1,
    num_attention_heads=2,
    num_key_value_heads=1,
    max_position_embeddings=16,
)


class World(NamedTuple):
    """things   {letter: array}: three vectors of parameters (P,), two arrays of tokens (n, L), shuffled
    log_pi   (vector, rows (n, L)) -> (n, L − prompt, V): log Pr of every token at each place of y, given all before it
    prompt   how many tokens of a row are x
    names    {letter: symbol}, as it was shuffled: what measuring must find
    """

    things: dict
    log_pi: Callable
    prompt: int
    names: dict

    def J(self, letter, rows):
        """log Pr of the y in these rows, in nats, under the parameters of that letter."""
        y = rows[:, self.prompt :, None]
        return float(np.take_along_axis(self.log_pi(self.things[letter], rows), y, -1).sum(dtype=np.float64))


def world(theta_hat, theta_t, theta_tilde, config, rows, prompt, rng) -> World:
    """θ̂, θ_t, θ̃, D (the rows [x, y]) and ŷ (the rows [x, ŷ_t], greedy under θ_t) under letters dealt by rng."""

    def log_pi(flat, rows):
        n, length = len(rows), rows.shape[1] - 1
        places = np.add.outer(np.arange(n) * length, np.arange(prompt - 1, length)).ravel()
        theta, starts = Params(theta_hat.shapes, flat=flat), np.arange(n + 1) * length
        logits, _ = model.forward(theta, config, rows[:, :-1].ravel(), starts, places)
        zeros = np.zeros(len(places), int)
        return objective.forward(logits, zeros, zeros)[1].log_pi.reshape(n, length + 1 - prompt, -1)

    replies = rows.copy()
    for i in range(prompt, rows.shape[1]):
        replies[:, i] = log_pi(theta_t.flat, replies)[:, i - prompt].argmax(-1)
    arrays = [theta_hat.flat.copy(), theta_t.flat.copy(), theta_tilde.flat.copy(), rows.copy(), replies]
    order = rng.permutation(5)
    things = {letter: arrays[i] for letter, i in zip("KLMNP", order)}
    return World(things, log_pi, prompt, {letter: (STATES + TOKENS)[i] for letter, i in zip("KLMNP", order)})


def toy(rng, fitted=False, dealer=None) -> World:
    """A small world: random pairs, and a run on all of them. fitted: until θ̃ would have answered D itself.
    The letters are dealt by `dealer`, or rng."""
    count, steps, middle = (5, 180, 6) if fitted else (12, 14, 5)
    rows = rng.integers(0, SMALL.vocab_size, (count, 6))
    rows[:, 0] = rng.permutation(SMALL.vocab_size)[:count] if fitted else rows[:, 0]  # then x determines y
    theta_hat = Params.random(rng, model.shapes(SMALL))
    sequences = [Sequence(row, np.arange(6) >= 3, "toy") for row in rows]
    settings = TrainConfig(learning_rate=0.03, max_steps=steps, batch_size=count)
    path = [state.theta.copy() for state in train.finetune(theta_hat, SMALL, sequences, settings)]
    return world(theta_hat, path[middle - 1], path[-1], SMALL, rows, 3, dealer or rng)


def exchanged(w: World) -> World:
    """The same world with D and ŷ under each other's letters."""
    D, replies = (next(letter for letter, symbol in w.names.items() if symbol == s) for s in TOKENS)
    swap = {D: replies, replies: D}
    things = {letter: w.things[swap.get(letter, letter)] for letter in w.things}
    return w._replace(things=things, names={letter: w.names[swap.get(letter, letter)] for letter in w.names})


def misnamed(answer, w: World) -> str:
    """What is wrong with {letter: symbol}, by measuring; "" if nothing is."""
    if not isinstance(answer, dict) or set(answer) != set(w.names):
        return f"a dict with the keys {', '.join(w.names)} is wanted, a symbol for each"
    if sorted(map(str, answer.values())) != sorted(STATES + TOKENS):
        return f"each of {', '.join(STATES + TOKENS)} is wanted once; it gives {', '.join(map(str, answer.values()))}"
    wrong = {letter: symbol for letter, symbol in answer.items() if symbol != w.names[letter]}
    for letter, symbol in wrong.items():
        whole = w.things[letter].dtype.kind == "i"
        if whole == (symbol in STATES):
            what = "whole numbers: tokens, not parameters" if whole else "real numbers: parameters, not tokens"
            return f"{letter} cannot be {symbol}: it holds {w.things[letter].size:,} {what}"
    at = {symbol: letter for letter, symbol in w.names.items()}
    if set(wrong.values()) & set(TOKENS):
        hits = {s: likeliest(w, at["θ_t"], w.things[at[s]]) for s in TOKENS}
        also = likeliest(w, at["θ̃"], w.things[at["D"]]) == 1
        trap = ". That θ̃ would have answered D itself proves nothing: it has fitted D" if also else ""
        return (
            f"D and ŷ are exchanged: under the vector in motion, {hits['ŷ']:.0%} of the tokens after x are likeliest "
            f"in {at['ŷ']}, {hits['D']:.0%} in {at['D']}; its own greedy answer has 100%{trap}"
        )
    if wrong:
        letters = [letter for letter in w.names if w.names[letter] in STATES]
        J = "; ".join(f"{letter} {w.J(letter, w.things[at['D']]):.1f}" for letter in letters)
        pair = " and ".join(sorted(wrong.values(), key=STATES.index)) + (
            " are exchanged" if len(wrong) == 2 else " are mixed up"
        )
        return f"{pair}: log Pr of D is, in nats, {J}; from θ̂ over θ_t to θ̃ a run raises it"
    return ""


def likeliest(w: World, letter, rows) -> float:
    """The fraction of the tokens after x that are the likeliest under the vector of that letter."""
    return float(np.mean(w.log_pi(w.things[letter], rows).argmax(-1) == rows[:, w.prompt :]))


def measurements(w: World) -> tuple[list[str], list[list]]:
    """Columns and rows of a table, a row a vector: log Pr, how many tokens are the likeliest, distances."""
    vectors, tokens = (sorted(k for k, v in w.things.items() if v.dtype.kind == kind) for kind in "fi")
    columns = ["vector", *(f"log Pr of y in {r}, nats" for r in tokens), *(f"likeliest in {r}" for r in tokens)]
    rows = []
    for letter in vectors:
        vector = w.things[letter]
        J = [w.J(letter, w.things[r]) for r in tokens]
        hits = [f"{likeliest(w, letter, w.things[r]):.1%}" for r in tokens]
        rows.append([letter, *J, *hits, *(float(np.linalg.norm(vector - w.things[v])) for v in vectors)])
    return [*columns, *(f"distance to {v}" for v in vectors)], rows


@kindly
def match(answer, w: World) -> Verdict:
    """By hand: {letter: symbol} for the things of w."""
    if isinstance(answer, dict) and None in answer.values():
        empty = [letter for letter, symbol in answer.items() if symbol is None]
        return Verdict(None, f"no symbol yet for {', '.join(empty)}: choose from {', '.join(STATES + TOKENS)}")
    wrong = misnamed(answer, w)
    return Verdict(not wrong, wrong or "each symbol is where the measurements put it")


@exercise
def identify(answer, seed=None) -> Verdict:
    """As a function (things, log_pi, prompt) -> {letter: symbol}, on fresh worlds."""
    rng = np.random.default_rng(seed)
    known = toy(rng, fitted=True)
    worlds = [toy(rng), known, exchanged(known), toy(rng)]  # which of D and ŷ is met first must not matter
    given = [run(lambda things: answer(things, w.log_pi, w.prompt), w.things) for w in worlds]  # noqa: B023
    wrong = [sentence for sentence in map(misnamed, given, worlds) if sentence]
    if len(wrong) > 1 and all(answers == given[0] for answers in given) and "wanted" not in wrong[0]:
        return Verdict(False, f"it says the same in every world, but the letters are dealt anew: measure. {wrong[0]}")
    return Verdict(not wrong, wrong[0] if wrong else "all five symbols found, however the letters were dealt")
