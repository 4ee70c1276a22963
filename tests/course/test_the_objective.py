"""The checks of notebook 02: the solutions pass, and each mistake is told by its name."""

import numpy as np
import pytest

from minisft import model
from minisft.course import the_objective as check
from minisft.course.the_objective import match_symbols

from .solutions import solution

NOTEBOOK = "02_the_objective"
EXERCISES = {name: getattr(check, name) for name in ("J", "match", "missing", "optimum", "one_step", "own_loss")}


def unwritten(*arguments):
    raise NotImplementedError


@pytest.mark.parametrize("seed", [0, 1, 2, None])
@pytest.mark.parametrize("name", EXERCISES)
def test_the_solution_is_right_whatever_the_seed(name, seed):
    verdict = EXERCISES[name](solution(NOTEBOOK, name)[name], seed)
    assert verdict.right, verdict


@pytest.mark.parametrize("name", EXERCISES)
def test_a_stub_is_not_written_yet(name):
    assert EXERCISES[name](unwritten).right is None


def wrong(check, answer, words, seeds=(0, 1)):
    for seed in seeds:
        verdict = check(answer, seed)
        assert verdict.right is False and words in verdict.text, verdict


def named(cases):
    return pytest.mark.parametrize("answer, words", cases, ids=[words for _, words in cases])


# --- J(θ)


def softmax(z, axis=-1):
    e = np.exp(z - z.max())
    return e / e.sum(axis=axis, keepdims=True)


def per_token(theta, config, pairs, begin=0, end=0, shift=1, axis=-1, read_x=True):
    """[Pr of the tokens of y] for each pair; the options are ways to get it wrong."""
    result = []
    for x, y in pairs:
        ids = np.array([*x, *y]) if read_x else y
        z, _ = model.forward(theta, config, ids, np.array([0, len(ids)]), np.arange(len(ids)))
        pi = softmax(z, axis)
        first = len(x) if read_x else 1
        result.append(np.array([pi[i - 1, ids[i - 1 + shift]] for i in range(first + begin, len(ids) - end)]))
    return result


def logs(*a, **options):
    return [np.log(pr) for pr in per_token(*a, **options)]


def total(*a, **options):
    return sum(v.sum() for v in logs(*a, **options))


def everything(theta, config, pairs):
    return total(theta, config, [(np.concatenate((x, y))[:1], np.concatenate((x, y))[1:]) for x, y in pairs])


def packed_without_starts(theta, config, pairs):
    ids = np.concatenate([np.concatenate(pair) for pair in pairs])
    z, _ = model.forward(theta, config, ids, np.array([0, len(ids)]), np.arange(len(ids)))
    pi, at, J = softmax(z), 0, 0.0
    for x, y in pairs:
        for i in range(at + len(x), at + len(x) + len(y)):
            J += np.log(pi[i - 1, ids[i]])
        at += len(x) + len(y)
    return J


def bare(theta, config, pairs):
    J = 0.0
    for x, y in pairs:
        ids = np.array([*x, *y])
        z, _ = model.forward(theta, config, ids, np.array([0, len(ids)]), np.arange(len(x) - 1, len(ids) - 1))
        J += z[np.arange(len(y)), y].sum()
    return J


def rows_of_y(theta, config, pairs):
    J = 0.0
    for x, y in pairs:
        ids = np.array([*x, *y])
        z, _ = model.forward(theta, config, ids, np.array([0, len(ids)]), np.arange(len(x), len(ids)))
        J += np.log(softmax(z))[np.arange(len(y)), y].sum()
    return J


J_CASES = [
    (lambda t, c, p: total(t, c, p) / len(p), "the mean over the pairs"),
    (lambda t, c, p: np.concatenate(logs(t, c, p)).mean(), "the mean over the tokens"),
    (lambda *a: sum(v.mean() for v in logs(*a)), "the sum of the means"),
    (lambda *a: total(*a, shift=0), "no shift: row i predicts"),
    (rows_of_y, "no shift: the rows of y"),
    (everything, "the tokens of x are in the sum"),
    (lambda *a: total(*a, begin=1), "the first token of y is left out"),
    (lambda *a: total(*a, end=1), "the end token is left out"),
    (lambda *a: total(*a, read_x=False), "x is not given"),
    (packed_without_starts, "the pairs see each other"),
    (lambda *a: sum(pr.prod() for pr in per_token(*a)), "the log is missing"),
    (lambda *a: np.log(sum(pr.prod() for pr in per_token(*a))), "log Σ Pr(y|x)"),
    (lambda *a: sum(pr.sum() for pr in per_token(*a)), "probabilities of tokens are added"),
    (lambda t, c, p: total(t, c, p[:1]), "the first pair only"),
    (lambda t, c, p: total(t, c, p[-1:]), "the last pair only"),
    (lambda *a: -total(*a), "the sign is turned"),
    (bare, "without a softmax"),
    (lambda *a: total(*a, axis=0), "over the positions"),
    (lambda *a: logs(*a)[0], "the shape is"),
    (lambda *a: total(*a) / np.log(2), "is right"),
    (lambda t, c, p: total(t, c, [(y, x) for x, y in p]), "is right"),
    (lambda t, c, p: model.forward(t, c, *p[0]), "it stops with"),
    (lambda *a: print(end=""), "`return` missing"),
    (lambda *a: "J", "'J'"),
]


@named(J_CASES)
def test_a_wrong_objective_is_told_what_it_is(answer, words):
    wrong(check.J, answer, words)


def test_an_objective_that_trains_on_the_way_is_refused():
    def moving(theta, config, pairs):
        theta.flat += 1e-3
        return total(theta, config, pairs)

    wrong(check.J, moving, "changes its argument number 1")


# --- matching


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


# --- what is missing


def always(name):
    return lambda f, n: name


def confusing(one, other):
    """The right diagnosis, except that `one` is called `other`."""

    def missing(f, n):
        name = solution(NOTEBOOK, "missing")["missing"](f, n)
        return other if name == one else name

    return missing


MISSING = [
    (confusing("Σ", "log"), "it is 'Σ': 0.1 more in log Pr(y|x) of pair"),
    (confusing("log", "nothing"), "it is 'log': 0.1 more in log Pr(y|x) raises it by"),
    (confusing("y|x", "Σ"), "it is 'y|x': 0.1 more in log Pr(x)"),
    (confusing("argmax", "nothing"), "maximised, it lowers them all"),
    (confusing("nothing", "argmax"), "it is 'nothing': 0.1 more in log Pr(y|x) of any pair raises it by 0.100"),
    (always("nothing"), "you say 'nothing'"),
    (always("θ"), "'θ' is none of"),
    (always(["Σ"]), "is none of"),
    (lambda f, n: f(n), "it stops with TypeError"),
]


@named(MISSING)
def test_a_wrong_diagnosis_is_told_by_a_measurement(answer, words):
    wrong(check.missing, answer, words)


# --- the optimum


OPTIMA = [
    (lambda n: np.full(len(n), 1 / len(n)), "equally likely"),
    (lambda n: (n == n.max()).astype(float), "all mass is on the commonest"),
    (lambda n: n * 1.0, "these are the counts"),
    (lambda n: np.exp(n) / np.exp(n).sum(), "softmax of the counts"),
    (lambda n: (n + 1) / (n.sum() + len(n)), "one was added"),
    (lambda n: n**2 / (n**2).sum(), "too sharp"),
    (lambda n: n**0.5 / (n**0.5).sum(), "too flat"),
    (lambda n: (1 / n) / sum(1 / n), "one over the counts"),
    (lambda n: np.log(n) / np.log(n).sum(), "logarithms of the counts"),
    (lambda n: n / n.max(), "divided by the largest"),
    (lambda n: np.log(n / n.sum()), "this is log Pr"),
    (lambda n: n[::-1] / n.sum(), "a little mass moved"),
    (lambda n: 2 * n / n.sum(), "is no distribution"),
    (lambda n: np.sort(n) / n.sum(), "a little mass moved"),
    (lambda n: np.where(n == n.min(), 0, n) / (n.sum() - n.min()), "has probability 0"),
    (lambda n: n.sum(), "a probability for each"),
    (lambda n: "n / N", "a probability for each"),
    (lambda n: np.full(len(n), np.nan), "is no distribution"),
]


@named(OPTIMA)
def test_a_wrong_optimum_is_told_what_it_is(answer, words):
    wrong(check.optimum, answer, words, seeds=(0, 1, 2))


STEPS = [
    (lambda z, n, eta: z - eta * (n / n.sum() - softmax(z)), "downhill"),
    (lambda z, n, eta: z + eta * (n - softmax(z)), "divide them by their sum"),
    (lambda z, n, eta: z + eta * (n - n.sum() * softmax(z)), "N times smaller"),
    (lambda z, n, eta: z + eta * n / n.sum() / softmax(z), "the derivative by π"),
    (lambda z, n, eta: z + eta * n / n.sum(), "the term −π is missing"),
    (lambda z, n, eta: n / n.sum() - softmax(z), "this is the gradient"),
    (lambda z, n, eta: eta * (n / n.sum() - softmax(z)), "add it to z"),
    (lambda z, n, eta: z + n / n.sum() - softmax(z), "η is missing"),
    (lambda z, n, eta: softmax(z + eta * (n / n.sum() - softmax(z))), "π after the step"),
    (lambda z, n, eta: z + eta * (n / n.sum() - z), "z is taken for π"),
    (lambda z, n, eta: z + eta * (n / n.sum() - np.exp(z)), "is right"),
    (lambda z, n, eta: z + eta, "is right"),
]


@named(STEPS)
def test_a_wrong_step_is_told_what_it_is(answer, words):
    wrong(check.one_step, answer, words)


# --- a loss of one's own


def one_hot(z, y):
    return np.eye(len(z))[y]


def cross_entropy(z, y, sign=1.0, size=1.0):
    return -np.log(softmax(z)[y]), sign * size * (softmax(z) - one_hot(z, y))


def squared(z, y):
    pi = softmax(z)
    d = pi - one_hot(z, y)
    return 0.5 * (d**2).sum(), pi * (d - pi @ d)


def smoothed(z, y):
    target = 0.9 * one_hot(z, y) + 0.1 / len(z)
    return -(target * np.log(softmax(z))).sum(), softmax(z) - target


@pytest.mark.parametrize(
    "answer, where",
    [(cross_entropy, "the frequencies themselves"), (squared, "the frequencies themselves"), (smoothed, "not at")],
)
def test_any_loss_is_right_if_its_gradient_is_its_own_and_one_is_told_where_it_leads(answer, where):
    for seed in (0, None):
        verdict = check.own_loss(answer, seed)
        assert verdict.right and where in verdict.text, verdict


def focal_with_a_constant(z, y):
    p = softmax(z)[y]
    return -((1 - p) ** 2) * np.log(p), (1 - p) ** 2 * (softmax(z) - one_hot(z, y))


OWN = [
    (lambda z, y: cross_entropy(z, y, sign=-1), "the sign is turned"),
    (lambda z, y: cross_entropy(z, y, size=2), "0.5 times as large, at every z"),
    (focal_with_a_constant, "taken as a constant"),
    (lambda z, y: (squared(z, y)[0], softmax(z) - one_hot(z, y)), "the derivative by π"),
    (lambda z, y: (0.5 * ((softmax(z) - one_hot(z, y)) ** 2).sum(), 2 * squared(z, y)[1]), "0.5 times as large"),
    (lambda z, y: (cross_entropy(z, y)[0], -one_hot(z, y) / softmax(z)), "the derivative by π"),
    (lambda z, y: (cross_entropy(z, y)[0], -one_hot(z, y)), "the derivative by log π"),
    (lambda z, y: (cross_entropy(z, y)[0], one_hot(z, y) * (softmax(z) - 1)), "only the logit of the target"),
    (lambda z, y: (cross_entropy(z, y)[0], softmax(z)), "all entries are right but that of the target"),
    (lambda z, y: (cross_entropy(z, y)[0], np.zeros(len(z))), "the gradient is 0"),
    (lambda z, y: (1.0, np.zeros(len(z))), "the same for every z"),
    (lambda z, y: ((z**2).sum(), 2 * z), "the same for every y"),
    (lambda z, y: tuple(-part for part in cross_entropy(z, y)), "turn its sign"),
    (lambda z, y: cross_entropy(z, y)[0], "return two things"),
    (lambda z, y: (-np.log(softmax(z)), softmax(z)), "L is one number"),
    (lambda z, y: (cross_entropy(z, y)[0], 0.0), "the gradient must have the shape"),
    (lambda z, y: ("L", z), "must be numbers"),
    (lambda z, y: (np.inf, z), "not finite"),
    (lambda z, y: (cross_entropy(z, y)[0], np.roll(softmax(z), 1) - one_hot(z, y)), "difference quotient"),
    (lambda z, y: (cross_entropy(z, y)[0], z), "should sum to 0"),
]


@named(OWN)
def test_a_wrong_loss_is_told_what_is_wrong(answer, words):
    wrong(check.own_loss, answer, words)


# --- quizzes and pictures


def test_the_least_harmful_gap_is_found_by_measuring():
    scores = {"Σ": [0.6, 0.7], "log": [0.2, 0.3]}
    verdict = check.least_harm("Σ", scores, [0.9, 0.9])
    assert verdict.right and "0.650" in verdict.text and "0.900" in verdict.text
    assert check.least_harm("log", scores, [0.9, 0.9]).right is False


def test_the_pair_helped_most_is_found_by_measuring():
    labels, changes = ["a", "b", "c"], np.array([0.5, 0.1, -0.2])
    assert check.helped_most("b", labels, changes, 0).right
    assert check.helped_most("c", labels, changes, 0).right is False
    assert check.helped_most("a", labels, changes, 0).right is None  # not one of the others


def test_a_matrix_is_drawn_with_a_number_in_each_cell_and_panels_with_one_legend():
    figure = check.matrix(np.array([[1.0, -0.5], [0.25, 1.0]]), ["a", "$b"], "title", "to", "from", "cosine")
    assert {text.get_text() for text in figure.axes[0].texts} == {"1.00", "-0.50", "0.25"}
    series = {name: {"θ̃: whole": [(0, 1.0), (2, [2.0, 3.0])], "without": [(0, 1.0), (2, 0.0)]} for name in "abcd"}
    figure = check.panels(series, "step $t$", "nats", "title")
    assert len(figure.legends) == 1 and len(figure.axes) == 6 and figure._repr_png_()
