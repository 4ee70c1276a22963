"""log Pr(y|x) against enumeration and the chain rule."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import random_sequences, random_theta, tiny_config
from numpy.testing import assert_allclose, assert_array_equal
from support.answers import X, log_prob_of_y, pairs
from support.by_hand import END, all_answers, log_pi, log_prob, markov, toy

from minisft import evaluate
from minisft.config import RopeScaling
from minisft.data import Sequence
from minisft.errors import MinisftError

LENGTH = 5


# The truth by enumeration


@pytest.mark.parametrize("seed", range(4))
def test_the_probabilities_of_all_answers_and_of_those_not_yet_ended_sum_to_1(seed):
    """3⁰ + … + 3⁴ = 121 answers of at most 5 tokens that end, and 3⁵ = 243 that have not ended by then."""
    theta, config = toy(seed)
    ended, cut_off = all_answers(LENGTH)
    assert (len(ended), len(cut_off)) == (121, 243)
    pr = np.exp(log_prob_of_y(theta, config, pairs(X, ended + cut_off)))
    assert abs(pr.sum() - 1) < 1e-10
    assert 0 < pr[:121].sum() < 1  # both parts say something


def test_what_an_answer_of_n_tokens_leaves_open_is_shared_by_its_continuations():
    """Pr(y) of an answer not yet ended is the sum over its next tokens, so the tree above is one distribution."""
    theta, config = toy()
    for y in all_answers(3)[1]:
        values = log_prob_of_y(theta, config, pairs(X, [y, *([*y, v] for v in range(4))]))
        assert abs(np.exp(values[1:]).sum() / np.exp(values[0]) - 1) < 1e-10


@pytest.mark.parametrize("seed", range(4))
def test_the_log_probability_of_an_answer_is_the_chain_rule_with_one_forward_for_every_prefix(seed):
    theta, config = toy(seed)
    ended, _ = all_answers(4)
    by_hand = [log_prob(theta, config, X, y) for y in ended]
    assert_allclose(log_prob_of_y(theta, config, pairs(X, ended)), by_hand, rtol=1e-10)


@pytest.mark.parametrize("scaling", [None, RopeScaling(2.5)], ids=["", "slower"])
@pytest.mark.parametrize("biased", [False, True], ids=["", "biased"])
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("seed", range(3))
def test_the_whole_model_equals_its_formulas_written_as_loops(seed, tied, biased, scaling):
    """A second forward: it finds heads in another order or a wrong rotation, to which derivatives are blind."""
    config = replace(tiny_config(tied), rope_scaling=scaling, qkv_bias=biased)
    theta = random_theta(config, seed)
    for sequence, (value, hit) in zip(
        random_sequences(), evaluate.log_probs(theta, config, random_sequences()), strict=True
    ):
        by_hand = log_pi(theta, config, sequence.ids[:-1])
        rows = np.arange(len(by_hand))
        assert_allclose(value, by_hand[rows, sequence.ids[1:]], rtol=1e-10)
        assert_array_equal(hit, by_hand.argmax(-1) == sequence.ids[1:])


def test_a_model_that_knows_only_the_last_token_has_the_probabilities_it_was_made_of():
    theta, config = markov(np.array([[0.5, 0.25, 0.25], [0.125, 0.125, 0.75], [0.25, 0.5, 0.25]]))
    ((values, hits),) = evaluate.log_probs(theta, config, [Sequence(np.array([0, 1, 2, 2, 0]), np.ones(5, bool), "")])
    assert_allclose(values, np.log([0.25, 0.75, 0.25, 0.25]), rtol=1e-12)  # 0→1, 1→2, 2→2, 2→0
    assert_array_equal(hits, [False, True, False, False])


# One pass


def test_sequences_packed_in_a_batch_have_the_log_probabilities_they_have_alone():
    """They lie end to end and never attend to each other; positions restart at 0."""
    theta, config = toy()
    sequences = pairs(X, [[1, 2, 0], [3, 3, 3, 0], [0], [2, 0]])
    together = evaluate.log_probs(theta, config, sequences)
    for sequence, (value, hit) in zip(sequences, together, strict=True):
        ((alone, hit_alone),) = evaluate.log_probs(theta, config, [sequence])
        assert_allclose(value, alone, rtol=1e-12)
        assert_array_equal(hit, hit_alone)


@pytest.mark.parametrize("rows", [1, 4, 9, 10, 30])
def test_how_many_sequences_are_read_at_a_time_changes_nothing(rows, monkeypatch):
    config = tiny_config()
    theta = random_theta(config)
    sequences = random_sequences()
    expected = evaluate.log_probs(theta, config, sequences)
    monkeypatch.setattr(evaluate, "ROWS", rows)
    groups = list(evaluate.groups(sequences, config))
    assert [s for group in groups for s in group] == sequences
    assert all(len(group) == 1 or sum(len(s.ids) for s in group) <= rows for group in groups)
    for (one, hit), (other, hit_other) in zip(expected, evaluate.log_probs(theta, config, sequences), strict=True):
        assert_allclose(one, other, rtol=1e-12)
        assert_array_equal(hit, hit_other)


@pytest.mark.parametrize("rows", [1, 2, 3, 6])
def test_a_sequence_whose_logits_are_too_many_is_read_in_pieces_that_remember_what_was_before(rows, monkeypatch):
    config = tiny_config()
    theta = random_theta(config)
    sequences = random_sequences()
    expected = evaluate.log_probs(theta, config, sequences)
    read, forward = [], evaluate.model.forward
    monkeypatch.setattr(evaluate, "LOGITS", rows * config.vocab_size + 5)
    monkeypatch.setattr(evaluate.model, "forward", lambda *a, **k: read.append(len(a[2])) or forward(*a, **k))
    for (one, hit), (other, hit_other) in zip(expected, evaluate.log_probs(theta, config, sequences), strict=True):
        assert_allclose(one, other, rtol=1e-12)
        assert_array_equal(hit, hit_other)
    assert max(read) == rows and sum(read) == sum(len(s.ids) - 1 for s in sequences)


def test_every_token_but_the_first_of_a_sequence_has_a_log_probability():
    theta, config = toy()
    sequences = pairs(X, [[0], [1, 0]])
    assert [len(value) for value, _ in evaluate.log_probs(theta, config, sequences)] == [3, 4]


def test_evaluating_leaves_theta_as_it_is():
    theta, config = toy()
    kept = theta.flat.copy()
    evaluate.log_probs(theta, config, pairs(X, [[1, END]]))
    assert_array_equal(theta.flat, kept)


def test_parameters_that_are_not_finite_are_an_error_and_not_a_number():
    theta, config = toy()
    theta.model.norm.weight[0] = np.nan
    with pytest.raises(MinisftError, match=r"^data.jsonl:3: "):
        evaluate.log_probs(theta, config, [Sequence(np.array([1, 2]), np.ones(2, bool), "data.jsonl:3")])
