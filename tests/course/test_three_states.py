"""The checks of notebook 07: right answers pass, and each wrong one is told what it did."""

import copy

import numpy as np
import pytest

from minisft import train
from minisft.course.three_states import (
    cells,
    climb,
    divergence,
    film,
    first_to_flip,
    flip_step,
    from_scratch,
    identify,
    match,
    match_arrays,
    stop_and_go,
    toy,
)
from minisft.optim import make

from .solutions import solution

NOTEBOOK = "07_three_states"
each_seed = pytest.mark.parametrize("seed", range(2))


def solved(exercise):
    namespace = solution(NOTEBOOK, exercise)
    names = ("save", "go_on") if exercise == "stop_and_go" else (exercise,)
    return [namespace[name] for name in names]


def not_written(*arguments):
    raise NotImplementedError


CHECKS = {
    "flip_step": flip_step,
    "divergence": divergence,
    "identify": identify,
    "climb": climb,
    "stop_and_go": stop_and_go,
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("exercise", CHECKS)
def test_the_solution_is_right(exercise, seed):
    verdict = CHECKS[exercise](*solved(exercise), seed=seed)
    assert verdict.right is True, verdict


@pytest.mark.parametrize("exercise", CHECKS)
def test_without_a_seed_the_cases_are_fresh_and_the_solution_is_right(exercise):
    assert CHECKS[exercise](*solved(exercise)).right


@pytest.mark.parametrize("exercise", CHECKS)
def test_a_stub_is_met_kindly(exercise):
    stubs = [not_written] * len(solved(exercise))
    assert repr(CHECKS[exercise](*stubs, seed=0)).startswith("◌ not written yet")


def test_a_go_on_that_is_not_written_is_met_kindly():
    assert stop_and_go(solved("stop_and_go")[0], not_written, seed=0).right is None


def told(verdict, words):
    assert verdict.right is False and words in verdict.text, verdict


# --- the flip ---------------------------------------------------------------------------------------------------------


def flip_first(right):
    return np.array([next((t for t in range(len(right)) if right[t, j]), len(right)) for j in range(right.shape[1])])


def flip_last_wrong(right):
    return np.array([max((t for t in range(len(right)) if not right[t, j]), default=-1) for j in range(right.shape[1])])


WRONG_FLIPS = {
    "even if it turns wrong again": flip_first,
    "0 where there is none": lambda right: np.argmax(right, axis=0),
    "right from the beginning": lambda right: len(right) - np.argmin(right[::-1], axis=0),
    "the last wrong step": flip_last_wrong,
    "counts the wrong steps": lambda right: np.sum(~right, axis=0),
    "counts the right steps": lambda right: right.sum(axis=0),
    "rows and columns are exchanged": lambda right: flip_last_wrong(right.T) + 1,
    "gets T: no step of the run": lambda right: np.minimum(flip_last_wrong(right) + 1, len(right) - 1),
    "how long the answer has been right": lambda right: len(right) - 1 - flip_last_wrong(right),
    "the shape is": lambda right: (flip_last_wrong(right) + 1)[:-1],  # the rest: in no catalogue
    " is right": lambda right: flip_last_wrong(right) + 2,
    "it stops with IndexError": lambda right: right[:, 99],
}


@each_seed
@pytest.mark.parametrize("words", WRONG_FLIPS)
def test_a_wrong_flip_is_named(words, seed):
    told(flip_step(WRONG_FLIPS[words], seed), words)


# --- KL ---------------------------------------------------------------------------------------------------------------

WRONG_DIVERGENCES = {
    "taken under θ̂": lambda p, q: np.mean(np.sum(np.exp(q) * (q - p), -1)),
    "never negative": lambda p, q: np.mean(np.sum(np.exp(p) * (q - p), -1)),
    "averages over the vocabulary": lambda p, q: np.mean(np.exp(p) * (p - q)),
    "sums over the rows": lambda p, q: np.sum(np.exp(p) * (p - q)),
    "in bits": lambda p, q: np.mean(np.sum(np.exp(p) * np.log2(np.exp(p) / np.exp(q)), -1)),
    "log π stands where π belongs": lambda p, q: np.mean(np.sum(p * (p - q), -1)),
    "its weight π(v) is missing": lambda p, q: np.mean(np.sum(p - q, -1)),
    "only the likeliest token": lambda p, q: np.mean(
        [np.exp(a.max()) * (a.max() - b[a.argmax()]) for a, b in zip(p, q)]
    ),
    "cross-entropy": lambda p, q: -np.mean(np.sum(np.exp(p) * q, -1)),
    "the shape is (7,)": lambda p, q: np.sum(np.exp(p) * (p - q), -1),
    " is right": lambda p, q: np.mean(np.sum(np.exp(p) * (np.exp(p) - np.exp(q)), -1)),
    "it returns nothing": lambda p, q: None,
}


@each_seed
@pytest.mark.parametrize("words", WRONG_DIVERGENCES)
def test_a_wrong_divergence_is_named(words, seed):
    told(divergence(WRONG_DIVERGENCES[words], seed), words)


# --- who is who -------------------------------------------------------------------------------------------------------


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


# --- a run with the names mixed up ------------------------------------------------------------------------------------


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


# --- stop, save, go on ------------------------------------------------------------------------------------------------


def save_all(state):
    return copy.deepcopy(state)


def finish(state, config, sequences, settings):
    for _ in train.train(state, config, sequences, settings):
        pass
    return state


def losing(*names):
    """go_on that has forgotten to carry some things over."""

    def go_on(saved, config, sequences, settings):
        fresh = make(saved.theta, settings)
        if "moments" in names:
            saved.optimizer.moments = fresh.moments
        if "updates" in names:
            saved.optimizer.updates = 0
        if "step" in names:
            saved.step = 0
        return finish(saved, config, sequences, settings)

    return go_on


def short_schedule(saved, config, sequences, settings):
    """As a new run of the steps that are left: schedule and order begin again, the optimiser goes on."""
    rest = train.replace(settings, max_steps=settings.max_steps - saved.step)
    saved.step = 0
    return finish(saved, config, sequences, rest)


def new_run(saved, config, sequences, settings):
    rest = train.replace(settings, max_steps=settings.max_steps - saved.step)
    *_, state = train.finetune(saved.theta, config, sequences, rest)
    return state


def turned_order(saved, config, sequences, settings):
    """Its own loop over the data, from the beginning."""
    state = saved
    rest = [sequences[i] for i in train.order(len(sequences), settings, 0)]
    per_step, done = settings.batch_size, saved.step
    moved = np.roll(
        np.arange(len(rest)).reshape(-1, per_step), done, axis=0
    ).ravel()  # step `done` meets the first batch
    ordered = [None] * len(rest)
    for place, i in enumerate(moved):
        ordered[place] = rest[i]
    return finish(state, config, ordered, train.replace(settings, shuffle=False))


WRONG_RESUMES = {
    "the moments m and v of AdamW are not carried over": (save_all, losing("moments")),
    "the count of updates is not carried over": (save_all, losing("updates")),
    "the step is lost": (save_all, losing("step")),
    "the schedule of the learning rate starts again": (save_all, short_schedule),
    "only θ is carried over": (save_all, new_run),
    "is not a copy: `flat`": (lambda state: {"flat": state.theta.flat, "rest": save_all(state)}, None),
    "is not a copy: `m`": (lambda state: train.State(state.step, state.theta.copy(), state.optimizer), None),
    "is not a copy: `theta`": (lambda state: state, None),
    "does not go on": (save_all, lambda saved, *_: saved),
    "the State at the end": (save_all, lambda saved, *rest: finish(saved, *rest).theta),
    "`num_tokens` is": (lambda state: train.replace(save_all(state), num_tokens=0), finish),
    "θ̃ is off by": (
        save_all,
        lambda saved, c, s, settings: finish(saved, c, s, train.replace(settings, learning_rate=0.02)),
    ),
    "it stops with TypeError": (save_all, lambda saved: saved),
    "`save` changes the run": (lambda state: state.theta.flat.__imul__(0.5).copy(), None),
}


@each_seed
@pytest.mark.parametrize("words", WRONG_RESUMES)
def test_what_a_resumed_run_has_forgotten_is_named(words, seed):
    told(stop_and_go(*WRONG_RESUMES[words], seed=seed), words)


@pytest.mark.parametrize("names", [("moments", "updates"), ("moments", "updates", "step")])
def test_several_things_forgotten_are_all_named(names):
    text = stop_and_go(save_all, losing(*names), seed=1).text
    assert (
        "the moments" in text and "the count of updates" in text and ("the step is lost" in text) == ("step" in names)
    )


def test_an_order_of_the_data_that_starts_again_is_named_alone():
    for seed in range(20):  # one whose stop lies in the first epoch, and whose rest fits into it
        verdict = stop_and_go(save_all, turned_order, seed=seed)
        if verdict.text.startswith("the order of the data starts again"):
            return
    raise AssertionError(verdict)


def test_saving_everything_is_right_however_it_is_done():
    assert stop_and_go(save_all, finish, seed=0).right is True
    kept = {}

    def save(state):
        kept["state"] = copy.deepcopy(state)
        return "kept"

    assert stop_and_go(save, lambda saved, *rest: finish(kept["state"], *rest), seed=0).right is True


# --- quizzes ----------------------------------------------------------------------------------------------------------


def test_the_first_flip_is_found_from_the_run():
    flips, log_prs = {"capital": [26, 42, 24], "map": [8, 10, 10]}, {"capital": -22.0, "map": -26.0}
    assert first_to_flip(None, flips, log_prs, last=40).right is None
    verdict = first_to_flip("map", flips, log_prs, last=40)
    assert (
        verdict.right is True
        and "capital 26, never, 24" in verdict.text
        and "likeliest under θ̂ was capital" in verdict.text
    )
    assert first_to_flip("capital", flips, log_prs, last=40).right is False


def test_where_fine_tuning_starts_is_decided_by_the_runs():
    exact = {("θ̂", "D"): [0.8, 0.7], ("random", "D"): [0, 0], ("θ̂", "text"): [0, 0], ("random", "text"): [0, 0]}
    assert from_scratch("false", exact).right is True
    assert from_scratch("true", exact).right is False
    assert from_scratch(None, exact).right is None
    assert from_scratch("true", exact | {("random", "text"): [0.9, 0.9]}).right is True  # if the runs had shown it


# --- the pictures that this notebook added ----------------------------------------------------------------------------


def test_a_film_has_a_row_for_each_question_and_what_is_right_longest_on_top():
    right = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1]], bool)
    figure = film(right, [0, 2, 4], {"a": [0, 2], "b": [1]}, "θ̂")
    [mesh] = [c for c in figure.axes[0].collections if c.get_array() is not None]
    assert np.array_equal(np.asarray(mesh.get_array()).reshape(3, 3), [[1, 1, 1], [0, 1, 1], [0, 0, 1]])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a", "b"]


def test_cells_write_every_number_and_leave_out_what_is_not_one():
    figure = cells(np.array([[1.0, 2.5], [0.25, np.nan]]), ["r", "s"], ["c", "d"], unit="unit of θ")
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "2.5", "0.25"]
