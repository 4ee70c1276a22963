"""Arrays whose names were lost: who is who is told by measuring."""

import numpy as np
import pytest

from minisft import checkpoint, data, train
from minisft.config import TrainConfig
from minisft.course.three_states import identify, match, match_arrays, measurements, toy, world
from minisft.course.three_states.match_arrays import World, exchanged, likeliest, misnamed
from minisft.formats import resources

from .conftest import each_seed, solved, told

DEALS = 100


@pytest.mark.parametrize("seed", range(5))
def test_what_the_notebook_says_of_a_nameless_world_holds_in_the_toy(seed):
    w = toy(np.random.default_rng(seed))
    at = {symbol: letter for letter, symbol in w.names.items()}
    hat, moving, tilde = (w.J(at[symbol], w.things[at["D"]]) for symbol in match_arrays.STATES)
    assert hat < moving < tilde
    vectors = [w.things[at[symbol]] for symbol in match_arrays.STATES]
    assert (w.log_pi(vectors[1], w.things[at["ŷ"]]).argmax(-1) == w.things[at["ŷ"]][:, 3:]).all()
    assert not any((w.log_pi(v, w.things[at["D"]]).argmax(-1) == w.things[at["D"]][:, 3:]).all() for v in vectors)


@pytest.mark.parametrize("seed", range(5))
def test_in_a_fitted_toy_the_result_would_have_answered_D_itself_and_only_distances_decide(seed):
    w = toy(np.random.default_rng(seed), fitted=True)
    at = {symbol: letter for letter, symbol in w.names.items()}
    assert likeliest(w, at["θ̃"], w.things[at["D"]]) == likeliest(w, at["θ_t"], w.things[at["ŷ"]]) == 1
    assert likeliest(w, at["θ_t"], w.things[at["D"]]) < 1
    hat, moving, tilde = (w.things[at[symbol]] for symbol in match_arrays.STATES)
    whole = np.linalg.norm(tilde - hat)
    assert whole > np.linalg.norm(moving - hat) and whole > np.linalg.norm(tilde - moving)


def test_exchanged_tokens_are_the_same_world_under_other_letters():
    w = toy(np.random.default_rng(0))
    other = exchanged(w)
    for symbol in match_arrays.STATES + match_arrays.TOKENS:
        one, two = (next(k for k, s in v.names.items() if s == symbol) for v in (w, other))
        assert (one == two) == (symbol in match_arrays.STATES)
        assert np.array_equal(w.things[one], other.things[two])


@pytest.fixture(scope="module")
def of_the_notebook():
    """The world of notebook 07, section 9, with what its model says remembered."""
    theta_hat, config, tokenizer = checkpoint.load(resources.path("atlas"))
    D = [data.encode(pair, tokenizer) for pair in data.read([resources.path("atlas_train.jsonl")])]
    settings = TrainConfig(learning_rate=4e-4, max_steps=40, batch_size=16, loss_reduction="sum", max_grad_norm=0.0)
    path = {s.step: s.theta.copy() for s in train.finetune(theta_hat, config, D, settings) if s.step in (8, 40)}
    places = [np.flatnonzero(s.is_y)[[0, -1]].tolist() for s in D]
    begin, end = common = max(places, key=places.count)
    rows = np.stack([s.ids[: end + 1] for s, place in zip(D, places) if place == common])
    w, said = world(theta_hat, path[8], path[40], config, rows, begin, np.random.default_rng(0)), {}

    def log_pi(vector, rows):
        if (id(vector), id(rows)) not in said:
            said[id(vector), id(rows)] = w.log_pi(vector, rows)
        return said[id(vector), id(rows)]

    return w._replace(log_pi=log_pi)


def dealt(w: World, seed) -> World:
    """The same five things under letters dealt anew."""
    letters = sorted(w.things)
    fresh = dict(zip(letters, np.random.default_rng(seed).permutation(letters).tolist()))
    things = {fresh[k]: v for k, v in w.things.items()}
    things = {letter: things[letter] for letter in letters}
    return w._replace(things=things, names={fresh[k]: symbol for k, symbol in w.names.items()})


def first_that_some_vector_gave(things, log_pi, prompt):
    """ŷ is taken for the first array of tokens that any of the vectors would have answered."""
    vectors = [k for k, v in things.items() if v.dtype.kind == "f"]
    tokens = [k for k, v in things.items() if v.dtype.kind == "i"]

    def whole(v, r):
        return (log_pi(things[v], things[r]).argmax(-1) == things[r][:, prompt:]).all()

    replies = next((r for r in tokens if any(whole(v, r) for v in vectors)), tokens[0])
    D = next(r for r in tokens if r != replies)
    y = things[D][:, prompt:, None]
    order = sorted(vectors, key=lambda v: np.take_along_axis(log_pi(things[v], things[D]), y, -1).sum())
    return dict(zip([*order, D, replies], match_arrays.STATES + match_arrays.TOKENS))


def test_in_a_hundred_deals_of_the_notebooks_own_world_distances_find_all_five(of_the_notebook):
    [right] = solved("identify")
    worlds = [dealt(of_the_notebook, seed) for seed in range(DEALS)]
    assert all(not misnamed(right(w.things, w.log_pi, w.prompt), w) for w in worlds)
    misled = [misnamed(first_that_some_vector_gave(w.things, w.log_pi, w.prompt), w) for w in worlds]
    assert 30 < sum(map(bool, misled)) < 70  # whenever the letter of D comes first


def test_in_a_hundred_toys_of_each_kind_distances_find_all_five():
    [right] = solved("identify")
    for seed in range(DEALS // 2):
        for fitted in (False, True):
            w = toy(np.random.default_rng(seed), fitted)
            assert not misnamed(right(w.things, w.log_pi, w.prompt), w)


@each_seed
def test_an_array_that_some_vector_would_have_answered_is_not_yet_the_prediction(seed):
    told(identify(first_that_some_vector_gave, seed), "proves nothing")


def test_the_table_of_measurements_has_a_row_a_vector_with_its_distances():
    w = toy(np.random.default_rng(0))
    columns, rows = measurements(w)
    vectors = [row[0] for row in rows]
    assert sorted(vectors) == sorted(k for k, v in w.things.items() if v.dtype.kind == "f")
    assert all(len(row) == len(columns) == 8 for row in rows)
    far = rows[0][columns.index(f"distance to {vectors[1]}")]
    assert far == pytest.approx(np.linalg.norm(w.things[vectors[0]] - w.things[vectors[1]]))


def swapped(one, other):
    """The solution with two symbols exchanged."""
    [right] = solved("identify")
    swap = {one: other, other: one}
    return lambda *world: {letter: swap.get(symbol, symbol) for letter, symbol in right(*world).items()}


def turned(things, log_pi, prompt):
    right = solved("identify")[0](things, log_pi, prompt)
    return {k: {"θ̂": "θ_t", "θ_t": "θ̃", "θ̃": "θ̂"}.get(symbol, symbol) for k, symbol in right.items()}


WRONG_NAMES = {
    "θ̂ and θ̃ are exchanged": swapped("θ̂", "θ̃"),
    "θ_t are exchanged": swapped("θ̂", "θ_t"),
    "θ̃ are exchanged": swapped("θ_t", "θ̃"),
    "D and ŷ are exchanged": swapped("D", "ŷ"),
    "are mixed up": turned,
    "real numbers: parameters, not tokens": swapped("D", "θ̂"),
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
