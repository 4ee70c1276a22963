"""The checks of notebook 08: the solutions pass, each mistake is told by its name, and a run is what it says."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from minisft import data, model, objective, train
from minisft.config import TrainConfig
from minisft.course import conditional_versus_joint as check
from minisft.course.conditional_versus_joint import experiment, outcomes, worlds
from minisft.course.conditional_versus_joint.experiment import Run, follow, last_token, weighted

from .solutions import solution

NOTEBOOK = "08_conditional_versus_joint"
HIGH, LOW = [0.7, 0.8, 0.75], [0.1, 0.2, 0.1]
MEASURED = [
    ("atlas", 1.6, False, {"conditional": HIGH, "joint": LOW}),
    ("idle", 2.6, False, {"conditional": HIGH, "joint": LOW}),
    ("open", 2.6, False, {"conditional": HIGH, "joint": [0.3, 0.9, 0.2]}),  # not decided
    ("closed", 2.6, True, {"conditional": [0, 0, 0], "joint": HIGH}),
]
EXERCISES = {
    "two_gradients": check.two_gradients,
    "completion_share": check.completion_share,
    "weigh": check.weigh,
    "predict_winner": lambda answer, seed=None: check.predict_winner(answer, MEASURED, seed),
    "my_objective": check.my_objective,
}


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


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("answer", [lambda *a: "so", lambda *a: None, lambda *a: 1 / 0, lambda: 1, lambda *a: np.nan])
def test_nonsense_is_wrong_and_never_a_traceback(name, answer):
    assert EXERCISES[name](answer).right is False


def wrong(name, answer, words):
    for seed in (0, 1):
        verdict = EXERCISES[name](answer, seed)
        assert verdict.right is False and words in verdict.text, verdict


# --- the two gradients


def gradient(theta, config, part, weights, grad=None, dJ=1.0):
    grad, rows = theta.like() if grad is None else grad, np.flatnonzero(weights)
    logits, cache = model.forward(theta, config, part.ids, part.starts, rows)
    _, c_objective = objective.forward(logits, part.targets[rows], weights[rows])
    model.backward(theta, grad, config, cache, objective.backward(c_objective, dJ))
    return grad.flat


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def degrees(a, b):
    return np.degrees(np.arccos(cosine(a, b)))


def right_vectors(theta, config, part):
    return [gradient(theta, config, part, 1.0 * rows) for rows in (~part.mask, part.mask)]


def swapped(*a):
    x, y = right_vectors(*a)
    return y, x, degrees(x, y)


def of_the_loss(theta, config, part):
    x, y = (gradient(theta, config, part, 1.0 * rows, dJ=-1.0) for rows in (~part.mask, part.mask))
    return x, y, degrees(x, y)


def one_buffer(theta, config, part):
    grad = theta.like()
    x = gradient(theta, config, part, 1.0 * ~part.mask, grad).copy()
    y = gradient(theta, config, part, 1.0 * part.mask, grad)
    return x, y, degrees(x, y)


def one_buffer_uncopied(theta, config, part):
    grad = theta.like()
    x, y = (gradient(theta, config, part, 1.0 * rows, grad) for rows in (~part.mask, part.mask))
    return x, y, degrees(x, y)


def one_buffer_zeroed(theta, config, part):
    grad = theta.like()
    x = gradient(theta, config, part, 1.0 * ~part.mask, grad)
    grad.flat[:] = 0
    y = gradient(theta, config, part, 1.0 * part.mask, grad)
    return x, y, degrees(x, y)


def joint_for_x(theta, config, part):
    x, y = gradient(theta, config, part, part.weights), gradient(theta, config, part, 1.0 * part.mask)
    return x, y, degrees(x, y)


def as_means(*a):
    x, y = right_vectors(*a)
    return x / (~a[2].mask).sum(), y / a[2].mask.sum(), degrees(x, y)


def over_all_rows(*a):
    x, y = right_vectors(*a)
    return x / len(a[2].ids), y / len(a[2].ids), degrees(x, y)


def shifted_mask(theta, config, part):
    mask = np.r_[False, part.mask[:-1]]
    x, y = (gradient(theta, config, part, 1.0 * rows) for rows in (~mask, mask))
    return x, y, degrees(x, y)


def angled(form):
    def answer(*a):
        x, y = right_vectors(*a)
        return x, y, form(x, y)

    return answer


@pytest.mark.parametrize(
    "answer, words",
    [
        (swapped, "swapped"),
        (of_the_loss, "sign is that of the loss"),
        (one_buffer, "second still holds the first"),
        (one_buffer_uncopied, "one buffer, which holds the sum"),
        (one_buffer_zeroed, "one buffer, which holds ∇ log Pr(y|x)"),
        (joint_for_x, "the first is ∇ log Pr(x, y)"),
        (as_means, "number of its rows"),
        (over_all_rows, "number of all rows"),
        (shifted_mask, "aligned with the inputs"),
        (lambda *a: right_vectors(*a), "three things"),
        (lambda theta, config, part: (theta.named["model.norm.weight"], theta.flat, 90.0), "one vector, grad.flat"),
        (angled(lambda x, y: np.arccos(cosine(x, y))), "radians"),
        (angled(cosine), "cosine"),
        (angled(lambda x, y: x @ y), "dot product"),
        (angled(lambda x, y: degrees(x + y, y)), "between ∇ log Pr(x, y) and ∇ log Pr(y|x)"),
        (angled(lambda x, y: 90.0), "the angle is"),
        (angled(lambda x, y: None), "the angle is"),
        (angled(lambda x, y: "90"), "the angle is"),
        (lambda *a: (*[g**2 for g in right_vectors(*a)], 90.0), "off by"),
    ],
)
def test_a_mistake_in_the_two_gradients_is_named(answer, words):
    wrong("two_gradients", answer, words)


# --- the share of y


def sums(masks, first=1):
    return sum((~m[first:]).sum() for m in masks), sum(m[first:].sum() for m in masks)


def with_first_token(masks, lam):
    n_x, n_y = sums(masks, 0)
    return n_y / (lam * n_x + n_y)


def share_of_x(masks, lam):
    n_x, n_y = sums(masks)
    return lam * n_x / (lam * n_x + n_y)


def quotient(masks, lam):
    n_x, n_y = sums(masks)
    return n_y / n_x


def without_lambda(masks, lam):
    n_x, n_y = sums(masks)
    return n_y / (n_x + n_y)


def lambda_on_y(masks, lam):
    n_x, n_y = sums(masks)
    return lam * n_y / (n_x + lam * n_y)


def mean_of_shares(masks, lam):
    return np.mean([m[1:].sum() / (lam * (~m[1:]).sum() + m[1:].sum()) for m in masks])


@pytest.mark.parametrize(
    "answer, words",
    [
        (with_first_token, "first token"),
        (share_of_x, "share of x"),
        (quotient, "N_y / N_x"),
        (without_lambda, "λ is missing"),
        (lambda_on_y, "applied to y"),
        (mean_of_shares, "mean of the shares"),
        (lambda masks, lam: 1.0, "is right"),
        (lambda masks, lam: [0.5], "shape"),
    ],
)
def test_a_mistake_in_the_share_is_named(answer, words):
    wrong("completion_share", answer, words)


# --- the weights


def weights(mask, starts, lam, reduction, m=None):
    return data.weights(np.where(mask, 1.0, lam) if m is None else m, starts, reduction)


def late_lambda(mask, starts, lam, reduction):
    w = data.weights(np.ones(len(mask)), starts, reduction)
    return np.where(mask, w, lam * w)


def late_lambda_over_y(mask, starts, lam, reduction):
    if reduction == "sum":
        return np.where(mask, 1.0, lam)
    if reduction == "token_mean":
        return np.where(mask, 1.0, lam) / mask.sum()
    result = []
    for a, b in pairwise(starts):
        result.append(np.where(mask[a:b], 1.0, lam) / (mask[a:b].sum() or 1))
    return np.concatenate(result) / sum(mask[a:b].any() for a, b in pairwise(starts))


def one_per_sequence(mask, starts, lam, reduction):
    w = weights(mask, starts, lam, reduction)
    if reduction != "sequence_mean":
        return w
    return np.concatenate([w[a:b] / (w[a:b].sum() or 1) for a, b in pairwise(starts)])


def all_sequences(mask, starts, lam, reduction):
    w = one_per_sequence(mask, starts, lam, reduction)
    return w / (len(starts) - 1) if reduction == "sequence_mean" else w


def late_boundary(mask, starts, lam, reduction):
    m = np.where(mask, 1.0, lam)
    for i in range(1, len(mask)):
        if mask[i] and not mask[i - 1]:
            m[i] = lam
    return weights(mask, starts, lam, reduction, m)


@pytest.mark.parametrize(
    "answer, words",
    [
        (lambda mask, *a: weights(~mask, *a), "applied to y"),
        (late_lambda, "counts all rows"),
        (late_lambda_over_y, "after normalising"),
        (late_boundary, "boundary"),
        (lambda mask, *a: weights(np.r_[False, mask[:-1]], *a), "aligned with the inputs"),
        (lambda mask, starts, lam, r: weights(mask, starts, 0.0, r), "x has weight 0"),
        (lambda mask, starts, lam, r: weights(mask, starts, 1.0, r), "x has weight 1"),
        (one_per_sequence, "number of sequences"),
        (all_sequences, "without any weight"),
        (lambda mask, starts, lam, r: weights(mask, starts, lam, "sum" if r == "sum" else "token_mean"), "token_mean"),
        (lambda mask, starts, lam, r: weights(mask, starts, lam, "sum" if r == "token_mean" else r), "not normalised"),
        (lambda mask, starts, lam, r: weights(mask, starts, lam, "token_mean" if r == "sum" else r), "formula itself"),
        (lambda mask, starts, lam, r: -weights(mask, starts, lam, r), "is right"),
        (lambda mask, starts, lam, r: weights(mask, starts, lam**2, r), "is right"),
        (lambda mask, starts, lam, r: weights(mask, starts, lam, r)[1:], "shape"),
    ],
)
def test_a_mistake_in_the_weights_is_named(answer, words):
    wrong("weigh", answer, words)


# --- the winner


@pytest.mark.parametrize(
    "rule, words",
    [
        (lambda ratio, only_in_x: "conditional", "whatever is asked"),
        (lambda ratio, only_in_x: "joint", "whatever is asked"),
        (lambda ratio, only_in_x: "joint" if ratio > 2 else "conditional", "ratio alone"),
        (lambda ratio, only_in_x: "joint" if ratio < 2 else "conditional", "ratio alone"),
        (lambda ratio, only_in_x: "conditional" if only_in_x else "joint", "wrong way round"),
        (lambda ratio, only_in_x: "joint" if only_in_x and ratio > 5 else "conditional", "mixes the ratio in"),
        (lambda ratio, only_in_x: "joint" if only_in_x or ratio < 2 else "conditional", "mixes the ratio in"),
        (lambda ratio, only_in_x: only_in_x, "neither"),
        (lambda ratio, only_in_x: ["joint"], "neither"),
    ],
)
def test_a_rule_that_fails_is_told_why(rule, words):
    wrong("predict_winner", rule, words)


def test_what_the_seeds_do_not_decide_is_held_against_no_rule():
    assert (
        "all 3" in check.predict_winner(lambda ratio, only_in_x: "joint" if only_in_x else "conditional", MEASURED).text
    )


# --- an objective


def raises_x(mask):
    return np.where(mask, 1.0, -0.1)


@pytest.mark.parametrize(
    "rule, words",
    [
        (lambda mask: mask, "conditional objective"),
        (lambda mask: 7.0 * mask, "conditional objective"),
        (lambda mask: np.ones(len(mask)), "joint objective"),
        (weighted(0.1), "λ = 0.1"),
        (lambda mask: np.where(mask, 10.0, 3.0), "λ = 0.3"),
        (last_token, "last token"),
        (lambda mask: ~mask, "log Pr(x) alone"),
        (lambda mask: np.arange(len(mask)) == 0, "no weight on y"),
        (lambda mask: np.zeros(len(mask)), "nothing to learn"),
        (lambda mask: -1.0 * mask, "weight on y is negative"),
        (raises_x, "weight on x is negative"),
        (lambda mask: mask / 0.0, "not finite"),
        (lambda mask: 1.0, "one number for each row"),
        (lambda mask: mask[1:], "one number for each row"),
        (lambda mask: np.random.default_rng().uniform(size=len(mask)), "other weights each time"),
        (lambda mask: ["a"] * len(mask), "no array of numbers"),
    ],
)
def test_an_objective_that_cannot_be_or_is_known_is_told_so(rule, words):
    wrong("my_objective", rule, words)


@pytest.mark.parametrize(
    "rule",
    [
        weighted(0.03),
        lambda mask: np.cumsum(mask),
        lambda mask: mask + 4 * last_token(mask),
        lambda mask: mask.tolist() and np.cumsum(mask).tolist(),
    ],
)
def test_a_new_objective_is_welcome(rule):
    assert check.my_objective(rule).right


# --- quizzes


def test_the_longer_gradient_is_measured():
    assert check.pulls_harder("that of x", 10.0, 1.0).right and check.pulls_harder("that of y", 1.0, 10.0).right
    assert check.pulls_harder("that of x", 1.0, 1.1).right is False


def test_the_best_weight_is_any_that_the_seeds_do_not_tell_from_the_best():
    shares = {"λ = 0": [0.7, 0.8], "λ = 0.1": [0.75, 0.78], "λ = 1": [0.1, 0.2]}
    assert check.best_weight("λ = 0", shares).right and check.best_weight("λ = 0.1", shares).right
    assert check.best_weight("λ = 1", shares).right is False and check.best_weight(None, shares).right is None
    assert "overlap" in check.best_weight("λ = 0", shares).text


def test_the_ratio_decides_only_if_it_parts_the_winners():
    assert check.follows_the_ratio("the ratio does not decide", MEASURED).right
    parted = [
        ("short", 1.0, False, {"conditional": HIGH, "joint": LOW}),
        ("long", 5.0, False, {"conditional": LOW, "joint": HIGH}),
    ]
    assert check.follows_the_ratio("the joint wins where x is long", parted).right
    turned = [(name, 6 - ratio, flag, shares) for name, ratio, flag, shares in parted]
    assert check.follows_the_ratio("the joint wins where x is short", turned).right


def test_what_is_forgotten_least_and_what_the_last_token_teaches_is_measured():
    assert check.forgets_least("joint", {"conditional": [0.3], "joint": [0.1]}).right
    assert check.last_token_learns("to stop, not to answer", [0.0, 0.02], [0.8, 0.9]).right
    assert (
        check.last_token_learns("nothing", [0.0], [0.1]).right
        and check.last_token_learns("to answer", [1.0], [1.0]).right
    )


# --- the runs


SHORT = TrainConfig(learning_rate=3e-4, max_steps=2, batch_size=2, loss_reduction="token_mean", max_grad_norm=0.0)


@pytest.fixture(scope="module")
def few():
    return worlds.encode(worlds.world("few", 0).train)


def test_a_run_with_the_rule_of_a_lambda_is_finetune(few, monkeypatch):
    seen = []
    monkeypatch.setattr(experiment, "worth", lambda theta, run, here: seen.append(theta.flat.copy()) or {})
    follow(Run("few", 0, [weighted(0.3)(s.mask[1:]) for s in few], SHORT, (), ()))
    theta_hat, config, _ = worlds.theta_hat()
    *_, state = train.finetune(theta_hat, config, few, replace(SHORT, prompt_loss_weight=0.3))
    np.testing.assert_array_equal(seen[0], state.theta.flat)


def test_every_rule_meets_every_seed():
    rules = {"conditional": weighted(0.0), "last": last_token}
    here = experiment.compare(None, rules, "few", replace(SHORT, max_steps=1), looks=(0,), measures=())
    assert list(here) == list(rules) and [len(seeds) for seeds in here.values()] == [3, 3]
    assert [row["step"] for row in here["last"][2]] == [0, 1]
    assert here["conditional"][0][0]["angle"] != here["conditional"][1][0]["angle"]  # other pairs


def test_a_process_of_its_own_gives_what_this_one_gives(few):
    run = Run("few", 0, [last_token(s.mask[1:]) for s in few], replace(SHORT, max_steps=1), (0,), ())
    with experiment.processes(1) as pool:
        (there,) = pool.map(follow, [run])
    for ours, theirs in zip(follow(run), there):
        assert ours == pytest.approx(theirs, rel=1e-3)  # float32, and perhaps other threads


def test_the_seeds_share_no_question_and_no_invented_country():
    seeds = [worlds.world("closed book", seed) for seed in worlds.SEEDS]
    for test in ("held out", "closed book"):
        asked = [worlds.texts(e)[0] for w in seeds for e in w.tests[test]]
        assert len(asked) == len(set(asked))
    for w in seeds:
        trained = " ".join(worlds.texts(e)[0] for e in w.train)
        answers = {worlds.texts(e)[1] for e in w.train}
        for question, answer in map(worlds.texts, w.tests["closed book"]):
            name = question.rstrip("?").split(" of ")[-1]
            assert name in trained and answer not in answers  # it stands in x, and is never asked


def test_an_idle_sentence_makes_x_as_long_as_the_paragraphs_do():
    padded, book = (worlds.length_ratio(name) for name in ("padded", "closed book"))
    assert abs(padded - book) < 0.1 * book and worlds.length_ratio("atlas") < 0.7 * book


def test_two_gradients_add_up(few):
    theta_hat, _, _ = worlds.theta_hat()
    part = data.batch(few[:3], 1.0, "sum", np.float64)
    theta = theta_hat.astype(np.float64)
    joint, x, y = (experiment.gradient(theta, part, rows) for rows in (part.mask | True, ~part.mask, part.mask))
    assert np.abs(joint - x - y).max() <= 1e-12 * np.abs(joint).max()


def test_a_winner_has_its_worst_seed_above_the_best_of_all_others():
    assert outcomes.winner({"a": [3, 4], "b": [1, 2]}) == "a"
    assert outcomes.winner({"a": [3, 4], "b": [1, 3]}) == "not decided"


def test_consequences_name_what_all_seeds_agree_on():
    def ends(exact, loss):
        row = {"held out": exact, "held out, stopped": 1.0, "loss y": loss, "loss x": 1.0, "forgetting": 0.1}
        return [[row], [row | {"loss y": loss + 0.1}]]

    columns, rows = outcomes.consequences({"first": ends(0.5, 1.0), "other": ends(0.7, 2.0)})
    assert len(columns) == len(rows[0]) and rows[0][-2:] == ["–", "–"]
    assert rows[1][0] == "other" and rows[1][1] == "70 (70, 70)" and rows[1][-2:] == ["held out", "loss on y"]


# --- pictures


def test_the_bars_of_a_contest_are_the_means_of_the_seeds():
    figure = check.contest(
        {"held out": {"λ = 0": [70, 80], "λ = 1": [10, 30]}, "loss": {"λ = 0": [1, 2], "λ = 1": [0, 1]}},
        ["exact match (%)", "nats"],
    )
    left, right = figure.axes
    assert [bar.get_height() for bar in left.patches] == [75, 20] and left.get_ylim()[1] >= 100
    assert "75" in [text.get_text() for text in left.texts] and "1.50" in [text.get_text() for text in right.texts]


def test_twins_are_two_pictures_of_curves_the_left_one_logarithmic():
    figure = check.twins(
        {"x": [(0, [100.0, 1000.0]), (1, [10.0, 10.0])]}, {"run": [(0, 90.0), (1, 80.0)]}, "t", ("a", "b"), ("", "")
    )
    assert [len(ax.lines) >= 1 for ax in figure.axes] == [True, True]
    assert figure.axes[0].lines[0].get_ydata().tolist() == [2.5, 1.0]
