"""The detective game: what is dealt, what a measurement costs, and what is said to a name."""

import pytest

from minisft.course import bug_lab as check
from minisft.course.bug_lab import game as games
from minisft.errors import MinisftError
from minisft.lab import experiment
from minisft.lab.mistakes import MISTAKES, by_name

PLACES = [(owner, name) for mistake in MISTAKES for owner, name in mistake.places]


@pytest.fixture
def short(monkeypatch):
    """Games of six steps."""
    from dataclasses import replace

    monkeypatch.setattr(experiment, "SETTINGS", replace(experiment.SETTINGS, max_steps=6))


def test_every_suspect_is_dealt_by_some_seed_and_the_same_seed_deals_the_same(short, monkeypatch):
    dealt = []
    monkeypatch.setattr(games, "Game", lambda mistake, settings: dealt.append((mistake.name, settings.seed)))
    for seed in range(400):
        check.deal(seed)
    assert {name for name, _ in dealt} == set(check.SUSPECTS)
    for seed in range(400):
        check.deal(seed)
    assert dealt[:400] == dealt[400:]


def test_measurements_cost_their_points_once_and_a_wrong_name_three(short):
    game = check.deal(0, ["end-token-masked"])
    assert game.points == 0
    game.ask("batch row")
    game.ask("batch row")
    assert game.points == check.PRICES["batch row"]
    assert game.accuse("no-shift").right is False
    assert game.points == check.PRICES["batch row"] + games.WRONG
    verdict = game.accuse("end-token-masked")
    assert verdict.right and by_name("end-token-masked").right in verdict.text and "5 points" in verdict.text


def test_a_twin_is_accepted_and_said_to_be_one(short):
    verdict = check.deal(0, ["pad-is-end"]).accuse("end-token-masked")
    assert verdict.right and "pad-is-end" in verdict.text


def test_who_is_no_suspect_costs_nothing(short):
    game = check.deal(0, ["sign"])
    assert game.accuse("the sign").right is None and game.points == 0
    with pytest.raises(MinisftError, match="no measurement"):
        game.ask("the mistake")


@pytest.mark.parametrize("name", ["packing-leak", "dropout-in-evaluation", "gradient-not-zeroed", "end-token-cut-off"])
def test_everything_can_be_asked_and_afterwards_the_library_is_as_it_was(short, name):
    before = [vars(owner)[place] for owner, place in PLACES]
    game = check.deal(3, [name])
    shown = [str(game.ask(measurement)) for measurement in check.PRICES]
    assert all(shown) and game.points == sum(check.PRICES.values())
    assert [vars(owner)[place] for owner, place in PLACES] == before


# --- each suspect can be told from a right run ------------------------------------------------------------------------

TELLS = {  # mistake: a measurement that differs from that of a right run, with the same seed
    "no-shift": "batch row",
    "double-shift": "batch row",
    "end-token-as-text": "rows",
    "end-token-cut-off": "rows",
    "end-token-put-back": "rows",
    "test-rows-in-training": "rows",
    "prompt-not-masked": "batch row",
    "mask-not-shifted": "batch row",
    "header-trained": "batch row",
    "end-token-masked": "batch row",
    "pad-is-end": "batch row",
    "padding-trained": "batch row",
    "prompt-label-zero": "batch row",
    "mean-of-means": "invariances",
    "loss-not-divided": "first loss",
    "mean-over-padding": "first loss",
    "log-of-mean": "first loss",
    "sum-of-probabilities": "first loss",
    "sign": "gradcheck",
    "packing-leak": "invariances",
    "no-causal-mask": "invariances",
    "mask-after-softmax": "gradcheck",
    "no-attention-scale": "first loss",
    "tied-gradient-lost": "gradcheck",
    "norm-taken-for-constant": "gradcheck",
    "gradient-not-zeroed": "invariances",
    "eps-inside-root": "update",
    "no-bias-correction": "update",
    "decay-on-gains": "update",
    "clipping-before-sum": "invariances",
    "optimizer-not-restored": "invariances",
    "schedule-off-by-one": "schedule",
    "warmup-in-wrong-unit": "schedule",
    "learning-rate-too-high": "schedule",
    "template-missing": "question",
    "other-template": "question",
    "double-bos": "question",
    "end-not-stopping": "question",
    "right-padding": "invariances",
    "dropout-in-evaluation": "invariances",
    "contains-not-equals": "judging",
}


def test_every_suspect_has_a_measurement_that_tells():
    assert set(TELLS) == set(check.SUSPECTS) and set(TELLS.values()) <= set(check.PRICES)


@pytest.fixture(scope="module")
def rightly():
    """What every measurement shows of a right run of two steps."""
    run = run_of(None)
    return {name: str(games.MADE[name](run)) for name in set(TELLS.values())}


def run_of(mistake):
    from dataclasses import replace

    experiment.questions(True)
    with experiment.during(mistake):
        settings = replace(experiment.SETTINGS, max_steps=2)
        state, metrics = experiment.finetuned(settings)
        return games.Run(state.theta, settings, games.training_rows(), metrics, {})


@pytest.mark.parametrize("name", TELLS)
def test_the_measurement_shows_something_else_while_the_mistake_is_on(name, rightly):
    run = run_of(by_name(name))
    with by_name(name).on():
        assert str(games.MADE[TELLS[name]](run)) != rightly[TELLS[name]]
