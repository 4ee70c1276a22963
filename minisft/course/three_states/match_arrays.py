"""θ̂, θ_t, θ̃, D and ŷ as arrays without names, and what measuring says about who is who.

log Pr of D    rises from θ̂ over θ_t to θ̃
ŷ              is likeliest at every token to the one θ that gave it; D is not
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


def toy(rng, dealer=None) -> World:
    """A small world: 12 random pairs, 14 steps of all of them; θ_t is θ_5. `dealer`, or rng, deals the letters."""
    rows = rng.integers(0, SMALL.vocab_size, (12, 6))
    theta_hat = Params.random(rng, model.shapes(SMALL))
    sequences = [Sequence(row, np.arange(6) >= 3, "toy") for row in rows]
    settings = TrainConfig(learning_rate=0.03, max_steps=14, batch_size=12)
    path = [state.theta.copy() for state in train.finetune(theta_hat, SMALL, sequences, settings)]
    return world(theta_hat, path[4], path[-1], SMALL, rows, 3, dealer or rng)


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
        hits = {s: (w.log_pi(w.things[at["θ_t"]], w.things[at[s]]).argmax(-1) == y_of(w, s)).mean() for s in TOKENS}
        return (
            f"D and ŷ are exchanged: under the vector in motion, {hits['ŷ']:.0%} of the tokens after x are likeliest "
            f"in {at['ŷ']}, {hits['D']:.0%} in {at['D']}; its own greedy answer has 100%"
        )
    if wrong:
        letters = [letter for letter in w.names if w.names[letter] in STATES]
        J = "; ".join(f"{letter} {w.J(letter, w.things[at['D']]):.1f}" for letter in letters)
        pair = " and ".join(sorted(wrong.values(), key=STATES.index)) + (
            " are exchanged" if len(wrong) == 2 else " are mixed up"
        )
        return f"{pair}: log Pr of D is, in nats, {J}; from θ̂ over θ_t to θ̃ a run raises it"
    return ""


def y_of(w, symbol):
    return next(w.things[letter] for letter in w.names if w.names[letter] == symbol)[:, w.prompt :]


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
    worlds = [toy(rng) for _ in range(3)]
    given = [run(lambda things: answer(things, w.log_pi, w.prompt), w.things) for w in worlds]  # noqa: B023
    wrong = [sentence for sentence in map(misnamed, given, worlds) if sentence]
    if len(wrong) > 1 and all(answers == given[0] for answers in given) and "wanted" not in wrong[0]:
        return Verdict(False, f"it says the same in every world, but the letters are dealt anew: measure. {wrong[0]}")
    return Verdict(not wrong, wrong[0] if wrong else "all five symbols found in three fresh worlds")
