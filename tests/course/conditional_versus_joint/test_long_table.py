"""The long table holds every run of its plan, a part of it comes out again, and it decides what the notebook says."""

import json
import runpy
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from minisft.course import conditional_versus_joint as check
from minisft.course.conditional_versus_joint import experiment, long_table, plan, worlds
from minisft.course.conditional_versus_joint.outcomes import at_the_end, winner

from .claims import ONE, ZERO

COMMAND = Path(__file__).parents[3] / "benchmarks" / "conditional_versus_joint.py"


@pytest.mark.parametrize("name", plan.PLAN)
def test_every_rule_seed_and_look_of_the_plan_is_there_once(name):
    part = plan.PLAN[name]
    found = Counter((r["rule"], r["seed"], r["step"]) for r in long_table.read()["rows"] if r["part"] == name)
    steps = [*part.looks, part.settings.max_steps]
    assert found == Counter((rule, seed, t) for rule in part.rules for seed in range(part.seeds) for t in steps)


def test_it_says_when_and_on_what_machine_it_was_made():
    head = long_table.read()
    assert head["date"] >= "2026" and head["processor"] and "kernel" in head["blas"] and head["coretype"]
    for key in ("command", "date", "processor", "blas"):
        assert head[key] in long_table.origin()


def test_the_command_keeps_the_rows_of_other_parts_and_writes_what_the_notebook_reads(tmp_path, monkeypatch):
    command, path = runpy.run_path(str(COMMAND)), tmp_path / "table.json"
    rows = [{"part": part, "rule": "λ = 0", "seed": 0, "step": 40.0, "loss y": 0.25} for part in ("main", "wordy x")]
    assert command["others"](path, ["main"]) == []
    command["write"](path, "python -m a.command", rows)
    assert command["others"](path, ["main"]) == rows[1:]
    assert json.loads(path.read_text(encoding="ascii"))["rows"] == rows
    assert long_table.read().keys() == json.loads(path.read_text(encoding="utf-8")).keys()


def test_a_small_part_of_it_comes_out_again():
    name = plan.cell(40, 5e-4)
    part = plan.PLAN[name]
    again = experiment.compare(None, part.rules, part.world, part.settings, [0])
    for rule, (rows,) in again.items():
        kept = long_table.measured(name)[rule][0][-1]
        assert rows[-1].keys() <= kept.keys()
        for what in ("loss x", "loss y", "forgetting"):
            assert rows[-1][what] == pytest.approx(kept[what], rel=0.05)  # another kernel of the BLAS rounds otherwise
        assert abs(rows[-1]["held out, exact"] - kept["held out, exact"]) <= 4 / 48


def test_both_headlines_are_won_by_every_one_of_ten_seeds():
    main = long_table.measured("main")
    for what, better, worse in (("held out, exact", ZERO, ONE), ("closed book, exact", ONE, ZERO)):
        ends = at_the_end(main, what)
        assert len(ends[better]) >= 10 and all(a > b for a, b in zip(ends[better], ends[worse]))


def six():
    """The six comparisons of section 6, as the notebook makes them."""
    for form in ("polite y", "paragraphs", "wordy x"):
        results = long_table.measured("main" if form == "paragraphs" else form)
        for what in ("held out, exact", "closed book, exact"):
            ends = at_the_end(results, what)
            yield (
                f"{form}, {what}",
                worlds.length_ratio(form),
                what.startswith("closed"),
                {"conditional": ends[ZERO], "joint": ends[ONE]},
            )


@pytest.fixture(scope="module")
def measured():
    return list(six())


def test_all_six_comparisons_are_decided_and_the_ratio_contradicts_the_winner(measured):
    assert [winner(shares) for *_, shares in measured] == ["conditional", "joint"] * 3
    ratios = sorted({ratio for _, ratio, *_ in measured})
    assert ratios[0] < 1 < ratios[1] < 10 < ratios[2]


@pytest.mark.parametrize("seed", range(20))
def test_any_rule_by_the_ratio_fails(measured, seed):
    rng = np.random.default_rng(seed)
    bounds, names = np.sort(rng.uniform(0, 15, 4)), rng.choice(["conditional", "joint"], 5)
    verdict = check.predict_winner(lambda ratio, only_in_x: str(names[np.searchsorted(bounds, ratio)]), measured)
    assert verdict.right is False


@pytest.mark.parametrize(
    "rule",
    [
        lambda ratio, only_in_x: "joint" if only_in_x and ratio > 1 else "conditional",
        lambda ratio, only_in_x: "joint" if only_in_x and ratio < 10 else "conditional",
        lambda ratio, only_in_x: "joint" if only_in_x or ratio > 10 else "conditional",
        lambda ratio, only_in_x: "joint" if only_in_x or ratio < 1 else "conditional",
        lambda ratio, only_in_x: "joint" if only_in_x != (1 < ratio < 10) else "conditional",
    ],
)
def test_a_rule_that_mixes_the_ratio_in_fails_too(measured, rule):
    assert check.predict_winner(rule, measured).right is False


def test_the_rule_by_what_stood_only_in_x_is_right(measured):
    assert check.predict_winner(lambda ratio, only_in_x: "joint" if only_in_x else "conditional", measured).right
    assert check.follows_the_ratio("the ratio does not decide", measured).right
