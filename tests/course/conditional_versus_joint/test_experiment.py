"""The experiment of notebook 08: a run is what it says, and seeds share no question."""

from dataclasses import replace

import numpy as np
import pytest

from minisft import data, train
from minisft.config import TrainConfig
from minisft.course import side_by_side
from minisft.course.conditional_versus_joint import experiment, outcomes, worlds
from minisft.course.conditional_versus_joint.experiment import Run, follow, last_token, weighted

SHORT = TrainConfig(learning_rate=3e-4, max_steps=2, batch_size=2, loss_reduction="token_mean", max_grad_norm=0.0)


@pytest.fixture(scope="module")
def few():
    return worlds.encode(worlds.world("few", 0).train)


def test_a_run_with_the_rule_of_a_lambda_is_finetune(few, monkeypatch):
    seen = []
    monkeypatch.setattr(experiment, "worth", lambda theta, run, here: seen.append(theta.flat.copy()) or {})
    follow(Run("few", 0, [weighted(0.3)(s.is_y[1:]) for s in few], SHORT, (), ()))
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
    run = Run("few", 0, [last_token(s.is_y[1:]) for s in few], replace(SHORT, max_steps=1), (0,), ())
    with side_by_side.processes(1) as pool:
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
    part = data.collate(few[:3], 1.0, "sum", np.float64)
    theta = theta_hat.astype(np.float64)
    joint, x, y = (experiment.gradient(theta, part, rows) for rows in (part.is_y | True, ~part.is_y, part.is_y))
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
