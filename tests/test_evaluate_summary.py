"""The numbers of an evaluation against calculation by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from support import answers
from support.answers import X, certain, pairs
from support.by_hand import log_pi, log_prob, markov, toy

from minisft import evaluate
from minisft.config import REDUCTIONS, TrainConfig
from minisft.data import Sequence, collate, encode, fit
from minisft.formats.rows import example

tokenizer = answers.tokenizer


def summed_up(sequences, answered, prompt_loss_weight=0.0, reduction="token_mean", seed=0):
    theta, config = toy(seed)
    weighted = collate(sequences, prompt_loss_weight, reduction, np.float64)
    return evaluate.summary(evaluate.log_probs(theta, config, sequences), sequences, weighted, answered)


def test_sum_count_and_mean_are_given_together_and_fit():
    sequences = pairs(X, [[1, 2, 0], [0], [3, 0]])
    theta, config = toy()
    by_hand = sum(log_prob(theta, config, X, y) for y in ([1, 2, 0], [0], [3, 0]))
    found = summed_up(sequences, [])
    assert found["num_examples"] == 3
    assert found["num_target_tokens"] == 3 + 1 + 2
    assert_allclose(found["log_prob"], by_hand, rtol=1e-10)
    assert_allclose(found["loss"], -by_hand / 6, rtol=1e-10)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("prompt_loss_weight", [0.0, 0.5, 1.0])
def test_loss_is_under_the_reduction_and_lambda_of_the_run_but_log_prob_is_always_that_of_y(
    reduction, prompt_loss_weight
):
    """x has 2 predicted tokens in both sequences, y 3 and 1. With a and b the sums over x, c and d those over y."""
    theta, config = toy()
    ys = [[1, 2, 0], [0]]
    (a, c), (b, d) = ((log_prob(theta, config, X[:1], X[1:]), log_prob(theta, config, X, y)) for y in ys)
    L = prompt_loss_weight
    by_hand = {
        "sum": L * (a + b) + c + d,
        "token_mean": (L * (a + b) + c + d) / (4 * L + 4),
        "sequence_mean": ((L * a + c) / (2 * L + 3) + (L * b + d) / (2 * L + 1)) / 2,
    }
    found = summed_up(pairs(X, ys), [], L, reduction)
    assert_allclose(found["loss"], -by_hand[reduction], rtol=1e-10)
    assert_allclose(found["log_prob"], c + d, rtol=1e-10)
    assert found["num_target_tokens"] == (8 if L else 4)  # rows of weight > 0


def test_mean_token_accuracy_is_the_share_of_targets_that_are_the_likeliest():
    theta, config = markov(np.array([[0.5, 0.25, 0.25], [0.125, 0.125, 0.75], [0.25, 0.5, 0.25]]))  # 0→0 1→2 2→1
    sequence = Sequence(np.array([0, 0, 1, 2, 2, 1]), np.array([0, 0, 1, 1, 1, 1], bool), "")
    weighted = collate([sequence], 0.0, "sum", np.float64)
    found = evaluate.summary(evaluate.log_probs(theta, config, [sequence]), [sequence], weighted, [])
    assert found["mean_token_accuracy"] == 2 / 4  # of 0→1, 1→2, 2→2, 2→1 the second and the last
    joint = collate([sequence], 0.1, "sum", np.float64)
    found = evaluate.summary(evaluate.log_probs(theta, config, [sequence]), [sequence], joint, [])
    assert found["mean_token_accuracy"] == 3 / 5  # and 0→0 of the prompt


def test_rates_are_shares_of_the_answers_and_none_without_any():
    answered = [{"exact": exact, "stopped": stopped} for exact, stopped in ((1, 1), (0, 1), (0, 1), (0, 0))]
    found = summed_up(pairs(X, [[0]]), answered)
    assert (found["exact_match"], found["stop_rate"]) == (1 / 4, 3 / 4)
    found = summed_up(pairs(X, [[0]]), [])
    assert (found["exact_match"], found["stop_rate"]) == (None, None)


@pytest.mark.parametrize("prompt_loss_weight", [0.0, 0.5])
def test_an_evaluation_has_one_row_an_example_kept_and_the_rows_add_up_to_the_summary(tokenizer, prompt_loss_weight):
    """Four examples, the second too long and dropped; the third asks nothing."""
    theta, config = certain(tokenizer, "Paris", tokenizer.end_of_turn_id)
    rows = [
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Paris"}]},
        {"prompt": "x " * 99, "completion": "of"},
        {"text": "France is the capital"},
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "of"}]},
    ]
    examples = [example(row, f"data.jsonl:{line}") for line, row in enumerate(rows, 1)]
    sequences, _ = fit([encode(one, tokenizer) for one in examples], config.max_position_embeddings, "drop")
    settings = TrainConfig(prompt_loss_weight=prompt_loss_weight)
    whole, found = evaluate.evaluate(theta, config, tokenizer, examples, sequences, settings, 20)
    assert [row["index"] for row in found] == [0, 2, 3]
    assert [row["exact"] for row in found] == [True, None, False]
    assert [row["expected"] for row in found] == ["Paris", None, "of"]
    assert (whole["num_examples"], whole["exact_match"], whole["stop_rate"]) == (3, 1 / 2, 1)
    for row, sequence in zip(found, sequences, strict=True):
        by_hand = log_pi(theta, config, sequence.ids[:-1])[np.arange(len(sequence.ids) - 1), sequence.ids[1:]]
        assert_allclose(row["log_prob"], by_hand[sequence.is_y[1:]].sum(), rtol=1e-10, atol=1e-12)
        assert row["num_target_tokens"] == (len(by_hand) if prompt_loss_weight else sequence.is_y[1:].sum())
    for name in ("log_prob", "num_target_tokens"):
        assert_allclose(sum(row[name] for row in found), whole[name], rtol=1e-12)


def test_an_evaluation_lets_answers_grow_to_max_new_tokens_and_no_further(tokenizer):
    theta, config = certain(tokenizer, "Paris", tokenizer.end_of_turn_id)
    row = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Paris"}]}
    asked = example(row, "data.jsonl:1")
    length = len(tokenizer.encode("Paris"))
    for max_new_tokens, stopped in ((length, 0), (length + 1, 1)):  # the end token needs room too
        whole, _ = evaluate.evaluate(
            theta, config, tokenizer, [asked], [encode(asked, tokenizer)], TrainConfig(), max_new_tokens
        )
        assert whole["stop_rate"] == stopped
