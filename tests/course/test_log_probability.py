"""The checks of notebook 01: the solutions pass, and each mistake is told by its name."""

import math

import numpy as np
import pytest

from course.solutions import solution
from minisft import plots
from minisft.course import log_probability as check

NOTEBOOK = "01_log_probability"
EXERCISES = {name: getattr(check, name) for name in ("log_pr", "perplexity", "answers", "draw")}


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


def wrong(check, answer, words):
    for seed in (0, 1):
        verdict = check(answer, seed)
        assert verdict.right is False and words in verdict.text, verdict


# --- log Pr(y|x)


def softmax(z, axis=-1):
    e = np.exp(z)
    return e / e.sum(axis=axis, keepdims=True)


def no_shift(logits, ids, is_y):
    pi = softmax(logits)
    return sum(np.log(pi[i, ids[i]]) for i in range(len(ids)) if is_y[i])


def half_a_shift(logits, ids, is_y):
    pi = softmax(logits)
    return sum(np.log(pi[i, ids[i]]) for i in range(len(ids) - 1) if is_y[i + 1])


def double_shift(logits, ids, is_y):
    pi = softmax(logits[:-1])
    ids, is_y = ids[1:], is_y[1:]
    return sum(np.log(pi[i, ids[i + 1]]) for i in range(len(ids) - 1) if is_y[i + 1])


def mask_of_inputs(logits, ids, is_y):
    pi = softmax(logits[:-1])
    return np.log(pi[np.arange(len(pi)), ids[1:]])[is_y[:-1]].sum()


def with_the_prompt(logits, ids, is_y):
    pi = softmax(logits[:-1])
    return np.log(pi[np.arange(len(pi)), ids[1:]]).sum()


def of_y(logits, ids, is_y, axis=-1):
    pi = softmax(logits, axis)[:-1]
    return pi[np.arange(len(pi)), ids[1:]][is_y[1:]]


def bare_logits(logits, ids, is_y):
    return logits[:-1][np.arange(len(ids) - 1), ids[1:]][is_y[1:]].sum()


def greedy(logits, ids, is_y):
    return np.log(softmax(logits)[:-1].max(-1))[is_y[1:]].sum()


LOG_PR = [
    (no_shift, "no shift: row i"),
    (half_a_shift, "no shift of the tokens"),
    (double_shift, "a double shift"),
    (mask_of_inputs, "the mask is aligned with the inputs, not the targets"),
    (with_the_prompt, "the prompt is in the sum"),
    (lambda *a: np.log(of_y(*a)).mean(), "the mean over the tokens"),
    (lambda *a: np.log(of_y(*a, axis=0)).sum(), "runs over the positions"),
    (lambda *a: np.log(of_y(*a, axis=None)).sum(), "the whole matrix"),
    (lambda *a: of_y(*a).prod(), "its logarithm is wanted"),
    (lambda *a: of_y(*a).sum(), "the probabilities are added"),
    (lambda *a: np.log(of_y(*a))[:-1].sum(), "the end token is left out"),
    (lambda *a: np.log(of_y(*a))[1:].sum(), "the first token of y is left out"),
    (lambda *a: np.log2(of_y(*a)).sum(), "base 2"),
    (lambda *a: np.log10(of_y(*a)).sum(), "base 10"),
    (lambda *a: -np.log(of_y(*a)).sum(), "the sign is turned"),
    (bare_logits, "without a softmax"),
    (greedy, "the likeliest tokens"),
    (lambda *a: np.log(of_y(*a)), "the shape is"),
    (lambda *a: np.log(of_y(*a)).sum() - 1, "is right"),
    (lambda logits, ids, is_y: np.log(softmax(logits)[is_y, ids[is_y]]).max(), "is right"),
    (lambda logits, ids, is_y: logits[ids], "it stops with IndexError|the shape is"),
    (lambda logits, ids, is_y: float("nan"), "nan where"),
    (lambda *a: np.log(of_y(*a)).sum() if a[2][-1] == 0 else 0.0, "wrong where y ends the sequence"),
    (lambda *a: np.log(of_y(*a)).sum(), "exp overflows"),
]


@pytest.mark.parametrize("answer, words", LOG_PR, ids=[words for _, words in LOG_PR])
def test_a_wrong_log_probability_is_told_what_it_is(answer, words):
    for seed in (0, 1):
        verdict = check.log_pr(answer, seed)
        assert verdict.right is False and any(part in verdict.text for part in words.split("|")), verdict


def test_an_answer_that_turns_the_logits_into_probabilities_in_place_is_refused():
    def in_place(logits, ids, is_y):
        logits -= logits.max(-1, keepdims=True)
        return solution(NOTEBOOK, "log_pr")["log_pr"](logits, ids, is_y)

    wrong(check.log_pr, in_place, "changes its argument number 1")


# --- perplexity


PERPLEXITY = [
    (lambda v, y: np.exp(-v[y[1:]].sum()), "not divided"),
    (lambda v, y: np.exp(v[y[1:]].mean()), "the minus is missing"),
    (lambda v, y: np.exp(-v.mean()), "all tokens; only those of y"),
    (lambda v, y: np.exp(-v[y[1:]].sum() / len(v)), "divided by the number of all tokens"),
    (lambda v, y: np.exp(-v[y[:-1]].mean()), "aligned with the inputs"),
    (lambda v, y: -v[y[1:]].mean(), "exp is missing"),
    (lambda v, y: 2 ** -v[y[1:]].mean(), "the base is e"),
    (lambda v, y: (1 / np.exp(v[y[1:]])).mean(), "the mean of 1/Pr"),
    (lambda v, y: 1 / np.exp(v[y[1:]]).mean(), "one over the mean probability"),
    (lambda v, y: np.exp(-np.median(v[y[1:]])), "is right"),
    (lambda v, y: np.exp(-v[y].mean()), "IndexError"),
    (lambda v, y: np.exp(-v[y[1:]]), "the shape is"),
]


@pytest.mark.parametrize("answer, words", PERPLEXITY, ids=[words for _, words in PERPLEXITY])
def test_a_wrong_perplexity_is_told_what_it_is(answer, words):
    wrong(check.perplexity, answer, words)


# --- all answers


def by_recursion(next_pr, length, y=(), pr=1.0, see=True, end=True, beyond=False):
    """All answers, depth first; the options are ways to get it wrong."""
    if length == 0:
        return {}, pr
    ended, rest = {}, 0.0
    for token, p in enumerate(next_pr(y if see else ())):
        if token == 0:
            ended[(*y, 0)] = pr * (p if end else 1)
        if token != 0 or beyond:
            below, left = by_recursion(next_pr, length - 1, (*y, token), pr * p, see, end, beyond)
            ended, rest = ended | below, rest + left
    return ended, rest


def over(change, **options):
    return lambda next_pr, length: change(*by_recursion(next_pr, length, **options))


ANSWERS = [
    (lambda f, n: by_recursion(f, n, end=False), "missing from the product"),
    (lambda f, n: by_recursion(f, n, beyond=True), "goes on behind the end token"),
    (lambda f, n: by_recursion(f, n, see=False), "not always ()"),
    (lambda f, n: by_recursion(f, n - 1), "answers of `length` tokens are missing"),
    (lambda f, n: by_recursion(f, n + 1), "answers are too long"),
    (over(lambda ended, rest: (ended, sum(ended.values()))), "not the sum of those that have ended"),
    (over(lambda ended, rest: (ended, 0)), "mass of the unfinished is missing"),
    (over(lambda ended, rest: ({y: p / sum(ended.values()) for y, p in ended.items()}, rest)), "made to sum to 1"),
    (over(lambda ended, rest: ({y: math.log(p) for y, p in ended.items()}, rest)), "these are logarithms"),
    (
        over(lambda ended, rest: ({y[:-1]: p for y, p in ended.items()}, rest)),
        "missing from the answers",
    ),
    (over(lambda ended, rest: ({y: p for y, p in ended.items() if y != (0,)}, rest)), "the shortest answer is missing"),
    (over(lambda ended, rest: ended), "return two things"),
    (over(lambda ended, rest: (list(ended), rest)), "return two things"),
    (over(lambda ended, rest: ({y: p**2 for y, p in ended.items()}, rest)), "all together sum to"),
    (over(lambda ended, rest: (ended, rest / 2)), "the mass of the unfinished is"),
    (over(lambda ended, rest: ({y: ended[y] for y in list(ended)[2:]}, rest)), "is missing"),
    (over(lambda ended, rest: ({**ended, "y": 0.1}, rest)), "is no answer"),
]


@pytest.mark.parametrize("answer, words", ANSWERS, ids=[words for _, words in ANSWERS])
def test_a_wrong_list_of_all_answers_is_told_what_it_is(answer, words):
    wrong(check.answers, answer, words)


def test_another_way_to_list_them_is_as_right():
    assert check.answers(by_recursion, 0).right


# --- drawing


def drawing(pick, beyond=False, cut=0):
    def draw(next_pr, rng, length):
        y = []
        while len(y) < length - cut and (beyond or 0 not in y):
            y.append(pick(next_pr, y, rng))
        return y

    return draw


def chance(pi, rng):
    return int(rng.choice(len(pi), p=pi / pi.sum()))


DRAWS = [
    (drawing(lambda f, y, rng: int(f(y).argmax())), "greedy decoding"),
    (drawing(lambda f, y, rng: int(rng.integers(3))), "equally often"),
    (drawing(lambda f, y, rng: chance(f(()), rng)), "as if it were the first"),
    (drawing(lambda f, y, rng: chance(f(y), rng), beyond=True), "goes on behind the end token"),
    (drawing(lambda f, y, rng: chance(f(y) ** 2, rng)), "too often, as if π were squared"),
    (drawing(lambda f, y, rng: chance(f(y) ** 0.5, rng)), "a temperature of 2"),
    (drawing(lambda f, y, rng: chance(f(y), np.random.default_rng(0))), "do not make a new one|greedy"),
    (
        lambda f, rng, n: [t for t in drawing(lambda f, y, rng: chance(f(y), rng))(f, rng, n) if t],
        "end token is missing",
    ),
    (drawing(lambda f, y, rng: chance(f(y), rng), cut=1), "the longest draw has 2 tokens"),
    (drawing(lambda f, y, rng: chance(f(y)[::-1], rng)), "its probability is"),
    (lambda f, rng, n: 1, "return the list"),
    (lambda f, rng, n: "word", "return the list"),
]


@pytest.mark.parametrize("answer, words", DRAWS, ids=[words for _, words in DRAWS])
def test_a_wrong_draw_is_told_what_it_is(answer, words):
    verdict = check.draw(answer, 0)
    assert verdict.right is False and any(part in verdict.text for part in words.split("|")), verdict


# --- quizzes and pictures


def test_the_least_expected_token_is_found_by_measuring():
    verdict = check.hardest("the last", ["The", " end"], np.array([-1.0, -9.0]))
    assert verdict.right and "' end'" in verdict.text and "90%" in verdict.text
    assert check.hardest("the last", ["The", " end"], np.array([-9.0, -1.0])).right is False
    assert check.hardest("one in the middle", ["a", "b", "c"], np.array([-1.0, -9.0, 0.0])).right


def test_how_far_a_replaced_token_reaches_is_found_by_measuring():
    before = np.zeros(4)
    for changed, option in (([1], "its own row only"), ([1, 3], "its own row and later ones"), ([0, 1], "all rows")):
        after = before.copy()
        after[changed] = 1
        assert check.reach(option, before, after, 1).right
    assert check.reach("no row", before, before, 1).right and check.reach(None, before, before, 1).right is None


def test_the_number_of_tokens_until_underflow_is_put_into_the_nearest_class():
    assert check.underflow("about 20", 17).right and check.underflow("about 1000", 17).right is False


def test_pictures_of_tokens_and_of_groups_have_a_bar_for_each():
    figure = plots.token_bars(np.array([-1.0, -2.0, -3.0]), ["a", "b ", "\n"], np.array([False, True, True]), "title")
    assert len(figure.axes[0].patches) == 3
    figure = plots.grouped_bars({"θ̂": [0.1, 0.2], "other": [[0.1, 0.3], [0.5, 0.5]]}, ["a", "$b"], "title", "share")
    assert len(figure.axes[0].patches) == 4 and figure._repr_png_()[0]


def test_all_answers_of_the_tiny_model_and_its_unfinished_strings_have_probability_1():
    theta, N = check.tiny_theta(5), 3
    outcomes = check.all_answers(N) + check.strings(N)
    assert len(set(outcomes)) == len(outcomes) == 1 + 3 + 9 + 27
    assert abs(check.pr(theta, [1, 2], outcomes).sum() - 1) < 1e-12
    assert [check.shown(y) for y in ((1, 0), (2, 3))] == ["1 end", "2 3 …"]
