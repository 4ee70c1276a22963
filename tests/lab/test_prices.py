"""The recorded runs: what is said of them follows from them, and five of them are made again."""

import importlib.util
import json
import re
import sys

import numpy as np
import pytest
from support.commandline import ROOT

from minisft.lab import experiment, prices
from minisft.lab.mistakes import MISTAKES, by_name

AGAIN = ("no-shift", "prompt-not-masked", "end-token-masked", "norm-taken-for-constant", "template-missing")
PAGE = (ROOT / "docs" / "mistakes.md").read_text(encoding="utf-8")


def test_there_are_three_runs_of_every_mistake_and_eight_without():
    runs = prices.runs()
    assert list(runs) == ["measured", "without", *(mistake.name for mistake in MISTAKES)]
    assert len(runs["without"]["seeds"]) == 8
    for mistake in MISTAKES:
        for row in runs[mistake.name]["seeds"]:
            assert len(row["losses"]) == experiment.SETTINGS.max_steps
            assert {*experiment.SHOWN, *experiment.TRUE, "losses"} == row.keys()
        assert len(runs[mistake.name]["seeds"]) == 3
    assert {"date", "processor", "blas", "coretype", "numpy"} <= runs["measured"].keys()


def test_the_prices_are_the_means_of_the_runs():
    assert json.loads(json.dumps(prices.summary(prices.runs()))) == prices.prices()


@pytest.mark.parametrize("name", AGAIN)
def test_a_run_made_again_has_the_symptoms_that_are_recorded(name):
    """Another machine rounds otherwise, as if it drew another seed: within the spread of the seeds, doubled."""
    symptoms, losses = experiment.run(by_name(name), seed=0)
    seeds = prices.runs()[name]["seeds"]
    assert losses[0] == pytest.approx(seeds[0]["losses"][0], rel=1e-3, abs=1e-3)
    for quantity, value in symptoms.items():
        recorded = np.array([row[quantity] for row in seeds])
        least = 0.1 * abs(recorded.mean()) + 0.02 if "loss" in quantity else 0.05
        room = max(recorded.max() - recorded.min(), least)
        assert recorded.min() - room <= value <= recorded.max() + room, quantity


def test_the_gradient_of_a_run_without_a_mistake_is_right():
    assert experiment.gradient_error(None) < 1e-12


# --- how soon a curve shows it ----------------------------------------------------------------------------------------


def runs_of(*curves):
    return {"seeds": [{"losses": list(curve)} for curve in curves]}


RIGHT = runs_of(*(2 * 0.9 ** np.arange(40) + shift for shift in (0.0, 0.1, 0.2)))


def test_a_curve_like_the_others_is_never_seen():
    assert prices.seen_at(runs_of(2 * 0.9 ** np.arange(40) + 0.15), RIGHT) is None


def test_a_curve_is_seen_at_the_step_whose_mean_leaves_the_band():
    curve = 2 * 0.9 ** np.arange(40) + 0.1
    curve[20:] += 5.0
    assert prices.seen_at(runs_of(curve), RIGHT) == 21  # the mean of steps 17 to 21 is the first with a part of it


def test_it_takes_most_of_the_seeds_to_be_seen():
    high, same = 2 * 0.9 ** np.arange(40) + 3, 2 * 0.9 ** np.arange(40)
    assert prices.seen_at(runs_of(high, same, same), RIGHT) is None
    assert prices.seen_at(runs_of(high, high, same), RIGHT) == prices.SMOOTH


@pytest.mark.parametrize(
    "curve, healthy",
    [
        (2 * 0.9 ** np.arange(40), True),
        (2 * 0.99 ** np.arange(40), False),
        (2 * 0.9 ** np.arange(40) - 0.5, False),
        (2 * 1.1 ** np.arange(40), False),
        (np.zeros(40), False),
    ],
)
def test_a_healthy_curve_falls_below_a_quarter_and_stays_above_zero(curve, healthy):
    assert prices.looks_healthy(runs_of(curve)) is healthy


# --- the page ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def page():
    """benchmarks/mistakes_page.py, which is not installed."""
    sys.path.insert(0, str(ROOT))
    spec = importlib.util.spec_from_file_location("mistakes_page", ROOT / "benchmarks" / "mistakes_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(ROOT))


def test_the_page_is_made_of_the_runs(page):
    assert page.page(prices.runs()) == PAGE


def test_each_mistake_has_its_two_lines_and_its_threads_on_the_page():
    for mistake in MISTAKES:
        section = PAGE.partition(f"### {mistake.name}\n")[2].partition("\n### ")[0]
        assert mistake.wrong in section and mistake.right in section
        assert all(f"[{thread}]" in section for thread in mistake.seen)


def test_the_sentence_about_the_training_loss_counts_what_the_table_holds(page):
    means = prices.prices()
    dear = [m.name for m in MISTAKES if page.costly(means[m.name], means["without"])]
    healthy = sum(means[name]["looks_healthy"] for name in dear)
    assert re.search(rf"with {len(dear)} of the mistakes\. With {healthy} of these", " ".join(PAGE.split()))
    assert healthy > len(dear) / 2
