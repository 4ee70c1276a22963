"""log Pr(y|x) against enumeration and the chain rule, and the numbers of an evaluation against calculation by hand."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import random_sequences, random_theta, tiny_config
from numpy.testing import assert_allclose, assert_array_equal
from support.by_hand import END, all_answers, log_pi, log_prob, markov, toy

from minisft import evaluate
from minisft.config import REDUCTIONS, ModelConfig, RopeScaling, TrainConfig
from minisft.data import Sequence, collate, encode, fit
from minisft.errors import MinisftError
from minisft.formats.rows import example
from minisft.tokenizer import Tokenizer

X = [2, 3, 1]
LENGTH = 5


def pairs(x, ys):
    """The sequences of one prompt with many answers."""
    return [Sequence(np.array([*x, *y]), np.arange(len(x) + len(y)) >= len(x), "") for y in ys]


def log_prob_of_y(theta, config, sequences):
    """Σ of log_probs over the targets, one number a sequence."""
    values = evaluate.log_probs(theta, config, sequences)
    return np.array([value[s.is_y[1:]].sum() for (value, _), s in zip(values, sequences, strict=True)])


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


# With texts


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(["user\nHi\nassistant\nParis France is the capital of"] * 5, 300)


def certain(tokenizer, text, end, prompt="assistant\n"):
    """A model that all but certainly says `text` and then `end` after the last token of a prompt."""
    V = tokenizer.vocab_size
    answer = [*tokenizer.encode(text), end]
    chain = [tokenizer.encode(prompt)[-1], *answer]
    assert len(set(chain)) == len(chain)  # each is followed by one other
    transitions = np.full((V, V), 1e-9)
    transitions[chain[:-1], chain[1:]] = 1
    return markov(transitions / transitions.sum(-1, keepdims=True))


def conversation(answer, question="Hi"):
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return example({"messages": messages}, "")


def test_multi_turn_in_one_pass_is_the_sum_of_one_pass_per_turn(tokenizer):
    """Σ_k log Pr(y_k | x_1, y_1, …, x_k): the last of each prefix of the conversation, added up."""
    config = ModelConfig(tokenizer.vocab_size, 8, 12, 2, 2, 1, max_position_embeddings=256)
    theta = random_theta(config)
    said = ["Hi", "Paris", "the capital", "France is", "of", ""]
    messages = [{"role": ("user", "assistant")[i % 2], "content": content} for i, content in enumerate(said)]
    one_pass = encode(example({"messages": messages}, ""), tokenizer)
    per_turn = [encode(example({"messages": messages[:n]}, ""), tokenizer, "last") for n in (2, 4, 6)]
    assert one_pass.is_y.sum() == sum(s.is_y.sum() for s in per_turn)
    total = log_prob_of_y(theta, config, [one_pass])[0]
    assert_allclose(total, log_prob_of_y(theta, config, per_turn).sum(), rtol=1e-10)


def test_exact_match_compares_the_decoded_answer_with_the_content_both_stripped(tokenizer):
    theta, config = certain(tokenizer, "\tParis ", tokenizer.end_of_turn_id)
    contents = ["Paris", "\nParis  ", "paris", "Paris.", ""]
    found = evaluate.answers(theta, config, tokenizer, [conversation(content) for content in contents], 20)
    assert [answer["exact"] for answer in found] == [True, True, False, False, False]
    assert [answer["expected"] for answer in found] == contents
    assert all(answer["predicted"] == "\tParis " and answer["stopped"] for answer in found)


def test_generation_stops_at_the_end_of_turn_in_a_chat_and_at_the_end_of_text_in_plain_text(tokenizer):
    chat = conversation("Paris"), certain(tokenizer, "Paris", tokenizer.end_of_turn_id)
    plain = example({"prompt": "x ", "completion": "Paris"}, ""), certain(tokenizer, "Paris", tokenizer.eos_id, "x ")
    for asked, (theta, config) in (chat, plain):
        (answer,) = evaluate.answers(theta, config, tokenizer, [asked], 20)
        assert answer == {"predicted": "Paris", "expected": "Paris", "exact": True, "stopped": True}


def test_an_answer_cut_off_by_its_length_has_not_stopped(tokenizer):
    theta, config = certain(tokenizer, "Paris France", tokenizer.end_of_turn_id)
    needed = len(tokenizer.encode("Paris France")) + 1
    for length, stopped in ((needed, True), (needed - 1, False)):
        (answer,) = evaluate.answers(theta, config, tokenizer, [conversation("Paris France")], length)
        assert answer["exact"] and answer["stopped"] is stopped
    (answer,) = evaluate.answers(theta, config, tokenizer, [conversation("Paris France")], needed - 2)
    assert not answer["exact"]


def test_more_examples_than_are_answered_together_keep_their_order(tokenizer, monkeypatch):
    theta, config = certain(tokenizer, "Paris", tokenizer.end_of_turn_id)
    monkeypatch.setattr(evaluate, "PROMPTS", 2)
    examples = [conversation(content) for content in ("Paris", "of", "the", "Paris", "is")]
    found = evaluate.answers(theta, config, tokenizer, examples, 20)
    assert [answer["expected"] for answer in found] == ["Paris", "of", "the", "Paris", "is"]
    assert [answer["exact"] for answer in found] == [True, False, False, True, False]
    assert evaluate.answers(theta, config, tokenizer, [], 20) == []


def test_an_example_that_asks_nothing_has_no_answer(tokenizer):
    theta, config = certain(tokenizer, "Paris", tokenizer.end_of_turn_id)
    found = evaluate.answers(theta, config, tokenizer, [example({"text": "Paris"}, ""), conversation("Paris")], 20)
    assert found[0] is None and found[1]["exact"]


def test_a_question_that_fills_the_context_is_neither_exact_nor_stopped(tokenizer):
    """Even if the answer expected is empty, as the one given."""
    theta, config = certain(tokenizer, "Paris", tokenizer.end_of_turn_id)
    long = " x" * config.max_position_embeddings
    found = evaluate.answers(theta, config, tokenizer, [conversation("", long), conversation("Paris")], 20)
    assert [(answer["exact"], answer["stopped"]) for answer in found] == [(False, False), (True, True)]


def test_parameters_that_are_not_finite_are_an_error_and_not_a_number():
    theta, config = toy()
    theta.model.norm.weight[0] = np.nan
    with pytest.raises(MinisftError, match=r"^data.jsonl:3: "):
        evaluate.log_probs(theta, config, [Sequence(np.array([1, 2]), np.ones(2, bool), "data.jsonl:3")])


# The summary


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


def test_evaluating_leaves_theta_as_it_is():
    theta, config = toy()
    kept = theta.flat.copy()
    evaluate.log_probs(theta, config, pairs(X, [[1, END]]))
    assert_array_equal(theta.flat, kept)
