"""The checks of notebook 09: the shop's weights, Pr(answer | enquiry), five wrong objectives, the math tutor."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from minisft import data, model, train
from minisft.config import ModelConfig, TrainConfig
from minisft.course import three_tutors as check
from minisft.course.three_tutors import math_tutor

from .solutions import solution

SEEDS = [None, *range(5)]
NAME = "09_three_tutors"
each_seed = pytest.mark.parametrize("seed", SEEDS)


def stub(*arguments):
    raise NotImplementedError


# --- the weights of the shop -----------------------------------------------------------------------------------------


@each_seed
def test_the_weights_of_the_solution_are_right(seed):
    assert check.weights(solution(NAME, "weights")["weights"], seed).right is True


def test_weights_written_with_loops_are_right():
    def loops(is_y, starts):
        w = np.zeros(len(is_y))
        for first, last in pairwise(starts):
            for i in range(first, last):
                w[i] = 1 / (len(starts) - 1) if is_y[i] else 0
        return w

    assert check.weights(loops).right is True


def joint(is_y, starts):
    return np.full(len(is_y), 1 / (len(starts) - 1))


def questions(is_y, starts):
    return np.where(is_y, 0.0, 1.0) / (len(starts) - 1)


def token_mean(is_y, starts):
    return is_y.astype(float) / is_y.sum()


def over_all_rows(is_y, starts):
    return is_y.astype(float) / starts[-1]


def one_too_many(is_y, starts):
    return is_y / len(starts)


def sequence_mean(is_y, starts):
    w = np.zeros(len(is_y))
    for first, last in pairwise(starts):
        w[first:last] = is_y[first:last] / is_y[first:last].sum() / (len(starts) - 1)
    return w


def no_end_token(is_y, starts):
    w = is_y.astype(float)
    for i in range(len(w) - 1):
        if is_y[i] and not is_y[i + 1]:
            w[i] = 0
    return w / (len(starts) - 1)


def shifted_again(is_y, starts):
    return np.concatenate([is_y[1:], [False]]) / (len(starts) - 1)


def the_sum(is_y, starts):
    return np.array(is_y, float)


def minimised(is_y, starts):
    return -1 * is_y / (len(starts) - 1)


@pytest.mark.parametrize(
    "answer, words",
    [
        (joint, "joint objective"),
        (questions, "0 on y"),
        (token_mean, "token_mean"),
        (over_all_rows, "number of all rows"),
        (one_too_many, "one entry more"),
        (sequence_mean, "own number of tokens"),
        (no_end_token, "never learns to stop"),
        (shifted_again, "shifted once more"),
        (the_sum, "not divided by their number"),
        (minimised, "sign is turned"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_wrong_weights_are_named(answer, words, seed):
    verdict = check.weights(answer, seed)
    assert verdict.right is False and words in verdict.text


@pytest.mark.parametrize("result", ["w", (np.ones(3), 0), {"w": 1}])
def test_what_is_no_array_of_numbers_is_called_so(result):
    assert "numbers are wanted" in check.weights(lambda is_y, starts: result).text


@pytest.mark.parametrize("answer", [stub, lambda is_y, starts: ...])
def test_weights_not_written_yet_are_no_mistake(answer):
    assert check.weights(answer).right is None and check.probabilities(stub).right is None


# --- Pr(answer | enquiry) --------------------------------------------------------------------------------------------


@each_seed
def test_the_probabilities_of_the_solution_are_right(seed):
    assert check.probabilities(solution(NAME, "probabilities")["probabilities"], seed).right is True


def test_probabilities_multiplied_one_by_one_are_right():
    def multiplied(log_probs, masks):
        result = []
        for values, mask in zip(log_probs, masks):
            p = 1.0
            for i, value in enumerate(values):
                p *= np.exp(value) if mask[i + 1] else 1.0
            result.append(p)
        return result

    assert check.probabilities(multiplied).right is True


def logs(log_probs, masks):
    return np.array([v[m[1:]].sum() for v, m in zip(log_probs, masks)])


def without_end(log_probs, masks):
    return np.exp([v[m[1:]][:-1].sum() for v, m in zip(log_probs, masks)])


def with_prompt(log_probs, masks):
    return np.exp([v.sum() for v in log_probs])


def by_length(log_probs, masks):
    return np.exp([v[m[1:]].sum() / m.sum() for v, m in zip(log_probs, masks)])


def softmax(log_probs, masks):
    e = np.exp(logs(log_probs, masks))
    return e / e.sum()


def not_shifted(log_probs, masks):
    return np.exp([v[m[:-1]].sum() for v, m in zip(log_probs, masks)])


def sums_of_probabilities(log_probs, masks):
    return np.array([np.exp(v)[m[1:]].sum() for v, m in zip(log_probs, masks)])


def softmax_by_length(log_probs, masks):
    e = by_length(log_probs, masks)
    return e / e.sum()


@pytest.mark.parametrize(
    "answer, words",
    [
        (logs, "exp is missing"),
        (without_end, "end token is left out"),
        (with_prompt, "prompt is in the sum"),
        (by_length, "divided by the number of tokens"),
        (softmax, "sum to 1 over the candidates"),
        (not_shifted, "aligned with the inputs"),
        (sums_of_probabilities, "are added"),
        (softmax_by_length, "softmax over the means"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_wrong_probabilities_are_named(answer, words, seed):
    verdict = check.probabilities(answer, seed)
    assert verdict.right is False and words in verdict.text


# --- five wrong objectives -------------------------------------------------------------------------------------------

NAMES = ("pair_of", "term", "counted", "loss_of", "mean")


def repaired(seed=None, **changed):
    answers = solution(NAME, "repaired") | changed
    return check.repaired(*(answers[name] for name in NAMES), seed=seed)


@each_seed
def test_the_five_repaired_functions_are_right(seed):
    assert repaired(seed).right is True


def flawed():
    """The five lines as the notebook prints them."""
    return {
        "pair_of": lambda question, answer: {"prompt": answer, "completion": question},
        "term": lambda log_prob_y: np.exp(log_prob_y.sum()),
        "counted": lambda is_y: 1.0 * ~is_y,
        "loss_of": lambda terms: terms.mean(),
        "mean": lambda slices: np.mean([terms.mean() for terms in slices]),
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_each_flaw_left_in_is_named_and_no_other(name, seed):
    verdict = repaired(seed, **{name: flawed()[name]})
    assert verdict.right is False and f"`{name}`: still" in verdict.text
    assert not any(f"`{other}`" in verdict.text for other in NAMES if other != name)


def test_all_five_flaws_left_in_are_named():
    assert repaired(0, **flawed()).text.count(": still") == 5


@pytest.mark.parametrize(
    "name, answer, words",
    [
        ("pair_of", lambda q, a: {"prompt": q, "completion": q + a}, "would be predicted too"),
        ("pair_of", lambda q, a: {"prompt": "", "completion": q + a}, "log Pr(x, y)"),
        ("pair_of", lambda q, a: {"prompt": q.strip(), "completion": a.strip()}, "stripped"),
        ("pair_of", lambda q, a: (q, a), "`pair_of`"),
        ("pair_of", lambda q, a: {"question": q, "answer": a}, "`pair_of`"),
        ("term", lambda v: v.mean(), "their sum"),
        ("term", lambda v: np.sum(np.exp(v)), "are added"),
        ("term", lambda v: v[:-1].sum(), "end token"),
        ("term", lambda v: v, "shape"),
        ("counted", lambda m: np.ones(len(m)), "x counts too"),
        ("counted", lambda m: m / m.sum(), "number of tokens"),
        ("counted", lambda m: -1.0 * m, "sign is turned"),
        ("loss_of", lambda v: -v.sum(), "the mean is wanted"),
        ("loss_of", lambda v: -np.log(-v).mean(), "`loss_of`"),
        ("loss_of", lambda v: -np.exp(v).mean(), "exp of the terms"),
        ("mean", lambda p: sum(v.sum() for v in p) / len(p), "number of slices"),
        ("mean", lambda p: sum(v.mean() for v in p), "are added"),
        ("mean", lambda p: sum(v.sum() for v in p), "divided by nothing"),
        ("mean", lambda p: sum(v.sum() for v in p) / (len(p) * len(p[0])), "size of the first"),
        ("mean", lambda p: np.mean(p), "`mean`"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_other_ways_to_repair_wrongly_are_named(name, answer, words, seed):
    verdict = repaired(seed, **{name: answer})
    assert verdict.right is False and words in verdict.text


def test_what_is_not_written_yet_is_listed_unless_something_is_wrong():
    assert repaired(**dict.fromkeys(NAMES, stub)) == (None, f"not written yet: {', '.join(NAMES)}")
    assert repaired(mean=stub) == (None, "not written yet: mean")
    assert repaired(mean=stub, loss_of=np.mean).right is False


# --- the math tutor --------------------------------------------------------------------------------------------------


def tutor():
    return solution(NAME, "tutor")


@each_seed
def test_the_tutor_of_the_solution_is_right(seed):
    assert math_tutor.tutor(tutor()["example"], tutor()["J"], seed).right is True


def test_other_words_and_steps_back_are_right_too():
    def example(who, things, has, gives):
        steps = " = ".join(f"{has - i} - {gives - i}" for i in range(gives + 1))
        return {
            "prompt": problem(who, things, has, gives),
            "completion": f"So: {steps} = {has - gives}. {has - gives}!",
        }

    assert math_tutor.tutor(example, tutor()["J"]).right is True


def test_a_tutor_not_written_yet_is_no_mistake():
    assert math_tutor.tutor(stub, stub).right is None
    assert math_tutor.tutor(tutor()["example"], stub).right is None


def problem(who, things, has, gives):
    return f"{who} has {has} {things} and gives {gives} away. How many {things} does {who} have now?\n"


def steps(has, gives):
    return " = ".join([*(f"{has - i} - {gives - i}" for i in range(gives)), str(has - gives)])


def made(x, y):
    """An example whose x and y are made from (problem, steps, result, has, gives)."""

    def example(who, things, has, gives):
        parts = (problem(who, things, has, gives), steps(has, gives), has - gives, has, gives)
        return {"prompt": x(*parts), "completion": y(*parts)}

    return example


def posed(x, *rest):
    return x


def answered(x, s, r, *rest):
    return f"{s}, so the answer is {r}."


@pytest.mark.parametrize(
    "example, words",
    [
        (made(answered, posed), "swapped"),
        (made(lambda x, s, *rest: x + s, lambda x, s, r, *rest: f" so it is {r}."), "the steps stand in x"),
        (made(posed, lambda x, s, r, a, b: f"{a} - {b}, so the answer is known."), "result is missing"),
        (made(posed, lambda x, s, r, *rest: f"The answer is {r}."), "without a step"),
        (made(posed, lambda x, s, r, a, b: f"{a} - {b} = {r}, so the answer is {r}."), "one step only"),
        (made(posed, lambda x, s, r, a, b: f"{a} - {b} = {r} - 0 = {r}."), "one step only"),
        (made(posed, lambda x, s, r, *rest: answered(x, s, r) + "<|endoftext|>"), "end token is written as text"),
        (made(posed, lambda x, s, r, *rest: x + answered(x, s, r)), "the problem stands in y as well"),
        (made(posed, lambda x, s, r, a, b: f"{a} - {b} = {a} - {b - 1} = {r}."), "a step is false"),
        (made(posed, lambda x, s, r, a, b: f"{s}, so {b} of them were given away."), "must end with the result"),
        (made(lambda x, *rest: "How many are left?\n", answered), "does not state the problem"),
        (made(lambda x, s, r, *rest: x + f"Hint: {r + 90}\n", answered), "more than the problem"),
        (made(lambda x, s, r, a, b: f"What is {a} minus {b}?\n", answered), "does not tell the story"),
        (made(posed, lambda x, s, r, a, b: f"{steps(a + 1, b + 1)}: {r}"), "do not begin with the problem"),
        (made(posed, lambda *rest: "I do not know."), "no number"),
        (made(posed, lambda x, s, r, *rest: f"{r}, since {s}."), "before the steps"),
        (made(posed, lambda x, s, r, *rest: answered(x, s.replace("-", "−"), r)), "another character"),
        (lambda who, things, has, gives: (problem(who, things, has, gives), steps(has, gives)), "a pair is"),
        (lambda who, things, has, gives: {"messages": []}, "a pair is"),
        (
            lambda *story: {"prompt": "Emma has 9 cups and gives 4 away.", "completion": "9 - 4 = 8 - 3 = 5."},
            "`example`",
        ),
        (lambda who, things, has: None, "TypeError"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_wrong_pairs_are_named(example, words, seed):
    verdict = math_tutor.tutor(example, tutor()["J"], seed)
    assert verdict.right is False and words in verdict.text


@pytest.mark.parametrize(
    "J, words",
    [
        (lambda x, y: x.sum() + y.sum(), "joint"),
        (lambda x, y: x.sum(), "trains the problems"),
        (lambda x, y: y.mean(), "their sum"),
        (lambda x, y: np.exp(y.sum()), "not its logarithm"),
        (lambda x, y: -y.sum(), "sign is turned"),
        (lambda x, y: y[:-1].sum(), "never learns to stop"),
        (lambda x, y: y[-1], "only the last token"),
        (lambda x, y: y, "shape"),
        (lambda x, y: 0.5 * x.sum() + y.sum(), "is right"),
        (lambda x, y: y.sum() / 2, "is right"),
    ],
)
def test_wrong_objectives_of_the_tutor_are_named(J, words):
    verdict = math_tutor.tutor(tutor()["example"], J)
    assert verdict.right is False and "`J`" in verdict.text and words in verdict.text


def test_the_target_is_tried_once_the_tutor_is_right():
    ready = math_tutor.tutor(tutor()["example"], tutor()["J"])
    assert math_tutor.target(ready, lambda: 0.8, 0.6).right is True
    assert math_tutor.target(ready, lambda: 0.5, 0.6).right is False
    assert math_tutor.target(math_tutor.tutor(stub, stub), pytest.fail, 0.6).right is None


def test_the_value_of_a_side_and_a_false_step():
    assert [math_tutor.value(side) for side in ("7", "7 - 3", "12 + 3", "9-4")] == [7, 4, 15, 5]
    assert math_tutor.wrong_step("7 - 2 = 6 - 1 = 5, so 5.") == ""
    assert math_tutor.wrong_step("7 - 2 = 6 - 2 = 5.") == "7 - 2 = 6 - 2"
    assert math_tutor.right_result("so the answer is 12.", 12) and not math_tutor.right_result("none", 12)


# --- quizzes and the loop --------------------------------------------------------------------------------------------


def test_the_best_is_found_by_its_mean_and_overlapping_seeds_are_told():
    scores = {"a": [0.5, 0.6, 0.7], "b": [0.1, 0.2, 0.3]}
    assert check.best("a", scores, "").right is True and "beats the best" in check.best("a", scores, "").text
    assert check.best("b", scores, "").right is False and check.best(None, scores, "").right is None
    assert "overlap" in check.best("a", {"a": [0.2, 0.9, 0.9], "b": [0.3, 0.3, 0.3]}, "").text


@pytest.mark.parametrize("share, outcome", [(0.1, "below 40 %"), (0.6, "40 to 80 %"), (0.9, "above 80 %")])
def test_a_band_holds_the_mean(share, outcome):
    assert check.band(outcome, [share - 0.05, share, share + 0.05], "").right is True


@pytest.mark.parametrize(
    "shares, outcome",
    [
        ([0.31, 0.19, 0.1], "the shares of the data"),
        ([0.2, 0.21, 0.2], "equal shares"),
        ([0.9, 0.01, 0.01], "all on the most frequent answer"),
    ],
)
def test_the_nearest_shares_do_not_depend_on_what_is_lost_to_other_texts(shares, outcome):
    frequency = np.array([3, 2, 1]) / 6
    assert check.nearest_shares(outcome, [np.array(shares)], [frequency]).right is True
    assert check.nearest_shares(outcome, [np.array(shares) / 10], [frequency]).right is True


@pytest.mark.parametrize("falls, outcome", [(0, "none"), (1, "one or two"), (2, "one or two"), (3, "three or four")])
def test_falling_losses_are_counted(falls, outcome):
    own = {str(i): (2.0, 1.0 if i < falls else 2.0) for i in range(4)}
    assert check.falling(outcome, own).right is True and f"{falls} of 4" in check.falling(outcome, own).text


def test_by_weights_with_the_weights_of_the_batch_is_finetune():
    config = ModelConfig(11, 8, 12, 2, 2, 1)
    rng = np.random.default_rng(0)
    theta_hat = model.init(config, rng, np.float64)
    lengths = [5, 7, 6, 9, 4]
    sequences = [data.Sequence(rng.integers(0, 11, n), np.arange(n) >= 2, "") for n in lengths]
    settings = TrainConfig(learning_rate=1e-2, max_steps=5, batch_size=2, loss_reduction="sum", max_grad_norm=0.0)
    (*_, usual) = train.finetune(theta_hat, config, sequences, settings)
    (*_, same) = check.by_weights(theta_hat, config, sequences, settings, lambda theta, batch: batch.weights)
    assert np.array_equal(usual.theta.flat, same.theta.flat) and same.step == 5
    (*_, other) = check.by_weights(theta_hat, config, sequences, settings, lambda theta, batch: -batch.weights)
    assert other.metrics["loss"] < 0 < same.metrics["loss"]
    ones = replace(settings, prompt_loss_weight=1.0)
    (*_, joint) = train.finetune(theta_hat, config, sequences, ones)
    (*_, all_rows) = check.by_weights(
        theta_hat, config, sequences, settings, lambda theta, batch: np.ones(len(batch.ids))
    )
    assert np.array_equal(joint.theta.flat, all_rows.theta.flat)
