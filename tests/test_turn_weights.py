"""Weights in the data multiply m: of a turn, of a whole row; and they go the same way through every number."""

import numpy as np
import pytest
from conftest import random_sequences
from numpy.testing import assert_allclose, assert_array_equal
from support import examples
from support.examples import END, encoded, marked, said
from support.refusals import refusal
from support.training import SGD, gradient, log_probs

from minisft import evaluate, train
from minisft.config import TrainConfig
from minisft.data import collate, fit, pieces
from minisft.runs import record

tokenizer = examples.tokenizer
FACTORS = (2.0, 0.0, 0.5)


def talk(*weights):
    """Turns of user and assistant, with these weights; None: without one."""
    messages = said(*("Hi", "Hello", "And?", "Bye")[: len(weights)])
    return [m if w is None else m | {"weight": w} for m, w in zip(messages, weights)]


def m_of(row, tokenizer, prompt_loss_weight=0.0):
    """(text, is it y?, m) of each run of x and y; the m of all tokens of a run must be the same."""
    sequence = encoded(row, tokenizer)
    m = np.append(np.nan, collate([sequence], prompt_loss_weight, "sum", np.float64).weights)  # the first has none
    changes = np.flatnonzero(np.diff(sequence.is_y)) + 1
    for (text, is_y), values in zip(marked(sequence, tokenizer), np.split(m, changes), strict=True):
        (value,) = set(values[~np.isnan(values)].tolist())
        yield text, is_y, value


def test_the_weight_of_an_answer_multiplies_m_of_its_tokens_and_its_end_token(tokenizer):
    answers = [(text, m) for text, is_y, m in m_of(talk(None, 0.25, None, 3), tokenizer) if is_y]
    assert answers == [(f"Hello{END}", 0.25), (f"Bye{END}", 3.0)]


def test_a_turn_of_weight_0_is_y_that_does_not_count(tokenizer):
    sequence, usual = (encoded(row, tokenizer) for row in (talk(None, 0, None, None), talk(None, None, None, None)))
    assert_array_equal(sequence.is_y, usual.is_y)
    assert_array_equal(sequence.ids, usual.ids)
    batch = collate([sequence], 0.0, "token_mean", np.float64)
    assert (batch.weights > 0).sum() == len([*tokenizer.encode("Bye"), END])
    assert_allclose(batch.weights.sum(), 1)  # Σ m is over what counts


def test_lambda_is_multiplied_by_the_weight_of_the_turns_between_two_answers(tokenizer):
    m = list(m_of(talk(2, None, 0, None), tokenizer, prompt_loss_weight=0.5))
    assert [value for _, is_y, value in m if not is_y] == [1.0, 0.0, 0.5]  # the last: the newline after the end
    assert [value for _, is_y, value in m if is_y] == [1.0, 1.0]
    with_system = [{"role": "system", "content": "Be brief.", "weight": 0}, *talk(0, None)]
    assert [value for *_, value in m_of(with_system, tokenizer, 0.5)] == [0.0, 1.0, 0.5]


def test_where_the_turns_between_two_answers_differ_in_weight_only_lambda_0_is_possible(tokenizer):
    row = [{"role": "system", "content": "Be brief."}, *talk(0, None)]
    assert [value for _, is_y, value in m_of(row, tokenizer) if is_y] == [1.0]
    refusal(lambda: collate([encoded(row, tokenizer)], 0.5), "data.jsonl:1", "weight", "--prompt-loss-weight")


@pytest.mark.parametrize(
    "row", [{"messages": said("Hi", "Hello")}, {"prompt": "Hi", "completion": "x"}, {"text": "Hi"}]
)
def test_the_weight_of_a_row_multiplies_m_of_all_its_tokens(tokenizer, row):
    usual, heavy = (collate([encoded(r, tokenizer)], 0.5, "sum", np.float64) for r in (row, row | {"weight": 4}))
    assert_array_equal(heavy.weights, 4 * usual.weights)


def test_the_weights_of_a_row_and_of_its_turns_multiply(tokenizer):
    row = {"messages": talk(None, 0.5), "weight": 3}
    assert [m for _, is_y, m in m_of(row, tokenizer) if is_y] == [1.5]


def test_with_assistant_turns_last_an_earlier_answer_is_x_whatever_it_weighs(tokenizer):
    last = encoded({"messages": talk(None, 5, None, 0.5)}, tokenizer, "last")
    weights = collate([last], 0.0, "sum", np.float64).weights
    assert set(weights[last.is_y[1:]]) == {0.5} and not weights[~last.is_y[1:]].any()


def test_cutting_a_sequence_cuts_its_weights_with_it(tokenizer):
    whole = encoded({"messages": talk(None, 0.25, None, 3)}, tokenizer)
    (cut,), _ = fit([whole], 20)
    assert_array_equal(cut.weight, whole.weight[:20])
    assert_array_equal(np.concatenate([piece.weight[1:] for piece in pieces(whole, 7)]), whole.weight[1:])
    assert next(iter(pieces(random_sequences()[0], 3))).weight == 1.0


# --- the formula, in float64 ------------------------------------------------------------------------------------------


def weighted():
    """Five sequences; each token of y weighs as one of the FACTORS says, by its place."""
    return [
        s._replace(weight=np.where(s.is_y, np.resize(FACTORS, len(s.ids)), 1.0))
        for s in random_sequences(lengths=(7, 4, 5, 7, 3))
    ]


@pytest.mark.parametrize("prompt_loss_weight", [0.0, 0.3])
@pytest.mark.parametrize("reduction", ["sum", "token_mean", "sequence_mean"])
def test_the_loss_is_minus_the_sum_of_w_log_pr_with_w_from_m(theta, config, reduction, prompt_loss_weight):
    sequences = weighted()
    values, is_y, _ = log_probs(theta, config, sequences)
    factor = np.concatenate([s.weight[1:] for s in sequences])
    m = np.where(is_y, 1.0, prompt_loss_weight) * factor
    of = np.repeat(np.arange(5), [len(s.ids) - 1 for s in sequences])
    sums = np.bincount(of, m)
    w = {"sum": m, "token_mean": m / m.sum(), "sequence_mean": m / (np.count_nonzero(sums) * sums[of])}[reduction]
    settings = TrainConfig(loss_reduction=reduction, prompt_loss_weight=prompt_loss_weight, batch_size=5, max_steps=1)
    (state,) = train.finetune(theta, config, sequences, settings)
    assert_allclose(state.metrics["loss"], -(w * values).sum(), rtol=1e-12)
    assert state.metrics["num_target_tokens"] == np.count_nonzero(m)

    report = evaluate.token_report(theta, config, Spelled(), sequences, settings)
    assert_allclose(report["loss"], -(w * values).sum(), rtol=1e-12)
    tokens = [token for example in report["examples"] for token in example["tokens"][1:]]
    assert_allclose([token["weight"] for token in tokens], w, rtol=1e-12)
    assert [token["is_target"] for token in tokens] == list(is_y & (m > 0))


class Spelled:
    def token_text(self, i):
        return str(i)


def test_evaluate_sums_log_pr_over_the_targets_and_weighs_only_the_loss(theta, config):
    sequences = weighted()
    values, is_y, _ = log_probs(theta, config, sequences)
    m = np.concatenate([s.weight[1:] for s in sequences]) * is_y
    result, _ = evaluate.evaluate(theta, config, None, [], sequences, TrainConfig())
    assert result["num_target_tokens"] == np.count_nonzero(m)
    assert_allclose(result["log_prob"], values[m > 0].sum(), rtol=1e-12)
    assert_allclose(result["loss"], -(m * values).sum() / m.sum(), rtol=1e-12)


def test_where_weights_are_0_or_1_loss_is_minus_log_prob_over_the_number_of_targets(theta, config):
    sequences = [s._replace(weight=float(n % 2)) for n, s in enumerate(random_sequences())]
    result, _ = evaluate.evaluate(theta, config, None, [], sequences, TrainConfig())
    assert_allclose(result["loss"], -result["log_prob"] / result["num_target_tokens"], rtol=1e-12)
    alone, _ = evaluate.evaluate(theta, config, None, [], sequences[1::2], TrainConfig())
    assert_allclose(result["log_prob"], alone["log_prob"], rtol=1e-12)


def test_an_answer_of_weight_2_under_sum_is_that_answer_twice(theta, config):
    (once,) = random_sequences(lengths=(7,))
    settings = TrainConfig(loss_reduction="sum")
    twice = gradient(theta, config, [once, once], settings)
    assert_allclose(gradient(theta, config, [once._replace(weight=2.0)], settings), twice, rtol=1e-9, atol=1e-12)


def test_a_row_of_weight_0_moves_nothing(theta, config):
    sequences = [s._replace(weight=0.0) for s in random_sequences()]
    *_, last = train.finetune(theta, config, sequences, SGD)
    assert_array_equal(last.theta.flat, theta.flat)
    assert last.metrics["num_target_tokens"] == 0


def test_other_weights_are_other_data_to_a_run_that_is_resumed(theta, config):
    def fingerprint(weight):
        data = [s._replace(weight=weight) for s in random_sequences()]
        return record.describe({}, config, theta, data, {})["sha256"]["data"]

    assert fingerprint(1.0) != fingerprint(0.5) != fingerprint(2.0)
