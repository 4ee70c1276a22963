"""What is said of θ_t is what `evaluate` and `trajectory` say."""

import numpy as np
import pytest

from minisft import evaluate, trajectory
from minisft.playground import measure
from minisft.playground.path import Path


def test_the_log_pr_of_every_token_is_that_of_evaluate(recorder):
    theta, config = recorder.theta_hat, recorder.config
    pairs, losses = measure.tokens(theta, config, recorder.probes)
    values = [v for v, _ in evaluate.log_probs(theta, config, recorder.probes)]
    for pair, value, sequence in zip(pairs, values, recorder.probes):
        assert [log_prob for log_prob, _ in pair] == pytest.approx(value[sequence.is_y[1:]], rel=1e-5)
    of_x = np.concatenate([value[~s.is_y[1:]] for value, s in zip(values, recorder.probes)])
    assert losses["loss_x"] == pytest.approx(-of_x.mean(), rel=1e-5)


def test_the_likeliest_tokens_come_in_order_and_are_probabilities(recorder):
    pairs, _ = measure.tokens(recorder.theta_hat, recorder.config, recorder.probes)
    for _, top in pairs[0]:
        probabilities = [p for _, p in top]
        assert len(top) == 5 and probabilities == sorted(probabilities, reverse=True) and sum(probabilities) <= 1.003


def test_the_target_is_the_likeliest_where_evaluate_says_so(recorder):
    [(_, hits), *_] = evaluate.log_probs(recorder.theta_hat, recorder.config, recorder.probes)
    [pair, *_], _ = measure.tokens(recorder.theta_hat, recorder.config, recorder.probes)
    ids = measure.targets(recorder.probes[0])
    assert [i == top[0][0] for i, (_, top) in zip(ids, pair)] == hits[recorder.probes[0].is_y[1:]].tolist()


def test_answers_in_turns_are_those_given_at_once_by_the_theta_of_that_step(recorder):
    theta, (config, tokenizer) = recorder.theta_hat.copy(), (recorder.config, recorder.tokenizer)
    at_once = recorder.answers(theta, 3)
    turns = measure.InTurns(3, theta, recorder.questions)
    theta.flat[:] = 0  # the run goes on meanwhile
    assert turns.go_on(config, tokenizer, 2) is None
    events = [turns.go_on(config, tokenizer, 2) for _ in range(2)]
    assert events == [None, at_once]


def test_the_path_from_inner_products_is_that_of_the_plane(loaded):
    theta_hat, _, _ = loaded
    rng, path, vectors = np.random.default_rng(0), Path(theta_hat), []
    theta = theta_hat.copy()
    for t in range(9):
        path.add(t, theta)
        vectors.append(theta.flat.copy())
        theta.flat += rng.standard_normal(theta.flat.shape) * 0.01 + 0.004 * t
    plane = trajectory.plane(theta_hat, vectors)
    assert np.abs(path.coordinates() - plane.coordinates).max() <= 1e-9 * np.abs(plane.coordinates).max()


def test_to_go_back_on_the_path_forgets_what_came_after(loaded):
    theta_hat, _, _ = loaded
    path = Path(theta_hat)
    for t in (0, 1, 2, 3):
        path.add(t, theta_hat)
    path.add(2, theta_hat)
    assert path.steps == [0, 1, 2] and path.gram.shape == (3, 3)
    path.thin(2)
    assert path.steps == [0, 2]
    assert (path.coordinates() == 0).all()  # it has not moved
