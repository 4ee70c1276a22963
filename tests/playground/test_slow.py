"""One step, slowly: the parts add up to the metrics, and the metrics are those of the run."""

from dataclasses import replace

import numpy as np
import pytest
from support.commandline import ROOT

from minisft import evaluate, train
from minisft.playground import lines, slow
from minisft.playground.run import Run


@pytest.fixture
def event(recorder):
    for _ in range(5):
        recorder.run.advance()
    return recorder.slow(4)


def test_its_metrics_are_those_of_the_run(event, recorder, loaded, settings):
    theta_hat, config, _ = loaded
    rows = [state.metrics for state in train.finetune(theta_hat, config, recorder.run.sequences, settings)]
    assert without_speed(event["metrics"]) == without_speed(rows[3])


def without_speed(metrics):
    return {name: value for name, value in metrics.items() if name != "tokens_per_second"}


@pytest.mark.parametrize("reduction", ["token_mean", "sum", "sequence_mean"])
@pytest.mark.parametrize("prompt_loss_weight", [0.0, 0.5, 1.0])
def test_its_parts_add_up_to_its_metrics(recorder, settings, reduction, prompt_loss_weight):
    other = replace(
        settings,
        loss_reduction=reduction,
        prompt_loss_weight=prompt_loss_weight,
        gradient_accumulation_steps=2,
        weight_decay=0.1,
    )
    run = Run(recorder.start, recorder.config, recorder.run.sequences, other)
    for _ in range(3):
        run.advance()
    event = slow.take_apart(run, 3, recorder.pairs)
    metrics, sums = event["metrics"], event["sums"]
    assert sums["loss"] == pytest.approx(metrics["loss"], rel=1e-12)
    assert sums["grad_norm"] == pytest.approx(metrics["grad_norm"], rel=1e-12)
    assert sums["num_target_tokens"] == metrics["num_target_tokens"]
    shown = sum(len(part["log_prob"]) for part in event["batch"])
    assert shown == metrics["num_target_tokens"]
    assert sum(norm**2 for norm, _ in event["tensors"]) ** 0.5 == pytest.approx(metrics["grad_norm"], rel=1e-5)


def test_the_sum_over_the_tokens_shown_is_the_loss(event, recorder):
    total = 0.0
    for part in event["batch"]:
        sequence = recorder.run.sequences[part["example"]]
        total -= sum(part["weights"][int(y)] * value for y, value in zip(sequence.is_y[1:], part["log_prob"]))
    assert total == pytest.approx(event["metrics"]["loss"], rel=1e-3)  # four digits are shown


def test_the_row_is_softmax_and_its_gradient_adds_up_to_nothing(event):
    row = event["row"]
    z, pi, dz = np.array([values for _, *values in row["candidates"]]).T
    assert np.exp(z - row["log_sum_exp"]) == pytest.approx(pi, rel=1e-4)
    assert pi.sum() + row["rest"][1] == pytest.approx(1, abs=1e-5)
    assert dz.sum() + row["rest"][2] == pytest.approx(0, abs=1e-5)
    target = row["candidates"][0]
    assert target[0] == row["target"] and target[3] == pytest.approx(row["weight"] * (1 - target[2]), rel=1e-4)
    assert row["contribution"] == pytest.approx(row["weight"] * row["log_prob"], rel=1e-4)


def test_the_row_shown_is_the_one_that_adds_most_or_the_one_that_was_chosen(event, recorder):
    assert recorder.slow(4, 3)["row"]["row"] == 3
    assert recorder.slow(4, 10**6)["row"] == event["row"]
    most = max(-weight * value for part in event["batch"] for weight in part["weights"] for value in part["log_prob"])
    assert -event["row"]["contribution"] <= most * 1.001


@pytest.mark.parametrize("optim", ["adamw", "sgd"])
def test_the_update_shown_is_the_formula_and_what_happened_to_theta(recorder, settings, optim):
    other = replace(settings, optim=optim, max_grad_norm=0.01, weight_decay=0.1)
    run = Run(recorder.start, recorder.config, recorder.run.sequences, other)
    for _ in range(3):
        run.advance()
    u = slow.take_apart(run, 3, [])["update"]
    assert u["before"] == pytest.approx(run.at(2).theta.named[u["name"]][u["index"]], rel=1e-5)
    assert u["after"] == pytest.approx(run.at(3).theta.named[u["name"]][u["index"]], rel=1e-5)
    rate = u["learning_rate"]
    gradient = u["gradient"] if optim == "sgd" else u["m_hat"] / (u["v_hat"] ** 0.5 + other.adam_epsilon)
    moved = rate * (gradient + u["weight_decay"] * u["before"])
    assert u["after"] - u["before"] == pytest.approx(-moved, abs=1e-5 * abs(u["before"]))  # six digits each
    assert u["clip"] < 1


def test_a_frozen_tensor_has_no_gradient_and_is_not_listed(recorder, settings):
    other = replace(settings, train_only=("*norm*",))
    run = Run(recorder.start, recorder.config, recorder.run.sequences, other)
    run.advance()
    event = slow.take_apart(run, 1, recorder.pairs)
    assert len(event["tensors"]) == len(run.trained) < len(recorder.start.named)
    assert event["sums"]["grad_norm"] == pytest.approx(event["metrics"]["grad_norm"], rel=1e-12)


def test_watched_pairs_are_measured_before_and_after(event, recorder):
    for t, place in ((3, 0), (4, 1)):
        [(values, _)] = evaluate.log_probs(recorder.run.at(t).theta, recorder.config, recorder.pairs[:1])
        expected = values[recorder.pairs[0].is_y[1:]].sum()
        assert event["pairs"][0][place] == pytest.approx(expected, rel=1e-4)


def test_the_lines_shown_are_lines_of_the_library():
    for optimiser in ("adamw", "sgd"):
        for part in lines.shown(optimiser).values():
            file, number = part["where"].split(":")
            source = (ROOT / file).read_text(encoding="utf-8").splitlines()[int(number) - 1 :]
            for shown, line in zip(part["code"].splitlines(), source):
                assert shown.strip() == line.strip()


def test_taking_a_step_apart_leaves_the_run_as_it_is(recorder):
    for _ in range(4):
        recorder.run.advance()
    before = recorder.run.state.theta.flat.tobytes()
    recorder.slow(2)
    recorder.slow(4)
    assert recorder.run.state.step == 4 and recorder.run.state.theta.flat.tobytes() == before
