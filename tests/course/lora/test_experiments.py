"""What notebook 12 measures: the four starts, the rank of a change, the table of runs, the predictions."""

import numpy as np
import pytest

from minisft import adapter, model
from minisft.course.lora import experiment, forgets_more, how_many_move, long_table, never_moves, spectrum, starts


def test_where_a_or_b_is_0_the_change_is_0_and_only_that_one_has_a_gradient():
    for name, (a, b) in starts.STARTS.items():
        theta = starts.begin(name)
        assert all(change.any() == (a and b) for _, change in adapter.changes(theta))
        norms = starts.gradients(theta)
        assert (norms["A"] > 0) == b and (norms["B"] > 0) == a


def test_of_a_change_of_rank_r_nothing_is_lost_by_a_cut_to_r_and_the_last_singular_value_by_a_cut_to_one_less():
    rng, hat = np.random.default_rng(0), experiment.theta_hat()[0].astype(np.float64)
    theta = adapter.attach(hat, ["model.layers.0.self_attn.q_proj"], 3, 3.0)
    theta.flat[:] = rng.standard_normal(theta.flat.size)
    whole, name = adapter.merged(theta), "model.layers.0.self_attn.q_proj.weight"
    values = spectrum.singular_values(whole, hat)["model.layers.0.self_attn.q_proj"]
    assert values[3] < 1e-12 * values[0] < values[2]
    off = [np.linalg.norm(spectrum.cut(whole, hat, r).named[name] - whole.named[name]) for r in (3, 2)]
    np.testing.assert_allclose(off, [0, values[2]], atol=1e-11 * values[0])
    parts = spectrum.singular_values(whole, hat)
    np.testing.assert_allclose([spectrum.kept(parts, 3), spectrum.kept(parts, 0)], [1, 0], atol=1e-12)


def test_the_table_has_every_run_of_the_plan_at_every_step_looked_at():
    found = [(row["r"], row["learning_rate"], row["seed"], row["step"]) for row in long_table.read()["rows"]]
    assert found == [(*run, step) for run in experiment.plan() for step in experiment.LOOKS]


def test_the_numbers_that_move_are_those_of_the_adapter():
    shapes = adapter.linear_maps(experiment.theta_hat()[0]).values()
    for row in long_table.read()["rows"]:
        each = row["r"] * sum(map(sum, shapes)) if row["r"] else experiment.theta_hat()[0].flat.size
        assert row["numbers"] == each


@pytest.mark.parametrize("r", experiment.RANKS)
def test_the_best_rate_is_chosen_by_other_questions_and_lies_within_the_grid(r):
    best, step = long_table.best_rate(r, 80), 80
    mine = np.mean([row["chosen by"] for row in long_table.tuned(step)[r]])
    assert all(
        mine >= np.mean([row["chosen by"] for row in long_table.rows(r, rate, step)]) for rate in long_table.rates(r)
    )
    assert best in experiment.RATES[r > 0] and len(long_table.tuned(step)[r]) == len(experiment.SEEDS)


def test_the_questions_that_choose_are_not_the_held_out_ones_and_neither_is_in_d():
    sets = [{str(question) for question in experiment.questions(name)} for name in experiment.COUNTRIES]
    assert len(sets[0]) == len(sets[1]) == 120 and not sets[0] & sets[1]
    trained = {tuple(sequence.ids) for sequence in experiment.pairs()}
    assert not trained & {tuple(sequence.ids) for sequence in experiment.held_out()}


def test_a_short_run_is_followed_with_merged_and_unmerged_answers_alike(monkeypatch):
    monkeypatch.setattr(experiment, "SETTINGS", experiment.replace(experiment.SETTINGS, max_steps=2))
    monkeypatch.setattr(experiment, "LOOKS", (1, 2))
    monkeypatch.setattr(experiment, "worth", lambda theta: {"sum": float(np.abs(theta.flat).sum())})
    rows = experiment.follow(experiment.Run(4, 1e-3, 0))
    assert [row["step"] for row in rows] == [1, 2] and rows[0]["sum"] != rows[1]["sum"]
    assert rows[0]["numbers"] == 36_608 and rows[0]["loss"] > 0
    [full] = experiment.follow(experiment.Run(0, 1e-4, 0))[-1:]
    assert full["numbers"] == model.init(experiment.theta_hat()[1], np.random.default_rng(0)).flat.size


def test_the_predictions_go_by_what_was_measured():
    assert how_many_move(10, 73_216, 779_392).right is True and how_many_move(1, 73_216, 779_392).right is False
    assert how_many_move(None, 1, 100).right is None and how_many_move(1, 1, 100).right is True
    measured = {"a": {"loss at 0": 3.0, "loss": 1.0}, "b": {"loss at 0": 2.0, "loss": 2.0}}
    assert never_moves("b", measured).right is True and never_moves("a", measured).right is False
    forgotten = {"r = 4": [0.5, 0.7], "full": [0.4, 0.3]}
    assert forgets_more("r = 4", forgotten).right is True and forgets_more("full", forgotten).right is False
    assert "r = 4 0.50, 0.70" in forgets_more(None, forgotten).text
