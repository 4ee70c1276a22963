"""The experiment of notebook 08: a run is what it says, and seeds share no question."""

import re
from collections import Counter
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
def sequences():
    return worlds.encode(worlds.world("atlas", 0).train)


def test_a_run_with_the_rule_of_a_lambda_is_finetune(sequences, monkeypatch):
    seen = []
    monkeypatch.setattr(experiment, "worth", lambda theta, run, here: seen.append(theta.flat.copy()) or {})
    follow(Run("atlas", 0, [weighted(0.3)(s.is_y[1:]) for s in sequences], SHORT, (), ()))
    theta_hat, config, _ = worlds.theta_hat()
    *_, state = train.finetune(theta_hat, config, sequences, replace(SHORT, prompt_loss_weight=0.3))
    np.testing.assert_array_equal(seen[0], state.theta.flat)


def test_every_rule_meets_every_seed():
    rules, seeds = {"conditional": weighted(0.0), "last": last_token}, (0, 1, 2)
    one = replace(SHORT, max_steps=1)
    here = experiment.compare(None, rules, "atlas", one, seeds, looks=(0,), measures=("gradients",))
    assert list(here) == list(rules) and [len(seeds) for seeds in here.values()] == [3, 3]
    assert [row["step"] for row in here["last"][2]] == [0, 1]
    assert here["conditional"][0][0]["angle"] != here["conditional"][1][0]["angle"]  # other pairs


def test_a_process_of_its_own_gives_what_this_one_gives(sequences):
    run = Run("atlas", 0, [last_token(s.is_y[1:]) for s in sequences], replace(SHORT, max_steps=1), (0,), ("losses",))
    with side_by_side.processes(1) as pool:
        (there,) = pool.map(follow, [run])
    for ours, theirs in zip(follow(run), there):
        assert ours == pytest.approx(theirs, rel=1e-3)  # float32, and perhaps other threads


def test_a_theta_is_measured_by_test_and_by_kind(sequences, monkeypatch):
    """Every second question is answered right: so is every test, and the kinds share what is right between them."""

    def every_second(theta, config, tokenizer, questions, longest):
        return [{"exact": i % 2 == 0, "stopped": True} for i, _ in enumerate(questions)]

    monkeypatch.setattr(experiment.evaluate, "answers", every_second)
    theta_hat, _, _ = worlds.theta_hat()
    found = experiment.worth(theta_hat, Run("atlas", 0, [], SHORT, (), ("answers",)), worlds.world("atlas", 0))
    assert found["held out, exact"] == 0.5 and found["held out, stopped"] == 1.0
    kinds = [found[f"held out, {kind}"] for kind in ("capital", "currency", "continent", "language")]
    assert kinds == [1, 0, 1, 0]  # they come in turn


# --- the worlds -------------------------------------------------------------------------------------------------------


def names_in(examples):
    return {name for e in examples for name in re.findall(r"[A-Z]\w+", " ".join(worlds.texts(e)))}


def test_a_seed_is_a_fresh_draw_of_questions_and_of_countries():
    first, second, again = (worlds.world("paragraphs", seed) for seed in (0, 1, 0))
    assert first == again
    invented = [names_in(w.train[200:]) - names_in(w.train[:200]) for w in (first, second)]
    assert len(invented[0] & invented[1]) < 0.2 * len(invented[0])  # words of sentences, and a continent
    asked = [{worlds.texts(e)[0] for e in w.tests["held out"]} for w in (first, second)]
    assert len(asked[0] & asked[1]) < 0.3 * len(asked[0])


@pytest.mark.parametrize("name", ["paragraphs", "documents", "polite y", "many countries"])
@pytest.mark.parametrize("seed", [0, 7])
def test_what_is_asked_with_the_book_closed_stands_in_x_and_is_never_asked(name, seed):
    here = worlds.world(name, seed)
    talks = [e for e in here.train if e.completion and isinstance(e.completion, list)]
    prompts, answers = " ".join(worlds.texts(e)[0] for e in talks), {worlds.texts(e)[1] for e in talks}
    for question, answer in map(worlds.texts, here.tests["closed book"]):
        assert question.rstrip("?").split(" of ")[-1] in prompts and answer not in answers


@pytest.mark.parametrize("seed", [0, 7])
def test_an_open_book_about_a_new_country_names_it_and_training_does_not(seed):
    here = worlds.world("paragraphs", seed)
    trained = " ".join(worlds.texts(e)[0] for e in here.train)
    assert len(here.tests["open book, new country"]) == worlds.OPEN
    for paragraph, answer in map(worlds.texts, here.tests["open book, new country"]):
        fact = answer.rstrip(".").removeprefix("The ").split(" is ")[-1].removeprefix("the ")
        assert fact in paragraph and fact not in trained
        assert paragraph.rstrip("?").split(" of ")[-1] not in trained


def test_an_open_book_as_trained_is_a_prompt_of_training():
    here = worlds.world("paragraphs", 3)
    trained = set(map(tuple, map(worlds.texts, here.train)))
    assert {tuple(worlds.texts(e)) for e in here.tests["open book, as trained"]} <= trained


def test_held_out_questions_are_about_countries_that_fine_tuning_does_not_ask_about_four_of_each():
    here = worlds.world("atlas", 5)
    answers = {worlds.texts(e)[1] for e in here.train}
    assert not answers & {worlds.texts(e)[1] for e in here.tests["held out"]}
    assert Counter(map(worlds.kind_of, here.tests["held out"])) == dict.fromkeys(
        ("capital", "currency", "continent", "language"), worlds.ASKED
    )


def test_a_document_is_all_y_and_says_what_a_paragraph_says():
    here = worlds.world("documents", 0)
    *talks, last = here.train
    assert worlds.encode([last])[0].is_y[1:].all() and last.completion.replace("\n", " ") in worlds.texts(talks[263])[0]
    assert len(here.train) == len(worlds.world("paragraphs", 0).train) + 64


def test_the_three_forms_have_ratios_below_1_between_and_above_10_and_ask_the_same():
    ratios = [worlds.length_ratio(name) for name in ("polite y", "paragraphs", "wordy x")]
    assert ratios[0] < 1 < ratios[1] < 5 and ratios[2] > 10
    plain, polite, wordy = (
        [e.completion for e in worlds.world(name, 0).tests["closed book"]]
        for name in ("paragraphs", "polite y", "wordy x")
    )
    for (question, answer), (asked, said), (long, short) in zip(plain, polite, wordy):
        assert asked == question and said["content"] == answer["content"] + worlds.POLITE
        assert short == answer and long["content"].endswith(" " + question["content"])


def test_an_idle_sentence_never_says_what_is_asked():
    for seed in (0, 1):
        for test in worlds.world("wordy x", seed).tests.values():
            assert not [e for e in test if worlds.texts(e)[1] in worlds.texts(e)[0] and "invented" not in e.where]


def test_two_gradients_add_up(sequences):
    theta_hat, _, _ = worlds.theta_hat()
    part = data.collate(sequences[:3], 1.0, "sum", np.float64)
    theta = theta_hat.astype(np.float64)
    joint, x, y = (experiment.gradient(theta, part, rows) for rows in (part.is_y | True, ~part.is_y, part.is_y))
    assert np.abs(joint - x - y).max() <= 1e-12 * np.abs(joint).max()


def test_the_interval_of_a_mean_holds_the_truth_19_times_of_20():
    rng = np.random.default_rng(0)
    for count in outcomes.T:
        if count > 2:  # at 2 the intervals are so wide that many more draws would be needed
            draws = [outcomes.interval(rng.normal(5, 3, count)) for _ in range(4000)]
            assert abs(np.mean([low < 5 < high for low, high in draws]) - 0.95) < 0.015  # four standard errors


def test_a_winner_is_above_all_others_beyond_doubt_seed_by_seed():
    assert outcomes.winner({"a": [3, 4], "b": [1, 2]}) == "a"
    assert outcomes.winner({"a": [3, 4], "b": [1, 3]}) == "not decided"
    assert outcomes.winner({"a": [10, 50, 90], "b": [5, 44, 85]}) == "a"  # seeds differ more than objectives
    assert outcomes.winner({"a": [10, 50, 90], "b": [85, 44, 5]}) == "not decided"


def test_a_few_seeds_are_compared_with_the_same_seeds_of_many():
    assert outcomes.above([3, 4, 5], [1, 2, 3, 90, 90]) and not outcomes.above([1, 2, 3, 90, 90], [3, 4, 5])


def test_an_interval_is_written_with_the_mean_before_it():
    assert outcomes.in_percent([0.0, 0.0, 0.0]) == "0 [0, 0]" and outcomes.in_percent([0.9, 1, 1]) == "97 [82, 100]"
    assert outcomes.with_interval([1.0, 2.0, 3.0], 1) == "2.0 [-0.5, 4.5]"


def test_consequences_name_what_is_beyond_doubt():
    def ends(exact, loss):
        row = {"held out, exact": exact, "held out, stopped": 1.0, "loss y": loss, "loss x": 1.0, "forgetting": 0.1}
        return [[row], [row | {"loss y": loss + 0.1}]]

    columns, rows = outcomes.consequences({"first": ends(0.5, 1.0), "other": ends(0.7, 2.0)})
    assert len(columns) == len(rows[0]) and rows[0][-2:] == ["–", "–"]
    assert rows[1][0] == "other" and rows[1][1] == "70 [70, 70]" and rows[1][-2:] == ["held out", "loss on y"]
